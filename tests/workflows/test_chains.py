"""Chains in the running product: legs that pass on, and what happens at their end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.stack import Stack, wait_for

TEAM = "chain-night"


@contextmanager
def chain(stack: Stack, *legs: Any, **more: Any) -> Iterator[dict[str, Any]]:
    """A rule of its own to a chain of these legs, each with a second to answer; gives what a case of it is made of."""
    written = [{"ack_timeout": "1s", **({"to": leg} if isinstance(leg, str) else leg)} for leg in legs]
    rules = [
        {"name": "in turn", "match": {"policy_rule": "chained"}, "route_to": "chain:asked"},
        {"name": "else", "match": {"any": True}, "route_to": "team:default-reviewers"},
    ]
    chains = {"asked": {"legs": written, "on_exhausted": "hold", **more}}
    with stack.settings(chains=chains, escalation_routing={"rules": rules}):
        yield {"policy_rule": "chained"}


def ended(stack: Stack, held: str, last: str) -> list[dict[str, Any]]:
    wait_for(lambda: stack.events(held)[-1] == last, f"{last} to be the last that happened")
    return stack.history(held)


def asked(history: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    return [
        (entry["data"]["route"], entry["data"]["leg"], entry["data"]["round"])
        for entry in history
        if entry["type"] in ("opened", "reassigned")
    ]


def test_legs_that_nobody_answers_are_passed_on_and_the_case_expires(stack: Stack) -> None:
    stack.api("admin").post("/v1/teams", json={"team_id": TEAM})
    with chain(stack, f"team:{TEAM}", "user:senior", "team:legal", repeat=1, on_exhausted="expire_block") as kind:
        held = stack.create(**kind)
    history = ended(stack, held["escalation_id"], "expired")
    assert asked(history) == [("senior", 2, 1), ("team:legal", 3, 1), ("senior", 2, 2), ("team:legal", 3, 2)]
    assert [entry["type"] for entry in history[:5]] == [
        "opened",
        "assigned",
        "unacknowledged",
        "reassigned",
        "unacknowledged",
    ]
    assert history[0]["data"]["skipped"] == f"leg 1 of chain asked, team:{TEAM}: nobody in the team may have it"
    case = stack.escalation(held["escalation_id"])
    assert (case["status"], case["end"], case["resolution"]) == ("expired", "expired", None)
    assert case["sla_deadline"] == held["sla_deadline"]
    assert stack.api("admin").get(f"/v1/escalations/{held['escalation_id']}/response").status_code == 410
    told = stack.kt("escalation", "explain", held["escalation_id"], who="admin")
    for said in (
        f"in turn: passed over: leg 1 of chain asked, team:{TEAM}: nobody in the team may have it",
        "opened: senior by the rule 'in turn', leg 2 of chain asked",
        "assigned: senior, to whom the rule 'in turn', leg 2 of chain asked leads",
        "unacknowledged: nobody took it in the time of leg 2 of chain asked",
        "reassigned: senior by the rule 'in turn', leg 2 of chain asked, round 2",
        "chain_exhausted: no leg of chain asked is left: it expires, and nothing is released (expire_block)",
    ):
        assert said in told


def test_whom_a_leg_gives_the_case_keeps_it_by_claiming_it(stack: Stack) -> None:
    with chain(stack, {"to": "user:senior", "ack_timeout": "30s"}, "team:legal") as kind:
        held = stack.create(**kind)
    case = stack.escalation(held["escalation_id"])
    assert (case["assignee"], case["route"]["chain"], case["route"]["leg"]) == ("senior", "asked", 1)
    assert case["ack_until"] is not None
    case = stack.must(held["escalation_id"], "claim", who="senior")
    assert (case["ack_until"], case["assignee"], stack.events(held["escalation_id"])[-1]) == (
        None,
        "senior",
        "acknowledged",
    )
    stack.must(held["escalation_id"], "resolve", {"resolution": "block"}, "senior")


def test_handing_on_goes_to_the_next_leg_and_a_claim_ends_the_asking(stack: Stack) -> None:
    with chain(stack, {"to": "user:senior", "ack_timeout": "10m"}, {"to": "team:legal", "ack_timeout": "10m"}) as kind:
        held = stack.create(**kind)["escalation_id"]
    stack.must(held, "escalate", who="senior")
    case = stack.escalation(held)
    assert (case["team"], case["route"]["leg"], case["ack_until"] is not None) == ("legal", 2, True)
    stack.decide(held, "allow")


def test_at_its_end_a_case_may_wait_and_admins_are_told(stack: Stack) -> None:
    with chain(stack, "team:legal", on_exhausted="page_admin") as kind:
        held = stack.create(**kind)["escalation_id"]
    history = ended(stack, held, "chain_exhausted")
    assert history[-1]["data"]["on_exhausted"] == "page_admin"
    wait_for(lambda: f"escalation {held} chain_exhausted" in stack.logs(), "the admins to be told")
    [line] = [line for line in stack.logs().splitlines() if f"escalation {held} chain_exhausted" in line]
    assert "to=role:admin" in line
    stack.decide(held, "allow")


def test_what_nobody_took_is_released_only_where_the_settings_say_allow(stack: Stack) -> None:
    with chain(stack, "team:legal", on_exhausted="allow") as kind:
        held = stack.create(answer="The shop opens at nine.", **kind)["escalation_id"]
    ended(stack, held, "resolved")
    case = stack.escalation(held)
    assert (case["resolution"], case["reviewer"]) == ("allow", "system")
    answer = stack.api("admin").get(f"/v1/escalations/{held}/response")
    assert (answer.status_code, "The shop opens at nine." in answer.text) == (200, True)


def test_a_chain_that_goes_round_in_a_circle_is_refused_with_file_line_and_field(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        """chains:
  one:
    legs:
      - to: team:legal
      - to: chain:two
    on_exhausted: hold
  two:
    legs: [{to: "chain:one"}]
    on_exhausted: hold
"""
    )
    before = json.loads(stack.kt("settings", "get", "--json"))["version"]
    refused = stack.kt("settings", "apply", "--file", str(file), who="admin", code=2)
    assert f"{file}:5:" in refused
    assert "chains.one.legs.1.to: this goes round in a circle: one → two → one" in refused
    assert json.loads(stack.kt("settings", "get", "--json"))["version"] == before
