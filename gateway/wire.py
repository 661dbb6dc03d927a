"""POST over kept HTTP/1.1 connections.

A general client spends most of a short call on what such a call never uses: redirects, cookies, traces.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import aiohappyeyeballs
from aiohttp import BasicAuth
from yarl import URL

from gateway.connection import Connection, Reply
from gateway.inflating import NotConnected, WireError, inflated

KEPT_S = 15.0
INLINE_BYTES = 8 * 1024
"""What is compressed and larger is decompressed beside the event loop: it may be a thousand times that inside."""
_UNSAFE = re.compile(r"[\r\n\0]")
_Origin = tuple[str, int, bool]


@dataclass(frozen=True, slots=True)
class _Place:
    origin: _Origin
    head: bytes
    authorization: str | None


class Wire:
    """The connections of one process to all models."""

    def __init__(self) -> None:
        self._idle: dict[_Origin, list[Connection]] = {}
        self._places: dict[str, _Place] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, connect_timeout_s: float
    ) -> Reply:
        """Raises WireError or TimeoutError."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_s
        place = self._places.get(url) or self._place(url)
        request = _request(place, headers, body, "gzip, deflate")
        connection = await self._connection(place.origin, min(timeout_s, connect_timeout_s))
        reply = await connection.ask(request, ends - loop.time())
        self._keep(place.origin, connection)
        encoding = reply.headers.get("content-encoding", "identity").strip().lower()
        if encoding == "identity":
            return reply
        if len(reply.body) <= INLINE_BYTES:
            whole = inflated(encoding, reply.body)
        else:
            whole = await asyncio.to_thread(inflated, encoding, reply.body)
        return Reply(reply.status, reply.headers, whole)

    async def stream(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, connect_timeout_s: float
    ) -> tuple[Reply, AsyncGenerator[bytes, None]]:
        """The head of an answer and its body as it comes, `timeout_s` in all; the caller closes what it does not read.

        Nothing is compressed: what is would have to be collected before a first piece of it can be read. Raises
        WireError or TimeoutError, also while the body comes.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_s
        place = self._places.get(url) or self._place(url)
        request = _request(place, headers, body, "identity")
        connection = await self._connection(place.origin, min(timeout_s, connect_timeout_s))
        head = await connection.begin(request, ends - loop.time())
        return head, self._streamed(place.origin, connection, head)

    async def _streamed(self, origin: _Origin, connection: Connection, head: Reply) -> AsyncGenerator[bytes, None]:
        if head.headers.get("content-encoding", "identity").strip().lower() != "identity":
            connection.abort()
            raise WireError("an encoding that was not asked for")
        async with aclosing(connection.pieces()) as pieces:
            async for piece in pieces:
                yield piece
        self._keep(origin, connection)

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()

    def _place(self, url: str) -> _Place:
        read = URL(url)
        assert read.raw_host is not None
        assert read.port is not None
        head = (
            f"POST {read.raw_path_qs} HTTP/1.1\r\nhost: {read.host_port_subcomponent}\r\naccept: */*\r\n"
            "user-agent: keeptrusts\r\n"
        )
        given = BasicAuth(read.user, read.password or "").encode() if read.user else None
        place = _Place((read.raw_host, read.port, read.scheme == "https"), head.encode("ascii"), given)
        self._places[url] = place
        return place

    async def _connection(self, origin: _Origin, within_s: float) -> Connection:
        return self._kept(origin) or await self._connect(origin, within_s)

    def _kept(self, origin: _Origin) -> Connection | None:
        idle, now = self._idle.get(origin), asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.idle_since < KEPT_S:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: _Origin, connection: Connection) -> None:
        if not connection.usable:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeping is None:
            self._sweeping = loop.call_later(KEPT_S, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for origin, idle in list(self._idle.items()):
            kept = [each for each in idle if each.usable and loop.time() - each.idle_since < KEPT_S]
            for connection in set(idle) - set(kept):
                connection.abort()
            self._idle[origin] = kept
        self._idle = {origin: kept for origin, kept in self._idle.items() if kept}
        self._sweeping = loop.call_later(KEPT_S, self._sweep) if self._idle else None

    async def _connect(self, origin: _Origin, within_s: float) -> Connection:
        host, port, tls = origin
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within_s):
            try:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                taken = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=0.25, interleave=1)
                _, connection = await loop.create_connection(
                    Connection,
                    sock=taken,
                    ssl=self._context() if tls else None,
                    server_hostname=host if tls else None,
                )
            except (OSError, UnicodeError) as fault:
                raise NotConnected(type(fault).__name__) from None
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _request(place: _Place, headers: Mapping[str, str], body: bytes, encodings: str) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if not _UNSAFE.search(value)]
    if len(lines) != len(headers):
        raise ValueError("a header has a line break")
    if place.authorization is not None and "authorization" not in headers:
        lines.append(f"authorization: {place.authorization}\r\n")
    lines.append(f"accept-encoding: {encodings}\r\n")
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (place.head, "".join(lines).encode(), len(body), body)
