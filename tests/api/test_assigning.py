"""Cases find their people: in a running product, over its ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.stack import Stack, wait_for


@contextmanager
def team(stack: Stack, name: str, *logins: str, **terms: Any) -> Iterator[dict[str, Any]]:
    """A team of its own whose cases are given out; gives what a case of it is created with."""
    admin = stack.api("admin")
    assert admin.post("/v1/teams", json={"team_id": name}).status_code == 201
    for login in logins:
        assert admin.post("/v1/users", json={"login": login, "teams": [name]}).status_code == 201
    rule = {"name": name, "match": {"policy_rule": f"{name}-rule"}, "route_to": f"team:{name}"}
    catch_all = {"name": "else", "match": {"any": True}, "route_to": "team:default-reviewers"}
    with stack.settings(escalation_routing={"rules": [rule, catch_all]}, assignment={"teams": {name: terms}}):
        yield {"policy_rule": f"{name}-rule"}


def holder(stack: Stack, escalation_id: str) -> str | None:
    found: str | None = stack.escalation(escalation_id)["assignee"]
    return found


def on_shift(stack: Stack, login: str, there: bool) -> None:
    done = stack.api("admin").put(f"/v1/users/{login}/shift", json={"on_shift": there})
    assert done.status_code == 200, done.text


def test_cases_arrive_with_their_reviewers_by_turns(stack: Stack) -> None:
    with team(stack, "turns", "tara", "tess", "tim", strategy="round_robin") as kind:
        cases = [stack.create(**kind) for _ in range(6)]
        told = stack.kt("escalation", "explain", cases[0]["escalation_id"], who="admin")
    assert Counter(case["assignee"] for case in cases) == {"tara": 2, "tess": 2, "tim": 2}
    assert all(stack.events(case["escalation_id"])[:2] == ["opened", "assigned"] for case in cases)
    assert "chosen by rule 'turns', given out by round_robin" in told
    assert "opened: team:turns by the rule 'turns'" in told
    assert f"assigned: {cases[0]['assignee']} by the strategy round_robin of the team" in told


def test_the_oldest_that_waits_goes_to_whoever_has_room_again(stack: Stack) -> None:
    with team(stack, "room", "rosa", strategy="least_loaded", max_open_per_reviewer=1) as kind:
        first, second, third = (stack.create(**kind)["escalation_id"] for _ in range(3))
        assert [holder(stack, case) for case in (first, second, third)] == ["rosa", None, None]
        stack.must(first, "withdraw", who="admin")
        wait_for(lambda: holder(stack, second) == "rosa", "the oldest that waited to be given out")
        assert holder(stack, third) is None
    explained = stack.api("admin").get(f"/v1/escalations/{second}/explain").json()
    assert explained["route"]["steps"][-1]["because"] == "rosa by the strategy least_loaded of the team"


def test_whoever_is_off_shift_is_given_nothing_until_they_come_back(stack: Stack) -> None:
    with team(stack, "shifts", "sven", strategy="sticky") as kind:
        on_shift(stack, "sven", False)
        held = stack.create(**kind)["escalation_id"]
        assert holder(stack, held) is None
        on_shift(stack, "sven", True)
        wait_for(lambda: holder(stack, held) == "sven", "the case to be given out")
    entries = [entry for entry in stack.history(held) if entry["type"] == "assigned"]
    assert [entry["actor"] for entry in entries] == ["system"]


def test_a_level_after_a_breach_finds_its_reviewer(stack: Stack) -> None:
    with team(stack, "later", "lena", strategy="least_loaded") as kind:
        rules = [
            {"name": "first", "match": {"policy_rule": "later-rule"}, "route_to": "team:legal"},
            {"name": "then", "match": {"any": True}, "route_to": "team:later"},
        ]
        with stack.settings(sla={"high": "1s", "expire_after": "1h"}, escalation_routing={"rules": rules}):
            held = stack.create(**kind)["escalation_id"]
            wait_for(lambda: holder(stack, held) == "lena", "the next level to have it")
    assert stack.events(held)[-2:] == ["reassigned", "assigned"]


def test_a_shift_is_one_s_own_affair_or_a_senior_s(stack: Stack) -> None:
    refused = stack.api("reviewer").put("/v1/users/reviewer2/shift", json={"on_shift": False})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert stack.kt("shift", "end", who="other_team_reviewer") == "other_team_reviewer is off shift\n"
    assert stack.kt("shift", "start", "--login", "other_team_reviewer", who="senior").endswith("on shift\n")
    assert stack.api("admin").put("/v1/users/nobody/shift", json={"on_shift": True}).status_code == 404
    assert "reviewer2" in stack.kt("shift", "list")


def test_an_assignment_to_a_team_or_a_schedule_that_is_not_there_is_refused_with_its_field(stack: Stack) -> None:
    for assignment, field in (
        ({"teams": {"nobody": {"strategy": "sticky"}}}, "assignment.teams.nobody"),
        ({"schedule": "never"}, "assignment.schedule"),
    ):
        refused = stack.api("admin").put("/v1/settings", json={"assignment": assignment})
        assert (refused.status_code, refused.json()["field"]) == (422, field)
