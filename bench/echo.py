"""A model that answers as fast as it can: one fixed completion per size, whole or as a stream, over bare sockets.

    python -m bench.echo

Prints its port. A request for the model `echo-4` is answered with a completion of 4 KB. A stream sends its first chunk
at once and the others a moment later, so that the delay of the first can be told from that of the whole.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import uvloop

SIZES_KB = (1, 4, 16, 64)
REST_AFTER_S = 0.002
_MODEL = re.compile(rb'"model": ?"echo-(\d+)"')
_STREAM = re.compile(rb'"stream": ?true')
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)
_PROSE = (
    "The museum opens at nine and the gardens an hour later. The railway reached the valley in 1873, and the "
    "old station house now holds 214 photographs of bridges, tunnels and snow ploughs. Visitors walk along "
    "the river, where herons and kingfishers nest in spring. The tower has 96 steps, and on a clear day the "
    "coast is seen 40 km away. "
)


def prose(length: int) -> str:
    """Text of that length in which no policy sees anything, with a few numbers, as answers have them."""
    return (_PROSE * (length // len(_PROSE) + 1))[:length]


def completion(size_kb: int) -> bytes:
    """A completion of exactly that size."""
    return sized(lambda text: _completion(size_kb, {"role": "assistant", "content": text}), size_kb)


def sized(document: Callable[[str], object], size_kb: int) -> bytes:
    """The JSON document that `document` makes around a text, with a text that brings it to that size."""

    bare = len(json.dumps(document("")))
    written = json.dumps(document(prose(size_kb * 1024 - bare))).encode()
    assert len(written) == size_kb * 1024
    return written


def _completion(size_kb: int, message: dict[str, str]) -> dict[str, object]:
    return {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion",
        "created": 1741570283,
        "model": f"echo-{size_kb}",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 190, "completion_tokens": 180, "total_tokens": 370},
        "service_tier": "default",
        "system_fingerprint": "fp_fc9f1d7035",
    }


def _whole(size_kb: int) -> bytes:
    body = completion(size_kb)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _stream(size_kb: int) -> tuple[bytes, bytes]:
    """(what is sent at once, what follows)"""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    text = json.loads(completion(size_kb))["choices"][0]["message"]["content"]
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": f"echo-{size_kb}"}
    pieces = [text[start : start + 48] for start in range(0, len(text), 48)]
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    sent = [_framed(b"data: " + json.dumps(chunk).encode() + b"\n\n") for chunk in chunks]
    return head + sent[0], b"".join(sent[1:]) + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_WHOLE = {size: _whole(size) for size in SIZES_KB}
_STREAMS = {size: _stream(size) for size in SIZES_KB}


class _Echo(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < total:
                return
            request, self._received = self._received[:total], self._received[total:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        named = _MODEL.search(request)
        size_kb = int(named[1]) if named else 1
        if not _STREAM.search(request):
            self._transport.write(_WHOLE[size_kb])
            return
        first, rest = _STREAMS[size_kb]
        self._transport.write(first)
        asyncio.get_running_loop().call_later(REST_AFTER_S, self._transport.write, rest)


@contextmanager
def running() -> Iterator[int]:
    """A process of its own; gives its port."""
    with subprocess.Popen([sys.executable, "-m", "bench.echo"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
