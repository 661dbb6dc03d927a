"""A stream that is redacted as it goes: nothing that is found leaves, however the model cut it into chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.windowing import WINDOW, Leaked, windowed
from policies.canaries import canary_of
from policies.chain import Chain
from policies.config import PolicyConfig

CARD = "4111 1111 1111 1111"
TEXT = f"Your card {CARD} is on file, and you are welcome to call us. " + "Nothing else is known. " * 30


@pytest.fixture
def chain() -> Chain:
    config = {"policies": {"chain": ["pii-detector", "audit-logger"]}, "policy": {"pii-detector": {"pci_mode": True}}}
    return Chain(PolicyConfig.model_validate(config))


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": {"content": ["x"]}}
    return b"data: " + json.dumps({**body, "choices": [choice]}).encode() + b"\n\n"


async def streamed(text: str, size: int, *, finish: bool = True, wire: int = 37) -> AsyncGenerator[bytes, None]:
    raw = b"".join(chunk({"content": text[start : start + size]}) for start in range(0, len(text), size))
    raw += (chunk({}, "stop") if finish else b"") + b"data: [DONE]\n\n"
    for start in range(0, len(raw), wire):
        yield raw[start : start + wire]


async def text_of(pieces: AsyncGenerator[bytes, None]) -> tuple[str, list[dict[str, Any]]]:
    raw = b"".join([piece async for piece in pieces]).decode()
    assert raw.endswith("data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in raw.split("\n\n") if line.startswith("data: {")]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks), chunks


@pytest.mark.parametrize("size", [1, 3, 7, 50, 5000])
async def test_a_card_number_never_leaves_however_it_is_cut(chain: Chain, size: int) -> None:
    told, _ = await text_of(windowed(streamed(TEXT, size), chain))
    assert "1111 1111" not in told
    assert told == TEXT.replace(CARD, "[CREDIT_CARD]")


async def test_text_leaves_before_the_stream_is_over(chain: Chain) -> None:
    _, chunks = await text_of(windowed(streamed("word " * 200, 20), chain))
    early = [c for c in chunks[:-1] if c["choices"][0]["delta"].get("content")]
    assert len(early) > 10


async def test_a_stream_without_a_finish_reason_loses_nothing(chain: Chain) -> None:
    told, _ = await text_of(windowed(streamed("x" * (WINDOW * 2), 10, finish=False), chain))
    assert told == "x" * (WINDOW * 2)


async def test_log_probabilities_would_tell_the_tokens_and_are_dropped(chain: Chain) -> None:
    _, chunks = await text_of(windowed(streamed("hello", 5), chain))
    assert {c["choices"][0]["logprobs"] for c in chunks} == {None}


async def test_a_canary_in_tool_arguments_ends_the_stream_however_it_is_written() -> None:
    watched = {"policies": {"chain": ["prompt-injection"]}, "policy": {"prompt-injection": {"canary": True}}}
    word = canary_of("app", b"k" * 32)
    arguments = json.dumps({"note": "canary"}).replace("canary", "".join(f"\\u{ord(letter):04x}" for letter in word))

    async def pieces() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(arguments), 4):
            call = {"index": 0, "function": {"arguments": arguments[start : start + 4]}}
            yield chunk({"tool_calls": [call]})
        yield chunk({}, "tool_calls") + b"data: [DONE]\n\n"

    with pytest.raises(Leaked):
        await text_of(windowed(pieces(), Chain(PolicyConfig.model_validate(watched)), word))


async def test_arguments_of_tool_calls_are_redacted_too(chain: Chain) -> None:
    arguments = json.dumps({"note": f"card {CARD}"})

    async def pieces() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(arguments), 4):
            call = {"index": 0, "function": {"arguments": arguments[start : start + 4]}}
            yield chunk({"tool_calls": [call]})
        yield chunk({}, "tool_calls")
        yield b"data: [DONE]\n\n"

    _, chunks = await text_of(windowed(pieces(), chain))
    deltas = [call for c in chunks for call in c["choices"][0]["delta"].get("tool_calls") or ()]
    assert "".join(call["function"]["arguments"] for call in deltas) == '{"note": "card [CREDIT_CARD]"}'


async def test_what_cannot_be_read_ends_the_stream(chain: Chain) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"data: {broken\n\n" + chunk({"content": "secret"})

    assert b"".join([piece async for piece in windowed(pieces(), chain)]) == b""


@pytest.mark.parametrize("member", ["reasoning", "content", "anything_new"])
async def test_every_member_that_is_text_is_redacted(chain: Chain, member: str) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for part in ("my card 4111 1111 ", "1111 1111 is"):
            yield chunk({member: part})
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"

    _, chunks = await text_of(windowed(pieces(), chain))
    assert "".join(c["choices"][0]["delta"].get(member) or "" for c in chunks) == "my card [CREDIT_CARD] is"


async def test_members_of_a_shape_that_nobody_can_look_at_do_not_pass(chain: Chain) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield chunk({"role": "assistant", "audio": {"transcript": f"card {CARD}"}, "parts": [CARD]})
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"

    raw = b"".join([piece async for piece in windowed(pieces(), chain)])
    assert b"1111" not in raw
    assert b'"role":"assistant"' in raw


async def test_old_function_calls_are_redacted_too(chain: Chain) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield chunk({"function_call": {"name": "send", "arguments": '{"to": "4111 1111 '}})
        yield chunk({"function_call": {"arguments": '1111 1111"}'}})
        yield chunk({}, "function_call")
        yield b"data: [DONE]\n\n"

    _, chunks = await text_of(windowed(pieces(), chain))
    calls = [c["choices"][0]["delta"].get("function_call") or {} for c in chunks]
    assert "".join(call.get("arguments", "") for call in calls) == '{"to": "[CREDIT_CARD]"}'
    assert calls[0]["name"] == "send"
