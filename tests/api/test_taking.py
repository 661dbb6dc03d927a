"""The next case for one person, over HTTP and with kt: most urgent first, each given to one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import httpx

from tests.support.stack import Stack, wait_for


@contextmanager
def desk(stack: Stack, people: int = 1, **terms: Any) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """A team of its own: who is in it, and what a case in its queue is created with."""
    name = f"desk-{uuid4().hex[:8]}"
    assert stack.api("admin").post("/v1/teams", json={"team_id": name}).status_code == 201
    logins = [f"{name}-{number}" for number in range(people)]
    for login in logins:
        stack.hire(login, name)
    rule = {"name": name, "match": {"policy_rule": f"{name}-rule"}, "route_to": f"team:{name}", **terms}
    rest = {"name": "else", "match": {"any": True}, "route_to": "team:default-reviewers"}
    with stack.settings(escalation_routing={"rules": [rule, rest]}):
        yield logins, {"policy_rule": f"{name}-rule"}


def take(stack: Stack, who: str, **body: Any) -> httpx.Response:
    return stack.api(who).post("/v1/escalations/next", json=body)


def taken(stack: Stack, who: str) -> str:
    answer = take(stack, who)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["escalation_id"])


def made(stack: Stack, kind: dict[str, Any], **body: Any) -> str:
    return str(stack.create(**kind, **body)["escalation_id"])


def test_the_most_severe_comes_first_and_then_the_oldest(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        low, old, new = (made(stack, kind, severity=severity) for severity in ("low", "high", "high"))
        urgent = made(stack, kind, severity="critical")
        order = []
        for _ in range(4):
            order.append(taken(stack, ana))
            stack.must(order[-1], "resolve", {"resolution": "block"}, who=ana)
        assert order == [urgent, old, new, low]


def test_it_comes_claimed_and_with_everything_needed_to_judge_it(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        held = made(stack, kind, answer="Terminate at once.", request={"prompt": "may we?"})
        found = take(stack, ana).json()
    assert (found["status"], found["assignee"]) == ("claimed", ana)
    assert found["context"]["texts"][0]["text"] == "Terminate at once."
    assert stack.events(held) == ["opened", "claimed"]


def test_many_who_ask_at_the_same_instant_get_different_ones(stack: Stack) -> None:
    with desk(stack, 24) as (people, kind):
        cases = {made(stack, kind) for _ in range(20)}
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda who: take(stack, who), people))
        got = [answer.json()["escalation_id"] for answer in answers if answer.status_code == 200]
        assert sorted(got) == sorted(cases)
        empty = [answer for answer in answers if answer.status_code != 200]
        assert {answer.json()["code"] for answer in empty} == {"nothing_waits"}
    refused = [case for case in cases if stack.events(case) != ["opened", "claimed"]]
    assert refused == []


def test_one_person_who_asks_many_times_at_once_hoards_nothing(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        cases = [made(stack, kind) for _ in range(3)]
        stack.api(ana)
        with ThreadPoolExecutor(8) as pool:
            got = set(pool.map(lambda _: taken(stack, ana), range(8)))
        assert got == {cases[0]}


def test_looking_at_what_is_next_takes_nothing(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        held = made(stack, kind)
        seen = stack.api(ana).get("/v1/escalations/next").json()
        assert (seen["escalation_id"], seen["status"]) == (held, "open")
        assert stack.escalation(held)["status"] == "open"


def test_one_s_own_request_is_never_next(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        stack.hire(f"{ana}-lead", kind["policy_rule"].removesuffix("-rule"), roles=("admin",))
        held = made(stack, kind, who=f"{ana}-lead")
        refused = take(stack, f"{ana}-lead")
        assert (refused.status_code, refused.json()["code"]) == (404, "nothing_waits")
        assert refused.json()["not_yours"] == 1
        assert taken(stack, ana) == held


def test_what_somebody_gave_back_or_handed_on_is_not_offered_to_them_again(stack: Stack) -> None:
    with desk(stack, 2) as ([ana, ben], kind):
        held = made(stack, kind)
        assert taken(stack, ana) == held
        stack.must(held, "unclaim", who=ana)
        told = take(stack, ana).json()
        assert (told["code"], told["let_go"]) == ("nothing_waits", 1)
        assert taken(stack, ben) == held
        assert take(stack, ana).json()["held_by_others"] == 1


def test_another_team_s_queue_is_nobody_s_next(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        made(stack, kind)
        refused = take(stack, "other_team_reviewer", team=kind["policy_rule"].removesuffix("-rule"))
        assert (refused.status_code, refused.json()["field"]) == (422, "team")
        assert take(stack, "auditor").status_code == 403
        assert take(stack, ana, team="nowhere").status_code == 422


def test_an_admin_of_no_team_names_the_queue(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        held = made(stack, kind)
        stack.hire(f"{ana}-root", roles=("admin",))
        told = take(stack, f"{ana}-root").json()
        assert (told["code"], "you are in no team" in told["detail"]) == ("nothing_waits", True)
        asked = take(stack, f"{ana}-root", team=kind["policy_rule"].removesuffix("-rule"))
        assert asked.json()["escalation_id"] == held


def test_kt_takes_the_next_decides_it_and_goes_on(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        first, second = made(stack, kind, answer="One."), made(stack, kind, answer="Two.")
        shown = stack.kt("escalation", "next", who=ana)
        assert "One." in shown
        assert "kt escalation next --claim" in shown
        assert json.loads(stack.kt("escalation", "next", "--claim", "--json", who=ana))["escalation_id"] == first
        went = stack.kt("escalation", "resolve", first, "--resolution", "block", "--next", who=ana)
        assert went.startswith(f"resolved escalation {first}\n")
        assert "Two." in went
        assert f"kt escalation resolve {second}" in went
        last = stack.kt("escalation", "resolve", second, "--resolution", "allow", "--next", who=ana)
        assert last == f"resolved escalation {second}\n"
        empty = stack.kt("escalation", "next", "--claim", who=ana, code=5)
        assert "no escalation waits for you" in empty
        assert "kt escalation watch" in empty
        told = stack.kt("escalation", "resolve", second, "--resolution", "allow", "--next", "--json", who=ana, code=2)
        assert "--next" in told


def test_on_a_terminal_one_decides_by_a_key_and_goes_on(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        first, second, third = (made(stack, kind, answer=f"Number {number}.") for number in (1, 2, 3))
        ours, theirs = pty.openpty()
        environment = {
            **stack.environment,
            "KT_API_URL": stack.info["api_url"],
            "KEEPTRUSTS_API_TOKEN": stack.token(ana),
            "TERM": "dumb",
        }
        command = [sys.executable, "-m", "cli.main", "escalation", "next", "--claim"]
        process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, b"b\ntrue_positive\nNot advice for us.\n" + b"s\n" + b"q\n")
        told = _said(ours)
        assert process.wait(60) == 0, told
    done = wait_for(lambda: stack.escalation(first), "the first")
    assert (done["resolution"], done["category"], done["note"]) == ("block", "true_positive", "Not advice for us.")
    assert stack.escalation(second)["status"] == "open"
    assert stack.escalation(third)["assignee"] == ana


def _said(terminal: int) -> str:
    """All that is written on a terminal until nobody holds its other end."""
    said = b""
    with suppress(OSError):
        while more := os.read(terminal, 65536):
            said += more
    os.close(terminal)
    return said.decode()
