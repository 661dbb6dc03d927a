"""HTTP as it comes in from strangers: slow headers, endless headers and nonsense cost little and end in a clear answer.

uvicorn's own protocol waits for the first request of a connection as long as the client likes, and says `Invalid HTTP
request received.` as plain text to what it cannot read.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_BYTES = 64 * 1024


class GuardedProtocol(HttpToolsProtocol):
    """Headers come within a time and a size. `refusal` is the body of a 400, in the words of the API that serves."""

    refusal = b'{"error":{"message":"this is not HTTP that can be read","type":"invalid_request_error","param":null,"code":"malformed_http"}}'  # noqa: E501
    refusal_type = b"application/json"
    headers_within_s = 15.0

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_are_there()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        if self._deadline is None:
            self._expect_headers()

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
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
