"""The main job against a bare Temporal workflow, side by side on one server in one run.

    python -m bench.lifecycle [--lifecycles N] [--together N] [--rounds N]

Ours: a request is held by the gateway, claimed and resolved over HTTP, and its client has the released answer; ledger,
vault and projection are durable at each step. Bare: start, two updates, two activities that do nothing. The rounds of
the two alternate, so that a machine whose speed drifts slows both. Every figure that matters is a ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from temporalio.client import Client

from bench.bare import QUEUE, Bare
from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack, running_stack

RATE_FLOOR = 0.5
CLAIM_CEILING = 2.0
PATIENCE_S = 30.0


async def bare_lifecycle(client: Client) -> dict[str, float]:
    """One bare workflow; the seconds of its first update."""
    handle = await client.start_workflow(Bare.run, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE)
    started = time.perf_counter()
    await handle.execute_update(Bare.advance, "claim")
    claimed = time.perf_counter()
    await handle.execute_update(Bare.advance, "resolve")
    await handle.result()
    return {"claim": claimed - started}


async def our_lifecycle(gateway: httpx.AsyncClient, reviewer: httpx.AsyncClient) -> dict[str, float]:
    """One held, claimed, resolved and released answer; the seconds of its claim over HTTP."""
    asked = {
        "model": "gpt-4o-mini",
        "stream": True,
        "messages": [{"role": "user", "content": f"{uuid.uuid4()} {LEGAL} ANSWER: You may terminate."}],
    }
    async with gateway.stream("POST", "/v1/chat/completions", json=asked) as answer:
        held = answer.headers["x-escalation-id"]
        claimed = await _claim(reviewer, held)
        done = await reviewer.post(f"/v1/escalations/{held}/resolve", json={"resolution": "allow"})
        assert done.status_code == 200, done.text
        text = b"".join([piece async for piece in answer.aiter_raw()])
    assert b"[DONE]" in text
    assert b"terminate" in text
    return {"claim": claimed}


async def _claim(reviewer: httpx.AsyncClient, held: str) -> float:
    """The seconds of the claim that succeeds: a case is claimable as soon as it is in the queue."""
    deadline = time.perf_counter() + PATIENCE_S
    while time.perf_counter() < deadline:
        started = time.perf_counter()
        answer = await reviewer.post(f"/v1/escalations/{held}/claim")
        if answer.status_code == 200:
            return time.perf_counter() - started
        assert answer.status_code == 404, answer.text
        await asyncio.sleep(0.005)
    raise AssertionError(f"{held} never appeared in the queue")


async def rate(work: Callable[[], Awaitable[dict[str, float]]], count: int, together: int) -> tuple[float, list[float]]:
    """(lifecycles per second, seconds of each claim) with so many under way at a time."""
    turn = asyncio.Semaphore(together)

    async def one() -> float:
        async with turn:
            return (await work())["claim"]

    started = time.perf_counter()
    claims = await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - started), list(claims)


async def compare(stack: Stack, count: int, together: int, rounds: int) -> dict[str, object]:
    client = await Client.connect(stack.info["temporal_address"])
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    headers = {"authorization": f"Bearer {stack.token('reviewer')}"}
    async with (
        httpx.AsyncClient(base_url=stack.info["gateway_url"], timeout=60, limits=limits, trust_env=False) as gateway,
        httpx.AsyncClient(
            base_url=stack.info["api_url"], headers=headers, timeout=60, limits=limits, trust_env=False
        ) as reviewer,
    ):
        ours: list[float] = []
        bare: list[float] = []
        our_claims: list[float] = []
        bare_claims: list[float] = []
        for warm_up in (True, *([False] * rounds)):
            our_rate, _ = await rate(lambda: our_lifecycle(gateway, reviewer), count, together)
            bare_rate, _ = await rate(lambda: bare_lifecycle(client), count, together)
            if not warm_up:
                ours.append(our_rate)
                bare.append(bare_rate)
        for _ in range(rounds * 10):
            our_claims.append((await our_lifecycle(gateway, reviewer))["claim"])
            bare_claims.append((await bare_lifecycle(client))["claim"])
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    return {
        "ours_per_s": [round(x, 1) for x in ours],
        "bare_per_s": [round(x, 1) for x in bare],
        "rate_ratio_median": round(statistics.median(ratios), 2),
        "rate_ratios": [round(x, 2) for x in ratios],
        "claim_ms_p50": round(1000 * statistics.median(our_claims), 1),
        "bare_update_ms_p50": round(1000 * statistics.median(bare_claims), 1),
        "claim_ratio_of_medians": round(statistics.median(our_claims) / statistics.median(bare_claims), 2),
    }


def measure(count: int, together: int, rounds: int) -> dict[str, object]:
    """A stack and a bare worker of their own, compared."""
    with (
        tempfile.TemporaryDirectory() as directory,
        FakeModel().running() as model,
        running_stack(Path(directory), "--upstream", model.url) as stack,
    ):
        command = [sys.executable, "-m", "bench.bare", stack.info["temporal_address"]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            try:
                return asyncio.run(compare(stack, count, together, rounds))
            finally:
                worker.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lifecycles", type=int, default=60)
    parser.add_argument("--together", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    found = measure(chosen.lifecycles, chosen.together, chosen.rounds)
    print(json.dumps(found, indent=2))
    met = (
        float(str(found["rate_ratio_median"])) >= RATE_FLOOR
        and float(str(found["claim_ratio_of_medians"])) <= CLAIM_CEILING
    )
    print(
        f"floor {RATE_FLOOR} of the bare rate, ceiling {CLAIM_CEILING} of a bare update: {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
