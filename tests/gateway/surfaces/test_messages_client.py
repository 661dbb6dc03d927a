"""Messages, read by the stock client."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gateway.errors import blocked
from gateway.surfaces import SURFACES
from tests.gateway.surfaces.documents import EVERY_BLOCK, LONG, message

anthropic = pytest.importorskip("anthropic")
SURFACE = SURFACES["messages"]
ASKED: dict[str, Any] = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}


def client(body: bytes, status: int = 200, kind: str = "text/event-stream") -> Any:
    answer = httpx2.MockTransport(lambda _: httpx2.Response(status, content=body, headers={"content-type": kind}))
    return anthropic.Anthropic(
        api_key="k", base_url="http://gateway", http_client=httpx2.Client(transport=answer), max_retries=0
    )


def final(document: dict[str, Any]) -> Any:
    body = b"".join(SURFACE.stream(document, include_usage=True))
    with client(body) as stock, stock.messages.stream(**ASKED) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("number", range(len(EVERY_BLOCK)))
def test_the_client_puts_every_block_together(number: int) -> None:
    block = EVERY_BLOCK[number]
    assert final(message(block)).content[0].to_dict() == block


def test_the_client_puts_the_message_together() -> None:
    document = message(*EVERY_BLOCK, stop_reason="tool_use")
    found = final(document)
    assert (found.id, found.stop_reason, found.usage.output_tokens) == ("msg_1", "tool_use", 4)
    assert found.content[2].text == LONG


def test_every_event_is_one_that_the_client_knows() -> None:
    body = b"".join(SURFACE.stream(message(*EVERY_BLOCK), include_usage=True))
    with client(body) as stock:
        kinds = {type(event).__name__ for event in stock.messages.create(**ASKED, stream=True)}
    assert kinds == {
        "RawMessageStartEvent",
        "RawContentBlockStartEvent",
        "RawContentBlockDeltaEvent",
        "RawContentBlockStopEvent",
        "RawMessageDeltaEvent",
        "RawMessageStopEvent",
    }


def test_the_client_reads_a_withheld_message() -> None:
    found = final(SURFACE.withheld(message(), "esc_1", "block", "other"))
    assert found.stop_reason == "refusal"
    assert "esc_1" in found.content[0].text
    assert found.escalation["resolution"] == "blocked"
    anthropic.types.Message.model_validate(SURFACE.withheld(message(), "esc_1", "block", "other"))


def test_an_error_in_a_stream_is_raised_by_the_client() -> None:
    with client(SURFACE.stream_error(blocked("esc_1"))) as stock, pytest.raises(anthropic.APIError) as raised:
        list(stock.messages.create(**ASKED, stream=True))
    assert raised.value.body["error"]["escalation_id"] == "esc_1"


def test_an_error_is_raised_by_the_client_as_its_kind() -> None:
    refused = client(SURFACE.error_body(blocked("esc_1")), 403, "application/json")
    with refused as stock, pytest.raises(anthropic.PermissionDeniedError) as raised:
        stock.messages.create(**ASKED)
    assert raised.value.body["error"]["code"] == "human_review_blocked"
