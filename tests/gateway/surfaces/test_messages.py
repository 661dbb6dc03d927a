"""Messages: shapes, and the order of the events in a stream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.errors import GatewayError, blocked, unavailable
from gateway.surfaces import SURFACES
from tests.gateway.surfaces.documents import EVERY_BLOCK, LONG, message, read

SURFACE = SURFACES["messages"]


def events(document: dict[str, Any]) -> list[tuple[str | None, Any]]:
    return read(b"".join(SURFACE.stream(document, include_usage=False)))


def deltas(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [body["delta"] for name, body in events(document) if name == "content_block_delta"]
    return [delta for delta in found if delta["type"] == kind]


def test_the_events_of_a_text_stand_in_their_order() -> None:
    assert list(dict.fromkeys(name for name, _ in events(message()))) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_every_event_is_named_by_its_type() -> None:
    assert all(name == body["type"] for name, body in events(message(*EVERY_BLOCK)))


def test_the_text_is_the_sum_of_its_deltas() -> None:
    assert "".join(delta["text"] for delta in deltas(message(), "text_delta")) == LONG


def test_the_input_of_a_tool_is_streamed_as_json() -> None:
    block = EVERY_BLOCK[3]
    told = deltas(message(block), "input_json_delta")
    assert orjson.loads("".join(delta["partial_json"] for delta in told)) == block["input"]


def test_thoughts_are_streamed_with_their_signature() -> None:
    block = EVERY_BLOCK[0]
    assert [delta["thinking"] for delta in deltas(message(block), "thinking_delta")] == ["A thought."]
    assert [delta["signature"] for delta in deltas(message(block), "signature_delta")] == [block["signature"]]


def test_citations_are_streamed() -> None:
    block = EVERY_BLOCK[2]
    assert [delta["citation"] for delta in deltas(message(block), "citations_delta")] == block["citations"]


def test_blocks_of_an_unknown_kind_go_out_whole() -> None:
    block = {"type": "telepathy", "thought": "hm"}
    assert [body["content_block"] for name, body in events(message(block)) if name == "content_block_start"] == [block]


def test_a_stream_begins_with_nothing_of_the_answer_and_ends_with_why_and_usage() -> None:
    told = events(message())
    assert told[0][1]["message"]["content"] == []
    assert told[0][1]["message"]["stop_reason"] is None
    assert told[-2][1]["delta"]["stop_reason"] == "end_turn"
    assert told[-2][1]["usage"]["output_tokens"] == 4


@pytest.mark.parametrize("outcome", ["block", "expired", "withdrawn", "open"])
def test_a_withheld_message_stops_with_a_refusal_and_says_nothing_of_the_text(outcome: str) -> None:
    withheld = SURFACE.withheld(message(*EVERY_BLOCK), "esc_1", outcome, None)
    assert "Roe" not in str(withheld)
    assert withheld["stop_reason"] == "refusal"
    assert [block["type"] for block in withheld["content"]] == ["text"]
    assert "esc_1" in withheld["content"][0]["text"]
    assert withheld["escalation"]["id"] == "esc_1"
    assert (withheld["id"], withheld["usage"]["output_tokens"]) == ("msg_1", 4)


def test_an_undecided_message_says_where_to_fetch_it() -> None:
    withheld = SURFACE.withheld(message(), "esc_1", "open", None)
    assert withheld["escalation"]["retrieve"] == "/v1/escalations/esc_1/response"


def test_an_error_has_this_apis_envelope_and_keeps_the_code() -> None:
    assert orjson.loads(SURFACE.error_body(blocked("esc_1"))) == {
        "type": "error",
        "error": {
            "type": "permission_error",
            "message": "A reviewer withheld this answer (esc_1).",
            "code": "human_review_blocked",
            "escalation_id": "esc_1",
        },
    }


def test_a_failure_of_ours_is_an_api_error() -> None:
    assert orjson.loads(SURFACE.error_body(unavailable()))["error"]["type"] == "api_error"


def test_an_error_names_the_request_where_it_knows_it() -> None:
    fault = GatewayError(404, "not_found", "no", headers={"x-request-id": "req_1"})
    assert orjson.loads(SURFACE.error_body(fault))["request_id"] == "req_1"


def test_an_error_in_a_stream_is_an_event_of_that_name() -> None:
    [(name, body)] = read(SURFACE.stream_error(blocked("esc_1")))
    assert (name, body["error"]["code"]) == ("error", "human_review_blocked")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": ""}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"system": {"text": "x"}}, "system"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content"),
        ({"stream": 1}, "stream"),
    ],
)
def test_a_request_that_cannot_be_governed_is_refused_by_its_parameter(change: dict[str, Any], param: str) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **change}
    with pytest.raises(GatewayError) as raised:
        SURFACE.check(body)
    assert (raised.value.status, raised.value.param) == (400, param)


@pytest.mark.parametrize("document", [None, {}, {"content": "x"}, {"content": ["x"]}, {"content": [{"text": "x"}]}])
def test_what_is_no_message_is_not_taken_for_one(document: object) -> None:
    assert not SURFACE.is_answer(document)


def test_the_plain_request_is_not_streamed() -> None:
    assert SURFACE.plain_request({"model": "m", "stream": True}) == {"model": "m"}
