"""HTTP as it comes in from strangers: slow headers, endless headers and nonsense cost little and end in a clear answer.

uvicorn's own protocol waits for the first request of a connection as long as the client likes, says `Invalid HTTP
request received.` as plain text to what it cannot read, and wakes the client for the head of an answer and again for
its body.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_BYTES = 64 * 1024
MOST_GATHERED_BYTES = 64 * 1024


class GatheringTransport:
    """What is written in one turn of the event loop leaves together, at the end of that turn at the latest."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0
        self._leaves: asyncio.Handle | None = None
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._gathered.append(data)
        self._size += len(data)
        if self._size > MOST_GATHERED_BYTES:
            self.flush()
        elif self._leaves is None:
            self._leaves = self._loop.call_soon(self.flush)

    def flush(self) -> None:
        if self._leaves is not None:
            self._leaves.cancel()
            self._leaves = None
        gathered, self._gathered, self._size = self._gathered, [], 0
        if gathered and not self.is_closing():
            self._transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def close(self) -> None:
        self.flush()
        self._transport.close()


class GuardedProtocol(HttpToolsProtocol):
    """Headers come within a time and a size. `refusal` is the body of a 400, in the words of the API that serves."""

    refusal = b'{"error":{"message":"this is not HTTP that can be read","type":"invalid_request_error","param":null,"code":"malformed_http"}}'  # noqa: E501
    refusal_type = b"application/json"
    headers_within_s = 15.0

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport: GatheringTransport = GatheringTransport(transport, self.loop)  # type: ignore[assignment]
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_headers and self._deadline is None:
            self._expect_headers()

    def on_response_complete(self) -> None:
        self.transport.flush()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_are_there()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._in_headers = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MOST_HEADER_BYTES:
            self.send_400_response("")
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._headers_are_there()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        del msg
        if self.transport.is_closing():
            return
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (self.refusal_type, len(self.refusal)) + self.refusal)
        self.transport.close()

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self.headers_within_s, self.transport.close)

    def _headers_are_there(self) -> None:
        self._in_headers = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
