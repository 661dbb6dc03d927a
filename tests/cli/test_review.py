"""`kt escalation` and `kt events`, as a reviewer types them: every flag and output line of the documents."""

from __future__ import annotations

import json

import pytest

from tests.support.stack import Stack


@pytest.fixture
def held(stack: Stack) -> str:
    return str(stack.create("Write to jane@roe.example now.")["escalation_id"])


@pytest.fixture
def urgent(stack: Stack) -> str:
    """One that stands on the first page of a list, however many others wait."""
    return str(stack.create("Write to jane@roe.example now.", severity="critical")["escalation_id"])


def test_the_documented_session_word_for_word(stack: Stack, urgent: str) -> None:
    held = urgent
    listed = json.loads(stack.kt("escalation", "list", "--status", "open", "--json"))
    row = next(item for item in listed["escalations"] if item["escalation_id"] == held)
    assert (row["status"], row["reason_code"]) == ("open", "legal_opinions")
    assert row["created_at"]
    shown = json.loads(stack.kt("escalation", "get", "--escalation-id", held, "--include-context", "--json"))
    assert shown["context"]["held_answer"]
    assert stack.kt("escalation", "claim", "--escalation-id", held) == f"claimed escalation {held}\n"
    assert stack.kt("escalation", "unclaim", "--escalation-id", held) == f"unclaimed escalation {held}\n"
    assert stack.kt("escalation", "claim", "--id", held) == f"claimed escalation {held}\n"
    note = "Allowed after reviewer confirmed this was advisory training content."
    decision = ("--resolution", "approved", "--category", "false_positive", "--note", note)
    resolved = stack.kt("escalation", "resolve", "--escalation-id", held, *decision)
    assert resolved == f"resolved escalation {held}\n"
    found = stack.escalation(held)
    assert (found["resolution"], found["category"], found["note"]) == ("allow", "false_positive", note)


def test_the_reference_dialect_is_taken_too(stack: Stack, held: str) -> None:
    stack.kt("escalation", "claim", held)
    stack.kt("escalation", "resolve", "--id", held, "--outcome", "approved", "--reason", "Request complies with policy")
    assert stack.escalation(held)["note"] == "Request complies with policy"


def test_redactions_are_given_by_place_or_left_to_the_detector(stack: Stack, held: str) -> None:
    stack.kt("escalation", "claim", held)
    stack.kt("escalation", "resolve", held, "--resolution", "redact_and_allow", "--redact", "9:25:EMAIL")
    released = stack.api("admin").get(f"/v1/escalations/{held}/response").json()
    assert released["choices"][0]["message"]["content"] == "Write to [EMAIL] now."
    other = stack.create("Nothing personal.")["escalation_id"]
    stack.kt("escalation", "claim", other)
    told = stack.kt("escalation", "resolve", other, "--resolution", "redact_and_allow", code=2)
    assert "finds nothing to redact" in told


def test_the_other_commands_say_what_they_did(stack: Stack, held: str) -> None:
    stack.kt("escalation", "claim", held)
    assert "until" in stack.kt("escalation", "extend", held, "--by", "3h")
    assert stack.kt("escalation", "comment", held, "--text", "see section 3") == f"commented on escalation {held}\n"
    assert (
        stack.kt("escalation", "assign", held, "--assignee", "reviewer2")
        == f"assigned escalation {held} to reviewer2\n"
    )
    moved = stack.kt("escalation", "escalate", held, "--to", "senior", "--note", "please", who="reviewer2")
    assert moved == f"escalated escalation {held} to senior\n"
    history = stack.kt("escalation", "history", held, who="senior")
    assert [line.split("\t")[2] for line in history.splitlines()[1:]] == [
        "opened", "claimed", "extended", "commented", "assigned", "escalated", "assigned",
    ]  # fmt: skip
    explained = stack.kt("escalation", "explain", held, who="senior")
    assert "Legal opinions to legal: won" in explained
    assert "high has a target of 1h" in explained


def test_a_pipe_gets_tab_separated_lines_and_no_colours(stack: Stack, urgent: str) -> None:
    lines = stack.kt("escalation", "list", "--status", "open").splitlines()
    assert lines[0].split("\t")[:3] == ["ID", "SEVERITY", "STATUS"]
    assert any(line.startswith(urgent) for line in lines)
    assert "\x1b" not in "".join(lines)


def test_an_empty_list_says_what_to_do_next(stack: Stack) -> None:
    told = stack.kt("escalation", "list", "--assignee", "nobody-at-all")
    assert told == ""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("escalation", "claim", "esc_nothing"), 5, "there is no escalation esc_nothing"),
        (("escalation", "claim"), 2, "--escalation-id"),
        (("escalation", "claim", "esc_a", "--id", "esc_b"), 2, "two different escalations"),
        (("escalation", "resolve", "esc_nothing"), 2, "--resolution"),
        (("escalation", "list", "--status", "done"), 2, "not one of"),
        (("escalation", "resolve", "x", "--resolution", "redact_and_allow", "--redact", "a:b"), 5, ""),
        (("nonsense",), 2, "there is no command"),
        (("team", "create", "mine"), 1, "needs one of the roles admin"),
    ],
)
def test_failures_are_one_line_and_an_exit_code(stack: Stack, arguments: tuple[str, ...], code: int, told: str) -> None:
    assert told in stack.kt(*arguments, code=code)


def test_a_conflict_names_the_holder_with_exit_code_six(stack: Stack, held: str) -> None:
    stack.kt("escalation", "claim", held, who="reviewer2")
    assert "reviewer2 holds this escalation since" in stack.kt("escalation", "claim", held, code=6)
    problem = json.loads(stack.kt("escalation", "claim", held, "--json", code=6))
    assert problem["error"]["code"] == "already_claimed"
    assert problem["error"]["request_id"]
    assert "claim it first" in stack.kt(
        "escalation", "resolve", str(stack.create()["escalation_id"]), "--outcome", "approved", code=6
    )


def test_without_a_token_the_exit_code_is_four_and_the_hint_says_what_to_do(stack: Stack) -> None:
    told = stack.kt("escalation", "list", who=None, code=4)
    assert "kt login --with-token" in told


def test_events_are_tailed_as_json_lines_with_every_filter(stack: Stack) -> None:
    stack.create()
    lines = stack.kt("events", "tail", "--since", "24h", "--verdict", "escalated", "--json").splitlines()
    events = [json.loads(line) for line in lines]
    assert events
    assert {event["verdict"] for event in events} == {"escalated"}
    for flag, value in (
        ("--policy", "none"),
        ("--reason-code", "none"),
        ("--config-version", "none"),
        ("--team", "none"),
        ("--consumer", "none"),
    ):
        assert stack.kt("events", "tail", flag, value, "--json") == ""
    one = json.loads(stack.kt("events", "get", events[0]["event_id"], "--json"))
    assert one["event_id"] == events[0]["event_id"]
    assert "there is no event" in stack.kt("events", "get", "evt_nothing", code=5)


def test_hostile_text_cannot_move_the_cursor(stack: Stack) -> None:
    held = stack.create("\x1b[2Jcleared \u202etxt.exe")["escalation_id"]
    shown = stack.kt("escalation", "get", str(held), "--include-context")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2Jcleared \\u202etxt.exe" in shown
