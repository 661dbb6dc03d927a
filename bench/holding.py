"""What held requests cost one gateway: memory each, the speed of other traffic, and how soon a decision arrives.

So many callers wait on open streams for answers that a person has to see: longer than by default, because opening so
many takes as long as that. Other traffic is compared with that of a second gateway that holds nothing, side by side,
before and while the first one holds.
"""

from __future__ import annotations

import asyncio
import re
import resource
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import httpx
import psutil
import uvloop

from bench import echo, load
from bench.load import HOST, quantile
from bench.surroundings import FULL, directory_on_disk, gateway, policy_config
from bench.verdicts import Check, at_most
from tests.support.stack import LEGAL, Stack, running_stack

MEMORY_KB = 60.0
"""Of one held request, by the slope of the resident memory from a fifth of the requests to all."""
MOVED_SHARE = 0.10
DECISION_MS = 100.0
OPENED_TOGETHER = 8
DECISIONS = 40
SETTLE_S = 3.0
PATIENCE = "4h"
RETRY_S = 2.0
ROUNDS = 5
_ID = re.compile(rb"\r\nx-escalation-id: ?([^\r]+)", re.IGNORECASE)


@dataclass(slots=True)
class _Run:
    """The connections whose requests are held, by escalation; `again`: how often one was refused for now (503)."""

    request: bytes
    open: dict[str, _Held] = field(default_factory=dict)
    again: int = 0


class _ForNow(Exception):
    """Temporal did not take it in time; stock clients ask again."""


class _Held(asyncio.Protocol):
    """One caller: `held` has the escalation's id, `done` the moment at which the answer was whole."""

    def __init__(self, run: _Run) -> None:
        loop = asyncio.get_running_loop()
        self.held: asyncio.Future[str] = loop.create_future()
        self.done: asyncio.Future[float] = loop.create_future()
        self._run = run
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._run.request)

    def data_received(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-4096:]
        if not self.held.done():
            named = _ID.search(self._tail)
            if named:
                self.held.set_result(named[1].decode())
                self._run.open[named[1].decode()] = self
            elif self._tail.startswith(b"HTTP/1.1 503"):
                self.held.set_exception(_ForNow())
            elif b"\r\n\r\n" in self._tail:
                self.held.set_exception(AssertionError(self._tail.decode(errors="replace")))
        if b"data: [DONE]" in self._tail and not self.done.done():
            self.done.set_result(time.perf_counter())
            self._run.open.pop(self.held.result(), None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.held.done() and not self.held.exception():
            self._run.open.pop(self.held.result(), None)
        elif not self.held.done():
            self.held.set_exception(ConnectionError(f"the connection ended before anything was held: {exc}"))


def measure(count: int) -> dict[str, float]:
    """The figures, times in milliseconds. Raises AssertionError when not all could be held at one time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, max(soft, 3 * count + 1000)) if hard != resource.RLIM_INFINITY else 3 * count + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    with directory_on_disk() as directory, echo.running() as model:
        config = policy_config(directory, FULL, patience=PATIENCE)
        url = f"http://{HOST}:{model}"
        with (
            running_stack(directory / "stack", "--upstream", url, "--policy-config", str(config)) as stack,
            gateway(stack, FULL, model) as idle,
        ):
            return uvloop.run(_measure(stack, idle, count))


async def _measure(stack: Stack, idle: int, count: int) -> dict[str, float]:
    port, key = int(stack.info["gateway_url"].rpartition(":")[2]), str(stack.info["gateway_key"])
    process = psutil.Process(stack.pid("gateway"))
    plain, run = load.post(_asking(echo.prose(600)), key), _Run(load.post(_asking(LEGAL, stream=True), key))
    seconds = 1.0 if count < 1000 else 3.0
    for each in (port, idle):
        await load.drive(each, plain, 16, seconds)
    before = await _beside(port, idle, plain, seconds)
    started = time.perf_counter()
    await _hold(run, port, count // 5)
    await asyncio.sleep(SETTLE_S)
    fifth = process.memory_info().rss
    await _hold(run, port, count - count // 5)
    opening = time.perf_counter() - started
    await asyncio.sleep(SETTLE_S)
    full = process.memory_info().rss
    while_held = await _beside(port, idle, plain, seconds)
    assert len(run.open) == count, f"only {len(run.open)} of {count} were still held when it was measured"
    decisions = await _decide(stack, run, min(DECISIONS, count))
    return {
        "held": count,
        "opened_per_s": round(count / opening, 1),
        "asked_again_after_503": run.again,
        "memory_kb_each": round((full - fifth) / (count - count // 5) / 1024, 1),
        "memory_mb": round(full / 2**20, 1),
        "other_p50_of_idle_before": round(before, 3),
        "other_p50_of_idle_while_held": round(while_held, 3),
        "other_p50_moved": round(while_held / before - 1, 3),
        "decision_to_client_ms_p50": round(quantile([sent for sent, _ in decisions], 0.5) * 1000, 1),
        "acknowledged_to_client_ms_p50": round(quantile([known for _, known in decisions], 0.5) * 1000, 1),
    }


async def _beside(port: int, idle: int, request: bytes, seconds: float) -> float:
    """The p50 of other traffic at one connection, as a multiple of that of the gateway that holds nothing."""
    ratios = []
    for _ in range(ROUNDS):
        ours, theirs = [await load.drive(each, request, 1, seconds) for each in (port, idle)]
        ratios.append(ours.p50 / theirs.p50)
    return statistics.median(ratios)


def _asking(text: str, *, stream: bool = False) -> bytes:
    extra = {"stream": True} if stream else {}
    return echo.sized(
        lambda filler: {"model": "echo-1", **extra, "messages": [{"role": "user", "content": f"{text} {filler}"}]}, 1
    )


async def _hold(run: _Run, port: int, count: int) -> None:
    turn = asyncio.Semaphore(OPENED_TOGETHER)
    loop = asyncio.get_running_loop()

    async def one() -> None:
        async with turn:
            while True:
                transport, client = await loop.create_connection(lambda: _Held(run), HOST, port)
                try:
                    await client.held
                except _ForNow:
                    run.again += 1
                    transport.close()
                    await asyncio.sleep(RETRY_S)
                else:
                    return

    await asyncio.gather(*(one() for _ in range(count)))


async def _decide(stack: Stack, run: _Run, count: int) -> list[tuple[float, float]]:
    """Seconds until the client has its answer, from sending the decision and from its acknowledgement."""
    headers = {"authorization": f"Bearer {stack.token('reviewer')}"}
    url = str(stack.info["api_url"])
    found = []
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as reviewer:
        for escalation_id, client in list(run.open.items())[:count]:
            claimed = await reviewer.post(f"/v1/escalations/{escalation_id}/claim")
            assert claimed.status_code == 200, claimed.text
            sent = time.perf_counter()
            done = await reviewer.post(f"/v1/escalations/{escalation_id}/resolve", json={"resolution": "allow"})
            known = time.perf_counter()
            assert done.status_code == 200, done.text
            async with asyncio.timeout(30):
                arrived = await client.done
            found.append((arrived - sent, arrived - known))
    return found


def checks(found: Mapping[str, float]) -> list[Check]:
    return [
        at_most("memory of a held request", found["memory_kb_each"], MEMORY_KB, "KB"),
        at_most("p50 of other traffic moved by", round(100 * found["other_p50_moved"], 1), 100 * MOVED_SHARE, "%"),
        at_most("from decision to client, p50", found["decision_to_client_ms_p50"], DECISION_MS, "ms"),
    ]
