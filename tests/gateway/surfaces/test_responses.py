"""Responses, read by the stock client and checked against its own types."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.errors import GatewayError, blocked
from gateway.surfaces import SURFACES
from gateway.surfaces.responses import ResponsesSurface
from tests.gateway.surfaces.documents import CITED, EVERY_ITEM, LONG, read, response, said
from tests.gateway.surfaces.test_chat import client

SURFACE = ResponsesSurface()
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def stream(document: dict[str, Any], starting_after: int | None = None) -> bytes:
    return b"".join(SURFACE.stream(document, include_usage=True, starting_after=starting_after))


def final(document: dict[str, Any]) -> Any:
    """What the client's own accumulation of the stream ends with."""
    with client(stream(document)) as stock, stock.responses.stream(model="m", input="x") as events:
        seen = list(events)
    return seen[-1].response


def test_it_is_registered() -> None:
    assert SURFACES["responses"].path == "/responses"


def test_every_event_is_one_that_the_client_knows() -> None:
    for name, body in read(stream(response(*EVERY_ITEM))):
        assert EVENT.validate_python(body).type == name


def test_the_events_are_numbered_without_a_gap() -> None:
    events = read(stream(response(*EVERY_ITEM)))
    assert [body["sequence_number"] for _, body in events] == list(range(len(events)))


def test_a_stream_ends_with_the_whole_response() -> None:
    document = response(*EVERY_ITEM)
    assert read(stream(document))[-1][1]["response"] == document


def test_a_stream_begins_with_nothing_of_the_answer() -> None:
    for _, body in read(stream(response()))[:2]:
        assert body["response"]["status"] == "in_progress"
        assert body["response"]["output"] == []


@pytest.mark.parametrize("number", range(len(EVERY_ITEM)))
def test_every_item_is_added_before_it_is_done(number: int) -> None:
    names = [name for name, _ in read(stream(response(EVERY_ITEM[number])))]
    assert names[2] == "response.output_item.added"
    assert names[-2:] == ["response.output_item.done", "response.completed"]


def test_the_text_of_a_message_is_the_sum_of_its_deltas() -> None:
    events = read(stream(response(said(annotations=[CITED]))))
    deltas = [body["delta"] for name, body in events if name == "response.output_text.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == LONG
    names = list(dict.fromkeys(name for name, _ in events))
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


@pytest.mark.parametrize(
    ("kind", "field", "text"),
    [
        ("response.function_call_arguments", "arguments", '{"to": "Jane Roe"}'),
        ("response.custom_tool_call_input", "input", "rm records"),
        ("response.mcp_call_arguments", "arguments", '{"name": "Roe"}'),
        ("response.code_interpreter_call_code", "code", "print('Roe')"),
        ("response.reasoning_summary_text", "text", "A summary."),
        ("response.reasoning_text", "text", "A thought."),
        ("response.refusal", "refusal", "I will not."),
    ],
)
def test_what_is_written_piece_by_piece_is_also_told_whole(kind: str, field: str, text: str) -> None:
    events = read(stream(response(*EVERY_ITEM)))
    assert "".join(body["delta"] for name, body in events if name == f"{kind}.delta") == text
    assert [body[field] for name, body in events if name == f"{kind}.done"] == [text]


def test_the_stock_client_puts_the_response_together() -> None:
    assert final(response(*EVERY_ITEM)).output_text == LONG


def test_an_unknown_item_goes_out_as_it_is() -> None:
    item = {"type": "telepathy", "id": "tp_1", "thought": "hm"}
    events = read(stream(response(item)))
    assert [body["item"] for name, body in events if name == "response.output_item.done"] == [item]


@pytest.mark.parametrize(
    ("status", "last"),
    [("completed", "completed"), ("incomplete", "incomplete"), ("failed", "failed"), ("cancelled", "incomplete")],
)
def test_the_last_event_says_how_the_response_ended(status: str, last: str) -> None:
    assert read(stream(response(status=status)))[-1][0] == f"response.{last}"


def test_a_stream_is_resumed_after_the_last_number_that_was_seen() -> None:
    whole = stream(response())
    assert stream(response(), starting_after=3) == whole[whole.index(b"event", whole.index(b'"sequence_number":3}')) :]
    assert stream(response(), starting_after=10_000) == b""


@pytest.mark.parametrize("outcome", ["block", "expired", "withdrawn", "open"])
def test_a_withheld_response_is_incomplete_and_says_nothing_of_the_text(outcome: str) -> None:
    withheld = SURFACE.withheld(response(*EVERY_ITEM, output_text=LONG), "esc_1", outcome, None)
    assert "Roe" not in str(withheld)
    parsed = Response.model_validate(withheld)
    assert (parsed.id, parsed.status) == ("resp_1", "incomplete")
    assert parsed.incomplete_details is not None
    assert parsed.incomplete_details.reason == "content_filter"
    assert withheld["output"][0]["content"][0]["type"] == "refusal"
    assert withheld["escalation"]["id"] == "esc_1"


def test_a_withheld_response_keeps_what_belongs_to_the_request() -> None:
    withheld = SURFACE.withheld(response(tools=[{"type": "web_search"}], metadata={"k": "v"}), "esc_1", "block", None)
    assert (withheld["instructions"], withheld["metadata"]) == ("Advise.", {"k": "v"})
    assert withheld["tools"] == [{"type": "web_search"}]


def test_the_stock_client_reads_a_withheld_response_from_a_stream() -> None:
    ended = final(SURFACE.withheld(response(), "esc_1", "block", "other"))
    assert ended.status == "incomplete"
    assert "esc_1" in ended.output[0].content[0].refusal
    assert ended.model_extra["escalation"]["resolution"] == "blocked"


def test_an_undecided_response_says_where_to_fetch_it() -> None:
    assert SURFACE.withheld(response(), "esc_1", "open", None)["escalation"]["retrieve"] == "/v1/responses/resp_1"


def test_an_error_in_a_stream_is_raised_by_the_client() -> None:
    with client(SURFACE.stream_error(blocked("esc_1"))) as stock, pytest.raises(openai.APIError) as raised:
        list(stock.responses.create(model="m", input="x", stream=True))
    assert raised.value.code == "human_review_blocked"
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["escalation_id"] == "esc_1"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": []}, "input"),
        ({"model": "m", "input": ["x"]}, "input[0]"),
        ({"model": "m", "input": [{"role": "user", "content": None}]}, "input[0].content"),
        ({"model": "m", "input": [{"role": "user", "content": ["x"]}]}, "input[0].content"),
        ({"model": "m", "input": "x", "instructions": 1}, "instructions"),
        ({"model": "m", "input": "x", "background": "yes"}, "background"),
    ],
)
def test_a_request_that_cannot_be_governed_is_refused_by_its_parameter(body: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as raised:
        SURFACE.check(body)
    assert (raised.value.status, raised.value.param) == (400, param)


def test_the_plain_request_is_neither_streamed_nor_in_the_background() -> None:
    body = {"model": "m", "input": "x", "stream": True, "background": True, "store": True}
    assert SURFACE.plain_request(body) == {"model": "m", "input": "x", "store": True}


@pytest.mark.parametrize("document", [None, {}, {"output": None}, {"output": ["x"]}, {"output": [{"text": "x"}]}])
def test_what_is_no_response_is_not_taken_for_one(document: object) -> None:
    assert not SURFACE.is_answer(document)
