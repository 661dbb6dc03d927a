"""Tokens of a stream that passes through."""

from __future__ import annotations

import pytest

from gateway.metering import TokenMeter

CHAT = b'data: {"choices":[{"delta":{"content":"Pa"}}]}\n\ndata: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n\ndata: [DONE]\n\n'  # noqa: E501
MESSAGES = b'data: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\ndata: {"type":"message_delta","usage":{"output_tokens": 7}}\n\n'  # noqa: E501


def metered(stream: bytes, size: int) -> int:
    meter = TokenMeter()
    for start in range(0, len(stream), size):
        meter.read(stream[start : start + size])
    return meter.tokens


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("stream", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_usage_is_read_however_the_stream_is_cut(stream: bytes, size: int) -> None:
    assert metered(stream, size) == 12


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_without_usage_each_event_counts_for_a_token(size: int) -> None:
    assert metered(b'data: {"a":1}\n\ndata: {"a":2}\n\n' * 20, size) == 40


def test_a_model_cannot_pretend_a_usage_in_its_text() -> None:
    assert metered(rb'data: {"choices":[{"delta":{"content":"\"total_tokens\": 1"}}]}' + b"\n\n", 10_000) == 1
