"""The client of models over kept connections: what it takes, what it refuses, and when a connection is used again."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.connection import MOST_AHEAD_BYTES, MOST_HEAD_BYTES, Reply
from gateway.inflating import NotConnected, TooLarge, WireError
from gateway.wire import Wire

BODY = b'{"choices": []}'
HEAD = b"HTTP/1.1 200 OK\r\nX-Kind: first\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Model:
    """Answers each request with the next of what it was given; None is silence. Then it does as it was told."""

    def __init__(self, answers: list[bytes | None], *, closes: bool) -> None:
        self.answers = answers
        self.closes = closes
        self.connections = 0
        self.requests: list[bytes] = []
        self.lost = asyncio.Event()

    def write(self, more: bytes) -> None:
        self._writer.write(more)

    def unsent(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is not None:
                    writer.write(answer)
                    if self.closes:
                        return
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            writer.close()


def self_signed(directory: Path) -> Path:
    """A key and a certificate for localhost, which no authority has signed, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / "localhost.pem"
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return file


Post = Callable[..., Awaitable[Reply]]
Stream = Callable[..., Awaitable[tuple[Reply, AsyncGenerator[bytes, None]]]]


@asynccontextmanager
async def calling(*answers: bytes | None, closes: bool = False) -> AsyncIterator[tuple[Model, Wire, str]]:
    served, wire = Model(list(answers), closes=closes), Wire()
    server = await asyncio.start_server(served, "127.0.0.1", 0)
    try:
        yield served, wire, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat"
    finally:
        await wire.close()
        server.close()


@asynccontextmanager
async def model(*answers: bytes | None, closes: bool = False) -> AsyncIterator[tuple[Model, Post]]:
    async with calling(*answers, closes=closes) as (served, wire, url):

        async def post(timeout_s: float = 30, headers: dict[str, str] | None = None) -> Reply:
            return await wire.post(url, headers or {}, b"{}", timeout_s=timeout_s, connect_timeout_s=5)

        yield served, post


@asynccontextmanager
async def streaming(*answers: bytes | None, closes: bool = False) -> AsyncIterator[tuple[Model, Stream]]:
    async with calling(*answers, closes=closes) as (served, wire, url):

        async def stream(timeout_s: float = 30) -> tuple[Reply, AsyncGenerator[bytes, None]]:
            return await wire.stream(url, {}, b"{}", timeout_s=timeout_s, connect_timeout_s=5)

        yield served, stream


async def test_a_connection_is_used_again_after_a_whole_answer() -> None:
    async with model(WHOLE, WHOLE) as (served, post):
        for _ in range(2):
            reply = await post(headers={"authorization": "Bearer s"})
            assert (reply.status, reply.headers["x-kind"], reply.body) == (200, "first", BODY)
        assert served.connections == 1
    assert served.requests[0].startswith(b"POST /v1/chat HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"authorization: Bearer s\r\n" in served.requests[0]
    assert served.requests[0].endswith(b"content-length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE.replace(b"X-Kind: first", b"connection: close"),
        WHOLE + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        WHOLE + b"more",
    ],
    ids=["says close", "a second answer", "bytes behind it"],
)
async def test_a_connection_on_which_anything_odd_happened_is_not_used_again(answer: bytes) -> None:
    async with model(answer, WHOLE) as (served, post):
        try:
            assert (await post()).body == BODY
        except WireError:
            assert answer.endswith(b"more")
        assert (await post()).body == BODY
        assert served.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n" + BODY[:5] + b"\r\na\r\n" + BODY[5:] + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nX-Kind: none\r\n\r\n" + WHOLE,
        HEAD
        + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b"
        % (len(gzip.compress(BODY, mtime=0)), gzip.compress(BODY, mtime=0)),
        HEAD
        + b"content-encoding: deflate\r\ncontent-length: %d\r\n\r\n%b"
        % (len(zlib.compress(BODY)), zlib.compress(BODY)),
    ],
    ids=["chunked", "after a 100", "gzip", "deflate"],
)
async def test_an_answer_is_read_however_it_is_framed(answer: bytes) -> None:
    async with model(answer, answer) as (served, post):
        for _ in range(2):
            reply = await post()
            assert (reply.status, reply.headers.get("x-kind"), reply.body) == (200, "first", BODY)
        assert served.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with model(HEAD + b"\r\n" + BODY, closes=True) as (_, post):
        assert (await post()).body == BODY


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", WireError),
        (b"nonsense\r\n\r\n", WireError),
        (HEAD, WireError),
        (HEAD + b"content-length: 99\r\n\r\n" + BODY, WireError),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n" + BODY[:5], WireError),
        (HEAD + b"content-length: 15\r\ntransfer-encoding: chunked\r\n\r\n", WireError),
        (b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", WireError),
        (HEAD + b"x: " + b"y" * (2 * MOST_HEAD_BYTES), WireError),
        (HEAD + b"content-encoding: br\r\ncontent-length: 1\r\n\r\nx", WireError),
        (HEAD + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope", WireError),
        (HEAD + b"content-length: 17000000\r\n\r\n", TooLarge),
    ],
    ids=[
        *("nothing", "nonsense", "half a head", "cut", "cut chunks", "two lengths", "upgrade", "endless head"),
        *("brotli", "no gzip", "too large"),
    ],
)
async def test_what_is_no_answer_is_an_error(answer: bytes, fault: type[Exception]) -> None:
    async with model(answer, closes=True) as (_, post):
        with pytest.raises(fault):
            await post()


async def test_silence_ends_with_the_deadline_and_so_does_the_connection() -> None:
    async with model(None, WHOLE) as (served, post):
        with pytest.raises(TimeoutError):
            await post(0.05)
        await asyncio.wait_for(served.lost.wait(), 5)
        assert (await post()).body == BODY


async def test_a_call_that_is_cancelled_closes_its_connection() -> None:
    async with model(None) as (served, post):
        asking: asyncio.Future[Any] = asyncio.ensure_future(post())
        while not served.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait_for(served.lost.wait(), 5)


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    async with model(WHOLE, WHOLE, closes=True) as (served, post):
        for _ in range(2):
            assert (await post()).body == BODY
            await asyncio.sleep(0.05)
        assert served.connections == 2


async def test_where_nobody_listens_nothing_was_asked() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(NotConnected):
        await Wire().post(f"http://127.0.0.1:{port}/v1", {}, b"", timeout_s=5, connect_timeout_s=5)


async def test_a_server_that_does_not_speak_tls_is_no_connection() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE)
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotConnected):
            await Wire().post(f"https://127.0.0.1:{port}/v1", {}, b"", timeout_s=5, connect_timeout_s=5)


async def test_a_server_whose_certificate_nobody_vouches_for_is_no_connection(tmp_path: Path) -> None:
    served = asyncio.Event()

    async def answering(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.set()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    async with await asyncio.start_server(answering, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotConnected):
            await Wire().post(f"https://localhost:{port}/v1", {}, b"", timeout_s=5, connect_timeout_s=5)
    assert not served.is_set()


async def test_a_header_with_a_line_break_is_never_sent() -> None:
    async with model(WHOLE) as (served, post):
        with pytest.raises(ValueError, match="line break"):
            await post(headers={"authorization": "s\r\nx: y"})
        assert served.requests == []


async def test_a_stream_is_there_before_it_ends_and_its_connection_is_used_again() -> None:
    begun = HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    async with streaming(begun, WHOLE) as (served, stream):
        head, pieces = await stream()
        assert (head.status, head.headers["x-kind"], head.body) == (200, "first", b"")
        assert await anext(pieces) == b"first"
        served.write(b"4\r\nlast\r\n0\r\n\r\n")
        assert [piece async for piece in pieces] == [b"last"]
        _, again = await stream()
        assert b"".join([piece async for piece in again]) == BODY
        assert served.connections == 1
    assert b"accept-encoding: identity\r\n" in served.requests[0]


async def test_a_stream_that_is_left_closes_its_connection() -> None:
    async with streaming(HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n", WHOLE) as (served, stream):
        _, pieces = await stream()
        await anext(pieces)
        await pieces.aclose()
        await asyncio.wait_for(served.lost.wait(), 5)
        _, again = await stream()
        assert [piece async for piece in again] == [BODY]


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"content-length: 99\r\n\r\nfirst",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\nnonsense\r\n",
    ],
    ids=["cut", "cut chunks", "nonsense"],
)
async def test_a_stream_that_breaks_is_told_after_what_came(answer: bytes) -> None:
    async with streaming(answer, closes=True) as (_, stream):
        _, pieces = await stream()
        assert await anext(pieces) == b"first"
        with pytest.raises(WireError):
            await anext(pieces)


async def test_a_stream_has_one_deadline_from_its_request_to_its_end() -> None:
    async with streaming(HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n") as (served, stream):
        _, pieces = await stream(0.2)
        assert await anext(pieces) == b"first"
        with pytest.raises(TimeoutError):
            await anext(pieces)
        await asyncio.wait_for(served.lost.wait(), 5)


async def test_a_stream_that_is_compressed_all_the_same_is_refused() -> None:
    body = gzip.compress(BODY, mtime=0)
    answer = HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    async with streaming(answer) as (served, stream):
        _, pieces = await stream()
        with pytest.raises(WireError, match="encoding"):
            await anext(pieces)
        await asyncio.wait_for(served.lost.wait(), 5)


async def test_a_model_that_is_faster_than_its_reader_has_to_wait() -> None:
    size = 64 * MOST_AHEAD_BYTES
    async with streaming(HEAD + b"content-length: %d\r\n\r\n" % size) as (served, stream):
        _, pieces = await stream()
        served.write(bytes(size))
        read = len(await anext(pieces))
        before = size
        while served.unsent() != before:
            before = served.unsent()
            await asyncio.sleep(0.05)
        assert before > size / 2
        async for piece in pieces:
            read += len(piece)
        assert read == size


async def test_a_connection_whose_reader_was_late_takes_the_next_answer_too() -> None:
    body = bytes(MOST_AHEAD_BYTES + 1000)
    async with streaming(HEAD + b"content-length: %d\r\n\r\n%b" % (len(body), body), WHOLE) as (served, stream):
        _, pieces = await stream()
        before = -1
        while served.unsent() != before or before:
            before = served.unsent()
            await asyncio.sleep(0.05)
        assert b"".join([piece async for piece in pieces]) == body
        _, again = await stream()
        assert b"".join([piece async for piece in again]) == BODY
        assert served.connections == 1
