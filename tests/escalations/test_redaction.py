"""Stripping text from a held completion."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalations.completion import texts
from escalations.decisions import Redaction
from escalations.errors import InvalidRedaction
from escalations.redaction import redact

CONTENT = "/choices/0/message/content"


def completion(content: Any = "Patient Jane Roe, MRN 12345.", **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, **message}, "logprobs": {"content": []}}
        ],
    }


def test_a_stretch_is_replaced_by_its_label_and_nothing_else_changes() -> None:
    held = completion()
    released = redact(held, [Redaction(CONTENT, 8, 16, "PERSON"), Redaction(CONTENT, 22, 27, "MRN")])
    assert released["choices"][0]["message"]["content"] == "Patient [PERSON], MRN [MRN]."
    assert held["choices"][0]["message"]["content"] == "Patient Jane Roe, MRN 12345."


def test_log_probabilities_are_dropped_for_they_spell_what_was_stripped() -> None:
    assert redact(completion(), [Redaction(CONTENT, 8, 16)])["choices"][0]["logprobs"] is None


def test_offsets_are_code_points() -> None:
    held = completion("👩‍⚕️ Dr. Åsa 𝒳 knows")
    start = "👩‍⚕️ Dr. Åsa 𝒳 knows".index("Åsa")
    released = redact(held, [Redaction(CONTENT, start, start + 3, "NAME")])
    assert released["choices"][0]["message"]["content"] == "👩‍⚕️ Dr. [NAME] 𝒳 knows"


def test_overlaps_are_refused_because_order_would_matter() -> None:
    with pytest.raises(InvalidRedaction, match="overlaps"):
        redact(completion(), [Redaction(CONTENT, 0, 10), Redaction(CONTENT, 9, 12)])


@pytest.mark.parametrize(
    ("redaction", "told"),
    [
        (Redaction(CONTENT, 5, 5), "outside"),
        (Redaction(CONTENT, 0, 99), "outside"),
        (Redaction("choices/0", 0, 1), "not a JSON Pointer"),
        (Redaction("/choices/7/message/content", 0, 1), "nothing at '7'"),
        (Redaction("/choices/0/message", 0, 1), "not a text"),
        (Redaction(CONTENT, 0, 1, "<b>"), "label"),
        (Redaction(CONTENT, 0, 1, ""), "label"),
    ],
)
def test_a_redaction_that_fits_nowhere_is_refused(redaction: Redaction, told: str) -> None:
    with pytest.raises(InvalidRedaction, match=told):
        redact(completion(), [redaction])


def test_none_at_all_is_refused() -> None:
    with pytest.raises(InvalidRedaction, match="at least one"):
        redact(completion(), [])


def test_tool_arguments_must_still_be_json() -> None:
    arguments = json.dumps({"to": "jane@roe.example", "body": "hi"})
    held = completion(
        None, tool_calls=[{"id": "c", "type": "function", "function": {"name": "mail", "arguments": arguments}}]
    )
    path = "/choices/0/message/tool_calls/0/function/arguments"
    start = arguments.index("jane")
    released = redact(held, [Redaction(path, start, start + 16, "EMAIL")])
    found = released["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(found) == {"to": "[EMAIL]", "body": "hi"}
    with pytest.raises(InvalidRedaction, match="no longer JSON"):
        redact(held, [Redaction(path, 0, start + 3)])


def test_every_text_of_a_completion_is_found() -> None:
    held = completion(
        [{"type": "text", "text": "part"}],
        refusal="no",
        reasoning_content="hm",
        audio={"transcript": "spoken"},
        tool_calls=[{"function": {"arguments": "{}"}}, {"custom": {"input": "free"}}],
    )
    assert [text for _, text in texts(held)] == ["part", "no", "hm", "spoken", "{}", "free"]


@given(st.text(min_size=1, max_size=60), st.data())
def test_what_is_stripped_is_gone_and_the_rest_is_as_it_was(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    released = redact(completion(text), [Redaction(CONTENT, start, end, "X")])
    assert released["choices"][0]["message"]["content"] == text[:start] + "[X]" + text[end:]
