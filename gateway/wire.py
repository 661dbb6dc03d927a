"""POST over kept HTTP/1.1 connections, for answers that are read whole.

A general client spends most of a short call on what such a call never uses: redirects, cookies, traces, streams. What
comes in is not trusted: head and body have largest sizes, also after decompression, a call has a deadline, and a
connection on which anything odd happened is not used again.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import aiohappyeyeballs
import httptools
from aiohttp import BasicAuth
from yarl import URL

from gateway.inflating import LARGEST_ANSWER, NotConnected, TooLarge, WireError, inflated

MOST_HEAD_BYTES = 64 * 1024
KEPT_S = 15.0
INLINE_BYTES = 8 * 1024
"""What is compressed and larger is decompressed beside the event loop: it may be a thousand times that inside."""
_UNSAFE = re.compile(r"[\r\n\0]")
_Origin = tuple[str, int, bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    origin: _Origin
    head: bytes
    authorization: str | None


class _Connection(asyncio.Protocol):
    """One connection: one request at a time. `usable` says whether it may take another."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._keeps = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        return self._keeps and not self._transport.is_closing() and not self._transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes, within_s: float) -> Reply:
        """Raises WireError or TimeoutError; the connection is closed then."""
        self._answer, self._keeps = self._loop.create_future(), False
        self._begin()
        timer = self._loop.call_later(max(0.0, within_s), self._fail, TimeoutError())
        try:
            if self._transport.is_closing():
                raise WireError("closed")
            self._transport.write(request)
            return await self._answer
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()

    def abort(self) -> None:
        self._keeps = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.abort()
            return
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(WireError("this is not HTTP"))
        else:
            if not self._has_head and self._head_bytes > MOST_HEAD_BYTES:
                self._fail(WireError("the head does not end"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is None:
            return
        ends_here = not {"content-length", "transfer-encoding"} & self._headers.keys()
        if exc is None and self._has_head and ends_here:
            self._complete()
        else:
            self._fail(WireError("cut off"))

    def on_message_begin(self) -> None:
        if self._answer is None:
            self.abort()  # nobody asked for a second answer
        else:
            self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "surrogateescape")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._has_head = self._status >= 200
        self._kept = self._parser.should_keep_alive()
        length = self._headers.get("content-length", "")
        if length.isdecimal() and int(length) > LARGEST_ANSWER:
            self._fail(TooLarge())

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > LARGEST_ANSWER:
            self._fail(TooLarge())
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._keeps = self._kept
            self._complete()

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._size = self._head_bytes = self._status = 0
        self._has_head = self._kept = False

    def _complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(Reply(self._status, self._headers, b"".join(self._pieces)))

    def _fail(self, fault: BaseException) -> None:
        answer, self._answer = self._answer, None
        self._pieces = []
        if answer is not None and not answer.done():
            answer.set_exception(fault)
        self.abort()


class Wire:
    """The connections of one process to all models."""

    def __init__(self) -> None:
        self._idle: dict[_Origin, list[_Connection]] = {}
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
        request = _request(place, headers, body)
        connection = self._kept(place.origin)
        if connection is None:
            connection = await self._connect(place.origin, min(timeout_s, connect_timeout_s))
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
            "accept-encoding: gzip, deflate\r\nuser-agent: keeptrusts\r\n"
        )
        given = BasicAuth(read.user, read.password or "").encode() if read.user else None
        place = _Place((read.raw_host, read.port, read.scheme == "https"), head.encode("ascii"), given)
        self._places[url] = place
        return place

    def _kept(self, origin: _Origin) -> _Connection | None:
        idle, now = self._idle.get(origin), asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.idle_since < KEPT_S:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: _Origin, connection: _Connection) -> None:
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

    async def _connect(self, origin: _Origin, within_s: float) -> _Connection:
        host, port, tls = origin
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within_s):
            try:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                taken = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=0.25, interleave=1)
                _, connection = await loop.create_connection(
                    _Connection,
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


def _request(place: _Place, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if not _UNSAFE.search(value)]
    if len(lines) != len(headers):
        raise ValueError("a header has a line break")
    if place.authorization is not None and "authorization" not in headers:
        lines.append(f"authorization: {place.authorization}\r\n")
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (place.head, "".join(lines).encode(), len(body), body)
