"""What `pii-detector` does about what it finds: by action, in tool arguments, and with payment cards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.applying import Looking
from policies.chain import Chain, Verdict
from policies.config import PolicyConfig
from policies.given import Given

CARD, CODE, MAIL = "4111 1111 1111 1111", "CVV 737", "jane@roe.example"
KEY = Given(pseudonym_key=b"k" * 32)


def chain(given: Given = KEY, **options: Any) -> Chain:
    document = {"policies": {"chain": ["pii-detector"]}, "policy": {"pii-detector": options}}
    return Chain(PolicyConfig.model_validate(document), given=given)


def asked(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}


def calling(arguments: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": arguments}}
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}]}


def goes_on(text: str, **options: Any) -> str:
    found: str = chain(**options).screen_request(asked(text)).document["messages"][0]["content"]
    return found


def arguments_of(completion: dict[str, Any]) -> Any:
    return json.loads(completion["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])


def test_a_hash_is_one_name_for_one_value_in_requests_and_answers_of_an_installation() -> None:
    here = chain(action="hash")
    request = here.screen_request(asked(f"mail {MAIL} or {MAIL.upper()}")).document["messages"][0]["content"]
    answer = here.screen_answer(asked(""), said(f"done: {MAIL}")).document["choices"][0]["message"]["content"]
    first, second = request.removeprefix("mail ").split(" or ")
    assert first == second == answer.removeprefix("done: ")
    assert first.startswith("[EMAIL_ADDRESS:")
    assert MAIL not in request
    elsewhere = chain(Given(pseudonym_key=b"x" * 32), action="hash").screen_request(asked(f"mail {MAIL}"))
    assert first not in str(elsewhere.document)
    assert here.screen_request(asked(f"mail {MAIL}")).tokens == {}


def test_a_name_in_place_of_a_value_is_found_by_no_detector_in_the_next_turn() -> None:
    here = chain(action="tokenize", pci_mode=True)
    once = here.screen_request(asked(f"{MAIL}, card {CARD}, SSN 536-90-4399, call +1 415 555 2671")).document
    again = here.screen_request(once)
    assert (again.document, again.verdict) == (once, Verdict.PASSED)


def test_tokens_come_with_what_they_stand_for() -> None:
    screened = chain(action="tokenize").screen_request(asked(f"mail {MAIL}, or {MAIL}"))
    [(token, value)] = screened.tokens.items()
    assert value == MAIL
    assert screened.document["messages"][0]["content"] == f"mail {token}, or {token}"
    assert MAIL not in json.dumps([finding.summary() for finding in screened.findings])


def test_a_shadow_replaces_nothing_and_keeps_nothing() -> None:
    screened = chain(action="tokenize", mode="shadow").screen_request(asked(f"mail {MAIL}"))
    assert (screened.document, screened.tokens) == (asked(f"mail {MAIL}"), {})


@pytest.mark.parametrize("action", ["redact", "mask", "hash", "tokenize", "escalate", "block", "log"])
def test_in_pci_mode_no_action_leaves_more_than_four_digits_of_a_card_nor_any_of_its_code(action: str) -> None:
    screened = chain(action=action, pci_mode=True).screen_request(asked(f"pay with {CARD}, {CODE}, thanks"))
    kept = json.dumps([screened.document, dict(screened.tokens)])
    assert "4111" not in kept
    assert kept.count("1111") <= 2  # in what goes on and in what its token stands for
    assert "737" not in kept


def test_in_pci_mode_what_is_only_logged_is_not_said_to_have_passed_as_it_was() -> None:
    screened = chain(action="log", pci_mode=True).screen_request(asked(f"pay with {CARD}"))
    assert screened.verdict is Verdict.REDACTED
    assert screened.document["messages"][0]["content"] == "pay with **** **** **** 1111"
    assert chain(action="log").screen_request(asked(f"pay with {CARD}")).document == asked(f"pay with {CARD}")


def test_a_token_of_a_card_in_pci_mode_stands_for_its_last_four_alone() -> None:
    screened = chain(action="tokenize", pci_mode=True).screen_request(asked(f"{CARD} {CODE}"))
    assert list(screened.tokens.values()) == ["**** **** **** 1111"]
    assert screened.document["messages"][0]["content"].endswith("CVV [CARD_SECURITY_CODE]")


@given(
    before=st.text(alphabet="0123456789 -./", max_size=8),
    card=st.sampled_from(["4539578763621486", "5555555555554444", "378282246310005", "30569309025904"]),
    separator=st.sampled_from(["", " ", "-", "\n", "\u200b", ". "]),
    after=st.text(alphabet="0123456789 -./", max_size=8),
)
def test_of_a_masked_card_between_other_digits_at_most_four_stay(
    before: str, card: str, separator: str, after: str
) -> None:
    written = separator.join(card[i : i + 4] for i in range(0, len(card), 4))
    if separator:  # who writes it in groups parts it from what stands beside it
        before, after = f"{before} ", f" {after}"
    text = f"{before}{written}{after}"
    left = goes_on(text, action="mask", pci_mode=True)
    assert len(left) == len(text)
    start = len(before)
    shown = [char for char in left[start : start + len(written)] if char.isdecimal()]
    assert len(shown) <= 4, left


@pytest.mark.parametrize("action", ["redact", "mask", "hash", "tokenize"])
@pytest.mark.parametrize(
    "arguments",
    [
        '{"card": 4111111111111111, "amount": 5}',
        '{"cards": ["4111 1111 1111 1111", 4111111111111111]}',
        '{"note": "pay\\n4111\\n1111\\n1111\\n1111\\nnow"}',
        '{"note": "\\u0664111 1111 1111 1111"}',
        '{"4111111111111111": true}',
        '["4111", "1111", "1111", "1111"]',
    ],
)
def test_tool_arguments_stay_json_and_hold_no_card(arguments: str, action: str) -> None:
    screened = chain(action=action, pci_mode=True).screen_answer(asked(""), calling(arguments))
    assert screened.verdict is Verdict.REDACTED
    digits = "".join(char for char in json.dumps(arguments_of(screened.document)) if char.isdecimal())
    assert "41111111" not in digits
    assert digits.count("1") <= 8  # the last four of each of two cards


def test_what_arguments_say_besides_stays_as_it_is() -> None:
    arguments = '{"to": "jane@roe.example", "text": "a \\"quoted\\" \\u00e9\\ud83d\\ude00 line\\n", "sum": 12.50}'
    screened = chain(action="redact").screen_answer(asked(""), calling(arguments))
    expected = {**json.loads(arguments), "to": "[EMAIL_ADDRESS]"}
    assert arguments_of(screened.document) == expected


@given(
    st.recursive(
        st.text(max_size=12) | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=6
    )
)
def test_any_arguments_stay_json(value: Any) -> None:
    document = json.dumps({"value": value, "card": 4111111111111111, "mail": f"x{MAIL}"})
    found = arguments_of(chain(pci_mode=True).screen_answer(asked(""), calling(document)).document)
    assert found.keys() == {"value", "card", "mail"}
    assert "4111111111111111" not in json.dumps(found)


def test_reviewers_see_as_stars_what_is_found_and_left_in_what_is_held() -> None:
    request = asked(f"mail {MAIL}")
    looking = Looking("input", request)
    [span] = chain(action="escalate").hidden(request, looking)
    assert (span.path, span.start, span.end, span.label) == ("/messages/0/content", 5, 21, "EMAIL_ADDRESS")
    assert chain(action="escalate", mode="shadow").hidden(request, looking) == []
    assert Chain(PolicyConfig.model_validate({"policies": {"chain": ["audit-logger"]}})).hidden(request, looking) == []
