"""Stars where the notes of a case say so, and everywhere where the notes make no sense."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from api.masking import hidden_in, masked, masked_anew, texts_of, values

TEXT = "You may call Jane."
PATH = "/choices/0/message/content"
ANSWER: dict[str, Any] = {"choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}}]}
MAIL = "jane@roe.example"
PLACE = {"path": PATH, "start": 13, "end": 17, "label": "PERSON"}


def shown(document: Any) -> str:
    return str(document["choices"][0]["message"]["content"])


def test_what_was_noted_is_stars_and_can_be_told() -> None:
    hidden = hidden_in({"hidden": {"answer": [PLACE]}}, "answer")
    assert shown(masked(ANSWER, hidden)) == "You may call ****."
    assert [one["value"] for one in values(ANSWER, "answer", hidden, {})] == ["Jane"]


@pytest.mark.parametrize(
    "finding",
    [
        {"hidden": {"answer": [place]}}
        for place in (
            {},
            {**PLACE, "path": "/choices/7/message/content"},
            {**PLACE, "path": "/choices/x"},
            {**PLACE, "path": "/choices/0/message"},
            {**PLACE, "path": ""},
            {**PLACE, "path": 7},
            {**PLACE, "path": ["a"]},
            {**PLACE, "start": "one"},
            {**PLACE, "start": -3},
            {**PLACE, "start": 9, "end": 4},
            {**PLACE, "end": 4000},
            {"path": PATH, "start": 0, "end": 3},
            "no place",
        )
    ]
    + [{"hidden": {"answer": "nonsense"}}, {"hidden": {"answer": 7}}, {"hidden": [1]}, {"hidden": "x"}, ["x"], "x"],
)
def test_notes_that_make_no_sense_star_all_of_it_and_who_may_is_told_all_of_it(finding: Any) -> None:
    before, hidden = copy.deepcopy(ANSWER), hidden_in(finding, "answer")
    assert shown(masked(ANSWER, hidden)) == "*" * len(TEXT)
    assert before == ANSWER
    assert [(one["path"], one["value"]) for one in values(ANSWER, "answer", hidden, {})] == [(PATH, TEXT)]


def test_an_answer_that_was_changed_is_stars_where_nobody_knows_what_was_noted() -> None:
    assert shown(masked_anew(ANSWER, hidden_in({"hidden": "x"}, "answer"))) == "*" * len(TEXT)
    assert masked_anew(ANSWER, ()) is ANSWER


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("Call Jane.", {"": "Call Jane."}),
        (["Call", {"content": "Jane."}], {"/0": "Call", "/1/content": "Jane."}),
        (7, {}),
        (None, {}),
    ],
)
def test_a_request_may_be_any_json(request_: Any, found: dict[str, str]) -> None:
    assert texts_of(request_, "request") == found
    assert list(values(request_, "request", (), {})) == []


def test_personal_data_is_starred_in_tool_arguments_however_they_write_it() -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in MAIL)
    arguments = f'{{"to": "{escaped}", "cc": "{MAIL}"}}'
    assert json.loads(arguments)["to"] == MAIL
    call = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": arguments}}
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": MAIL, "tool_calls": [call]}}]}
    message = masked_anew(answer, [PLACE])["choices"][0]["message"]
    assert message["content"] == "****@***.*******"
    shown = message["tool_calls"][0]["function"]["arguments"]
    assert "u00" not in shown
    assert "roe" not in shown
    assert len(shown) == len(arguments)
