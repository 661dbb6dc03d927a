"""One HTTP/1.1 connection to a model: a request at a time, whose answer is read whole or as it comes.

What comes in is not trusted: head and body have largest sizes, a call has a deadline, and a connection on which
anything odd happened is not used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import cast

import httptools

from gateway.inflating import LARGEST_ANSWER, TooLarge, WireError

MOST_HEAD_BYTES = 64 * 1024
MOST_AHEAD_BYTES = 256 * 1024
"""Of a stream: what may wait here for its reader before the model is made to wait."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or of a stream its head with an empty body; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One connection. `usable` says whether it may take another request."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._keeps = self._streams = self._under_way = self._paused = False
        self._more: asyncio.Future[None] | None = None
        self._fault: BaseException | None = None
        self._size = 0
        self.idle_since = 0.0
        self._begin()

    @property
    def usable(self) -> bool:
        return self._keeps and not self._transport.is_closing() and not self._transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes, within_s: float) -> Reply:
        """The whole answer. Raises WireError or TimeoutError; the connection is closed then."""
        try:
            return await self._asked(request, within_s)
        finally:
            self._stop_clock()

    async def begin(self, request: bytes, within_s: float) -> Reply:
        """The head of an answer whose body `pieces` gives. Raises WireError or TimeoutError."""
        self._streams = True
        try:
            return await self._asked(request, within_s)
        except BaseException:
            self._stop_clock()
            raise

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises WireError or TimeoutError; left before its end, the connection is closed."""
        try:
            while True:
                if self._pieces:
                    piece = b"".join(self._pieces)
                    self._pieces.clear()
                    self._size = 0
                    self._go_on()
                    yield piece
                elif self._fault is not None:
                    raise self._fault
                elif not self._under_way:
                    return
                else:
                    self._more = self._loop.create_future()
                    await self._more
        finally:
            self._stop_clock()
            self._streams = False
            self._go_on()
            if self._under_way or self._fault is not None:
                self._under_way = False
                self.abort()

    def abort(self) -> None:
        self._keeps = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._under_way:
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
        if not self._under_way:
            return
        ends_here = not {"content-length", "transfer-encoding"} & self._headers.keys()
        if exc is None and self._has_head and ends_here:
            self._complete()
        else:
            self._fail(WireError("cut off"))

    def on_message_begin(self) -> None:
        if self._under_way:
            self._begin()
        else:
            self.abort()  # nobody asked for a second answer

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "surrogateescape")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._has_head = self._status >= 200
        self._kept = self._parser.should_keep_alive()
        length = self._headers.get("content-length", "")
        if not self._streams and length.isdecimal() and int(length) > LARGEST_ANSWER:
            self._fail(TooLarge())
        elif self._streams and self._has_head:
            self._answered(b"")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._streams:
            self._pieces.append(body)
            if self._size > MOST_AHEAD_BYTES and not self._paused:
                self._paused = True
                self._transport.pause_reading()
            self._wake()
        elif self._size > LARGEST_ANSWER:
            self._fail(TooLarge())
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._keeps = self._kept
            self._complete()

    async def _asked(self, request: bytes, within_s: float) -> Reply:
        self._answer, self._keeps, self._under_way, self._fault = self._loop.create_future(), False, True, None
        self._begin()
        self._timer = self._loop.call_later(max(0.0, within_s), self._fail, TimeoutError())
        try:
            if self._transport.is_closing():
                raise WireError("closed")
            self._transport.write(request)
            return await self._answer
        except BaseException:
            self._under_way = False
            self.abort()
            raise

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._size = self._head_bytes = self._status = 0
        self._has_head = self._kept = False

    def _answered(self, body: bytes) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(Reply(self._status, self._headers, body))

    def _complete(self) -> None:
        self._under_way = False
        if self._streams:
            self._wake()
        else:
            self._answered(b"".join(self._pieces))

    def _fail(self, fault: BaseException) -> None:
        self._under_way, self._fault = False, fault
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(fault)
        self._wake()
        self.abort()

    def _go_on(self) -> None:
        """Read again, also when all is there: the next answer comes by this connection."""
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _wake(self) -> None:
        more, self._more = self._more, None
        if more is not None and not more.done():
            more.set_result(None)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
