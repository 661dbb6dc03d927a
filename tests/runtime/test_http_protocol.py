"""HTTP from strangers, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from runtime.http_protocol import MOST_GATHERED_BYTES, GatheringTransport, GuardedProtocol
from runtime.serving import Server, take_port


class Hasty(GuardedProtocol):
    headers_within_s = 0.2


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"read": len(await request.body())})


@asynccontextmanager
async def serving(protocol: type[GuardedProtocol] = GuardedProtocol) -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", hello, methods=["GET", "POST"])])
    listener = take_port("127.0.0.1", 0)
    started = asyncio.Event()
    config = uvicorn.Config(app, log_config=None, lifespan="off", http=protocol, ws="none")
    server = Server(config, started.set)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    await started.wait()
    yield listener.getsockname()[1]
    server.should_exit = True
    await running
    listener.close()


async def answer(port: int, raw: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    await writer.drain()
    told = await reader.read()
    writer.close()
    await writer.wait_closed()
    return told


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ],
    ids=["nonsense", "both lengths", "two lengths", "negative length"],
)
async def test_what_is_not_http_is_a_400_in_the_envelope(raw: bytes) -> None:
    async with serving() as port:
        told = await answer(port, raw)
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["code"] == "malformed_http"


async def test_endless_headers_are_refused() -> None:
    async with serving() as port:
        told = await answer(port, b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"y" * 200_000 + b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400")


async def test_a_client_that_drips_its_headers_is_cut_off() -> None:
    async with serving(Hasty) as port:
        assert await answer(port, b"GET / HTTP/1.1\r\nhost: x\r\nx-never: ends") == b""


async def test_a_client_that_says_nothing_is_cut_off() -> None:
    async with serving(Hasty) as port:
        assert await answer(port, b"") == b""


async def test_a_long_request_is_not_cut_off_by_the_deadline_of_its_headers() -> None:
    async with serving(Hasty) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\na")
        silent = asyncio.create_task(reader.read(1))
        done, _ = await asyncio.wait({silent}, timeout=0.5)
        assert not done, "the body may take its time"
        writer.write(b"b")
        assert (await silent + await reader.read()).endswith(b'{"read":2}')
        writer.close()
        await writer.wait_closed()


class Written:
    """A transport that keeps what it was told to send, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


def gathering(written: Written) -> GatheringTransport:
    return GatheringTransport(cast(asyncio.Transport, written), asyncio.get_running_loop())


async def test_head_and_body_of_an_answer_leave_in_one_write() -> None:
    written = Written()
    transport = gathering(written)
    transport.write(b"head ")
    transport.write(b"body")
    transport.flush()
    assert written.pieces == [b"head body"]


async def test_the_head_of_a_stream_does_not_wait_for_its_body() -> None:
    written = Written()
    gathering(written).write(b"head")
    await asyncio.sleep(0)
    assert written.pieces == [b"head"]


async def test_what_was_written_leaves_before_the_connection_closes() -> None:
    written = Written()
    transport = gathering(written)
    transport.write(b"last words")
    transport.close()
    assert (written.pieces, written.closing) == ([b"last words"], True)


async def test_much_that_is_written_in_one_turn_does_not_pile_up() -> None:
    written = Written()
    gathering(written).write(b"x" * (MOST_GATHERED_BYTES + 1))
    assert len(written.pieces) == 1


async def test_a_client_that_is_gone_is_written_nothing() -> None:
    written = Written()
    transport = gathering(written)
    transport.write(b"too late")
    written.closing = True
    await asyncio.sleep(0)
    assert not written.pieces
