"""HTTP from strangers, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from runtime.http_protocol import GuardedProtocol
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
