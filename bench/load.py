"""Load over bare sockets: so many keep-alive connections, each sending its next request when it has its answer.

A client library would cost more than the gateway that it measures. Every answer must be a 200 with the expected end;
anything else fails the measurement.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

HOST = "127.0.0.1"
PATIENCE_S = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one measurement found. Times are seconds: of whole answers, and until the first byte of their bodies."""

    rate: float
    whole: list[float]
    first: list[float]

    @property
    def p50(self) -> float:
        return quantile(self.whole, 0.5)

    @property
    def p99(self) -> float:
        return quantile(self.whole, 0.99)


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def post(body: bytes, key: str | None = None, path: str = "/v1/chat/completions") -> bytes:
    """A request as it goes over the wire."""
    bearer = f"authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: bench\r\naccept: application/json\r\n"
        f"{bearer}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(port: int, request: bytes, connections: int, seconds: float, *, warm_up: float = 0.2) -> Cell:
    """Drive a server for that long; what is answered while it warms up does not count."""
    return uvloop.run(drive(port, request, connections, seconds, warm_up=warm_up))


async def drive(port: int, request: bytes, connections: int, seconds: float, *, warm_up: float = 0.2) -> Cell:
    loop = asyncio.get_running_loop()
    run = _Run(request, loop.create_future(), connections)
    clients = [(await loop.create_connection(lambda: _Client(run), HOST, port))[1] for _ in range(connections)]
    gc.collect()
    gc.disable()
    try:
        now = time.perf_counter()
        run.counts_from, run.ends = now + warm_up, now + warm_up + seconds
        for client in clients:
            client.send()
        async with asyncio.timeout(seconds + warm_up + PATIENCE_S):
            await run.done
    finally:
        gc.enable()
    took = run.last - run.counts_from
    return Cell(len(run.whole) / took, run.whole, run.first)


@dataclass(slots=True)
class _Run:
    """What the connections of one measurement share."""

    request: bytes
    done: asyncio.Future[None]
    busy: int
    counts_from: float = 0.0
    ends: float = 0.0
    last: float = 0.0
    whole: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)

    def answered(self, sent: float, first: float, whole: float) -> bool:
        """Note one answer; whether the connection should send another request."""
        if whole >= self.counts_from:
            self.whole.append(whole - sent)
            self.first.append(first - sent)
            self.last = whole
        if whole < self.ends:
            return True
        self.busy -= 1
        if not self.busy and not self.done.done():
            self.done.set_result(None)
        return False

    def failed(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(AssertionError(why))


class _Client(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._received = b""
        self._body = 0
        self._sent = self._first = 0.0
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self) -> None:
        self._received, self._body, self._first = b"", 0, 0.0
        self._sent = time.perf_counter()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._received = self._received + data if self._received else data
        if not self._body:
            self._body = self._received.find(b"\r\n\r\n") + 4
            if self._body < 4:
                self._body = 0
                return
        if not self._first and len(self._received) > self._body:
            self._first = now
        if not self._complete():
            return
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._run.failed(self._received[:400].decode(errors="replace"))
        elif self._run.answered(self._sent, self._first, now):
            self.send()
        else:
            self._finished = True
            self._transport.close()

    def _complete(self) -> bool:
        length = _LENGTH.search(self._received, 0, self._body)
        if length:
            return len(self._received) >= self._body + int(length[1])
        return self._received.endswith(b"0\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._finished:
            self._run.failed(f"the connection ended: {exc}")
