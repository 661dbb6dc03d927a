"""Models that misbehave: the caller gets a correct error in bounded time, and not one word that was to be screened."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support.model import completion
from tests.support.stack import Stack, running_stack, wait_for

SECRET_WORD = "xylophone"
GOOD = json.dumps(completion({"model": "m"}, f"ANSWER: {SECRET_WORD}")).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


async def _silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _drips(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"content-length: 100000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _never_ends(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await writer.drain()


async def _cut(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + f"content-length: {len(GOOD)}\r\n\r\n".encode() + GOOD[:-20])


async def _bomb(writer: asyncio.StreamWriter) -> None:
    body = gzip.compress(b" " * 200_000_000)
    writer.write(HEAD + f"content-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


def _whole(status: str, body: bytes, more: bytes = b"") -> Any:
    async def answer(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n".encode()
        writer.write(head + more + b"\r\n" + body)
        await writer.drain()

    return answer


REFUSED = json.dumps({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}).encode()
BEHAVIOURS: dict[str, tuple[Any, int, str]] = {
    "silent": (_silent, 504, "upstream_timeout"),
    "drips": (_drips, 504, "upstream_timeout"),
    "never-ends": (_never_ends, 502, "upstream_too_large"),
    "cut": (_cut, 502, "upstream_unreachable"),
    "bomb": (_bomb, 502, "upstream_too_large"),
    "hangs-up": (_whole("nonsense", b""), 502, "upstream_unreachable"),
    "500": (_whole("500 Oh", GOOD), 502, "upstream_error"),
    "401": (_whole("401 No", GOOD), 502, "upstream_refused"),
    "429": (_whole("429 Slow", REFUSED, b"retry-after: 7\r\n"), 429, "rate_limit_exceeded"),
    "redirect": (_whole("302 Found", GOOD, b"location: http://127.0.0.1:1/\r\n"), 502, "upstream_refused"),
    "no-json": (_whole("200 OK", SECRET_WORD.encode()), 502, "upstream_invalid"),
    "wrong-json": (_whole("200 OK", json.dumps([SECRET_WORD]).encode()), 502, "upstream_invalid"),
    "wrong-shape": (_whole("200 OK", json.dumps({"choices": [SECRET_WORD]}).encode()), 502, "upstream_invalid"),
    "ten-megabytes": (_whole("200 OK", b" " * 17_000_000 + GOOD), 502, "upstream_too_large"),
}


class Hostile:
    """A server that behaves as the model's name says."""

    def __init__(self) -> None:
        self.port = 0
        self._ready = threading.Event()
        self._answering: set[object] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)

        async def serve() -> None:
            self._stop = asyncio.Event()
            server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()
            server.close()
            answering = asyncio.all_tasks() - {asyncio.current_task()}
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)

        self._loop.run_until_complete(serve())
        self._loop.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answering.add(asyncio.current_task())  # else a silent one is collected while it still waits
        with suppress(ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            request = json.loads(await reader.readexactly(length))
            await BEHAVIOURS[request["model"]][0](writer)
        writer.close()

    def __enter__(self) -> Hostile:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


CONFIG = """
pack: {name: hostile, version: 1.0.0}
providers: {targets: [{id: hostile, base_url: "http://127.0.0.1:PORT", timeout: 3s, retries: 0}]}
policies: {chain: [pii-detector, human-oversight, audit-logger]}
policy: {human-oversight: {require_human_for: [legal_opinions]}}
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("hostile")
    with Hostile() as server:
        config = directory / "policy-config.yaml"
        config.write_text(CONFIG.replace("PORT", str(server.port)))
        with running_stack(directory, "--policy-config", str(config)) as running:
            yield running


def ask(stack: Stack, model: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
    return httpx.post(stack.info["gateway_url"] + "/v1/chat/completions", json=body, timeout=60)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", BEHAVIOURS)
def test_a_model_that_misbehaves_is_a_correct_error(hostile: Stack, model: str, stream: bool) -> None:
    _, status, code = BEHAVIOURS[model]
    answer = ask(hostile, model, stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert SECRET_WORD not in answer.text
    if model == "429":
        assert answer.headers["retry-after"] == "7"


def test_a_failure_of_the_model_is_an_event(hostile: Stack) -> None:
    ask(hostile, "500")

    def told() -> bool:
        [*_, event] = hostile.api("admin").get("/v1/events", params={"limit": 200}).json()["events"] or [{}]
        return (event.get("verdict"), event.get("body", {}).get("upstream")) == ("failed", "upstream_error")

    wait_for(told, "the event")
