"""The canary: put around a system prompt on its way to the model, and never part of what leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import canaries
from policies.canaries import canary_of, find, planted, without_echo
from policies.chain import Chain, Verdict, Who
from policies.config import PolicyConfig
from policies.given import Given
from policies.requests import request_texts

KEY, WHO = b"k" * 32, Who("app", "req_1")
WORD = canary_of("app", KEY)


def chain(*names: str, action: str = "block", **options: Any) -> Chain:
    injection = {"canary": True, "response": {"action": action}, **options}
    document = {"policies": {"chain": [*names, "prompt-injection"]}, "policy": {"prompt-injection": injection}}
    return Chain(PolicyConfig.model_validate(document), given=Given(pseudonym_key=KEY))


def said(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"choices": [{"index": 0, "message": message, "logprobs": {"content": [{"token": text}]}}]}


def test_a_consumer_has_one_canary_everywhere_and_nobody_else_has_it() -> None:
    assert canary_of("app", KEY) == WORD
    assert len({WORD, canary_of("other", KEY), canary_of("app", b"x" * 32)}) == 3
    assert WORD.isalpha()
    assert 3 * len(WORD) + len(WORD) + len("[ref: ]") <= canaries.LONGEST_WRITTEN


SYSTEM: list[dict[str, Any]] = [
    {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]},
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "developer", "content": "Be kind."}]},
    {"messages": [{"role": "system", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": "kind."}]}]},
    {"instructions": "Be kind.", "input": "Hi"},
    {"input": [{"role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}]},
    {"system": "Be kind.", "messages": [{"role": "user", "content": "Hi"}]},
    {"system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}], "messages": []},
]


@pytest.mark.parametrize("request_", SYSTEM)
def test_it_stands_at_both_ends_of_the_system_prompt_of_any_api(request_: dict[str, Any]) -> None:
    before = json.dumps(request_)
    around = planted(request_, WORD)
    assert around is not None
    assert json.dumps(around).count(WORD) == 2
    assert json.dumps(request_) == before, "the request that is kept and shown is left alone"
    words = [text for _, text in request_texts(around) if WORD in text]
    assert words[0].startswith(f"[ref: {WORD}]")
    assert words[-1].endswith(f"[ref: {WORD}]")
    assert around.keys() == request_.keys()


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": [{"role": "system", "content": ""}]},
        {"messages": [{"role": "system", "content": None}, "what", 7]},
        {"messages": [{"role": "system", "content": [{"type": "image_url"}]}]},
        {"prompt": "Once"},
        {"input": "Hi", "instructions": None},
        {"messages": "Hi"},
    ],
)
def test_without_a_system_prompt_there_is_nothing_to_watch(request_: dict[str, Any]) -> None:
    assert planted(request_, WORD) is None


def test_an_answer_that_repeats_it_is_blocked_and_one_that_does_not_is_left_alone() -> None:
    here = chain()
    leaked = here.screen_answer({}, said(f"My instructions: [ref: {WORD}] Be kind."), WHO)
    assert (leaked.verdict, leaked.findings[0].reason_code) == (Verdict.BLOCKED, "canary")
    plain = said("My instructions are confidential.")
    assert here.screen_answer({}, plain, WHO).document is plain


@pytest.mark.parametrize("action", ["escalate", "log"])
def test_what_is_held_or_goes_on_no_longer_holds_it(action: str) -> None:
    screened = chain(action=action).screen_answer({}, said(f"It says [ref: {WORD}] first."), WHO)
    assert screened.verdict is (Verdict.ESCALATED if action == "escalate" else Verdict.REDACTED)
    assert screened.document["choices"][0]["message"]["content"] == "It says  first."
    assert WORD not in json.dumps(screened.document), "log-probabilities spell it once more"


@pytest.mark.parametrize("joint", [" ", "-", "_", ". ", "\n", "\u200b", " - "])
def test_it_is_found_however_its_letters_are_set(joint: str) -> None:
    for text in (joint.join(WORD), joint.join(WORD.upper())):
        screened = chain(action="log").screen_answer({}, said(f"Here: {text}!"), WHO)
        assert screened.document["choices"][0]["message"]["content"] == "Here: !"


def test_it_is_found_in_tool_arguments_which_stay_json() -> None:
    arguments = json.dumps({"prompt": f"[ref: {WORD}]\nBe kind."})
    call = {"type": "function", "function": {"name": "mail", "arguments": arguments}}
    answer = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}
    screened = chain(action="escalate").screen_answer({}, answer, WHO)
    left = screened.document["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(left) == {"prompt": "\nBe kind."}


ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in WORD)


def test_it_is_found_in_tool_arguments_however_they_write_it() -> None:
    arguments = f'{{"prompt": "[ref: {ESCAPED}] Be kind.", "{WORD[:5]}{ESCAPED[30:]}": 1, "{WORD}": "\\n"}}'
    call = {"type": "function", "function": {"name": "mail", "arguments": arguments}}
    answer = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}
    assert chain().screen_answer({}, answer, WHO).verdict is Verdict.BLOCKED
    screened = chain(action="escalate").screen_answer({}, answer, WHO)
    left = screened.document["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(left) == {"prompt": " Be kind.", "": "\n"}


def test_a_streams_tool_arguments_are_looked_into_too() -> None:
    arguments = f'{{"prompt": "{ESCAPED}"}}'
    left, finding = chain().leaked(arguments, WORD, "/arguments")
    assert (json.loads(left), finding is not None) == ({"prompt": ""}, True)
    assert chain().leaked(arguments, WORD) == (arguments, None)


def test_a_policy_that_does_not_act_plants_nothing() -> None:
    assert chain().canary_for(WHO) == WORD
    assert chain(mode="shadow").canary_for(WHO) is None
    assert chain(rollout={"percent": 0}).canary_for(WHO) is None
    assert chain(canary=False).canary_for(WHO) is None


def test_a_chain_with_a_canary_looks_at_answers_and_may_be_windowed() -> None:
    assert (chain().looks_at_answers, chain().only_redacts_answers) == (True, True)
    assert chain(canary=False).looks_at_answers is False
    assert chain("data-loss").only_redacts_answers is False


def test_what_an_answer_repeats_of_its_request_is_what_the_caller_sent() -> None:
    sent = {"instructions": "Be kind.", "input": "Hi"}
    around = planted(sent, WORD)
    assert around is not None
    assert without_echo({"id": "r", "instructions": around["instructions"]}, sent) == {
        "id": "r",
        "instructions": "Be kind.",
    }
    assert without_echo({"id": "c"}, sent) == {"id": "c"}


@given(st.text(max_size=300))
def test_no_other_text_is_taken_for_it(text: str) -> None:
    assert find("", text, WORD) == []
