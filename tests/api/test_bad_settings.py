"""Settings that make no sense: refused with file, line and field, by the linter and by `apply`; what runs goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from policies.documents import parse_document
from policies.lint import lint_document
from tests.support.stack import Stack


class Bad(NamedTuple):
    """`line` is where `field` stands. `people`: only who knows the directory can tell."""

    text: str
    line: int
    field: str
    told: str
    people: bool = False


RULES = "escalation_routing:\n  rules:\n"
LAYER = "{name: a, members: [reviewer], start: 2026-01-05}"
REST = '    - {name: rest, match: {any: true}, route_to: "team:legal"}\n'
CLOSED = ", ".join((datetime.now(UTC).date() + timedelta(days=day)).isoformat() for day in range(-2, 400))

BAD = {
    "overlapping rotations": Bad(
        f"schedules:\n  night:\n    layers: [{LAYER}, {LAYER.replace('name: a', 'name: b')}]\n",
        2,
        "schedules.night",
        "'b' always lies on top of 'a'",
    ),
    "overlapping overrides": Bad(
        f"schedules:\n  night:\n    layers: [{LAYER}]\n    overrides:\n"
        '    - {from: "2026-12-24T09:00", to: "2026-12-27T09:00", people: reviewer}\n'
        '    - {from: "2026-12-26T09:00", to: "2026-12-28T09:00", people: reviewer}\n',
        2,
        "schedules.night",
        "overlap at 2026-12-26",
    ),
    "a schedule without a rotation": Bad("schedules:\n  night: {layers: []}\n", 2, "schedules.night", "no rotation"),
    "a rotation without anybody": Bad(
        "schedules:\n  night:\n    layers:\n    - {name: a, members: [], start: 2026-01-05}\n",
        4,
        "schedules.night.layers.0",
        "without anybody",
    ),
    "somebody unknown on call": Bad(
        "schedules:\n  night:\n    layers:\n    - name: a\n      start: 2026-01-05\n      members:\n"
        "      - reviewer\n      - nobody.knows\n",
        8,
        "schedules.night.layers.0.members.1",
        "'nobody.knows'",
        people=True,
    ),
    "a case to somebody unknown": Bad(
        f"{RULES}    - name: a\n      match: {{severity: critical}}\n      route_to: nobody@example.org\n{REST}",
        5,
        "escalation_routing.rules.0.route_to",
        "'nobody@example.org'",
        people=True,
    ),
    "a case to an unknown team": Bad(
        f'{RULES}    - {{name: a, match: {{any: true}}, route_to: "team:legl"}}\n',
        3,
        "escalation_routing.rules.0.route_to",
        "'team:legl'",
        people=True,
    ),
    "a default channel for an unknown team": Bad(
        "notification_defaults:\n  teams: {legl: log}\n", 2, "notification_defaults.teams.legl", "'legl'", people=True
    ),
    "a default channel for somebody unknown": Bad(
        "notification_defaults:\n  users:\n    reviewer: log\n    nobody@example.org: log\n",
        4,
        "notification_defaults.users.nobody@example.org",
        "'nobody@example.org'",
        people=True,
    ),
    "a case to who may not review": Bad(
        f'{RULES}    - {{name: a, match: {{any: true}}, route_to: "auditor"}}\n',
        3,
        "escalation_routing.rules.0.route_to",
        "auditor may not review",
        people=True,
    ),
    "a leg of a chain to who may not review": Bad(
        f"{RULES}{REST.replace('team:legal', 'chain:a')}chains:\n"
        "  a: {legs: [{to: auditor}], on_exhausted: hold}\n",
        5,
        "chains.a.legs.0.to",
        "auditor may not review",
        people=True,
    ),
    "a case to an unknown schedule": Bad(
        f'{RULES}    - {{name: a, match: {{any: true}}, route_to: "schedule:night"}}\n',
        3,
        "escalation_routing.rules.0.route_to",
        "no schedule 'night'",
    ),
    "an unknown team's assignment": Bad(
        "assignment:\n  teams:\n    legl: {strategy: round_robin}\n", 3, "assignment.teams.legl", "'legl'", people=True
    ),
    "an unknown zone of a calendar": Bad(
        "calendars:\n  office:\n    zone: Europe/Berln\n    hours: {mon-fri: 09:00-17:00}\n",
        3,
        "calendars.office.zone",
        "Europe/Berln",
    ),
    "an unknown zone of a rotation": Bad(
        "schedules:\n  night:\n    layers:\n    - name: a\n      members: [reviewer]\n      start: 2026-01-05\n"
        "      zone: Mars/Base\n",
        7,
        "schedules.night.layers.0.zone",
        "Mars/Base",
    ),
    "an unknown zone of quiet hours": Bad(
        "notification_channels:\n  slack:\n    type: slack\n    token_ref: {env: T}\n    channel: '#legal'\n"
        "    quiet_hours:\n      from: '20:00'\n      to: '07:00'\n      zone: Europe/Brlin\n",
        9,
        "notification_channels.slack.quiet_hours.zone",
        "Europe/Brlin",
    ),
    "an unknown calendar of business hours": Bad(
        "business_hours:\n  calendar: offize\n", 2, "business_hours.calendar", "no calendar 'offize'"
    ),
    "an unknown channel": Bad(
        f"{RULES}    - name: a\n      match: {{any: true}}\n      route_to: team:legal\n"
        "      notification_channel: pager\nnotification_channels:\n  desk: {type: log}\n",
        6,
        "escalation_routing.rules.0.notification_channel",
        "'pager'",
    ),
    "an unknown channel to fall through to": Bad(
        "notification_channels:\n  pager:\n    type: pagerduty\n    routing_key_ref: {env: K}\n"
        "    fall_through: desk\n",
        5,
        "notification_channels.pager.fall_through",
        "'desk'",
    ),
    "a chain that loops": Bad(
        f"{RULES}{REST.replace('team:legal', 'chain:a')}chains:\n"
        '  a: {legs: [{to: "chain:b"}], on_exhausted: hold}\n'
        '  b: {legs: [{to: "chain:a"}], on_exhausted: hold}\n',
        5,
        "chains.a.legs.0.to",
        "circle: a → b → a",
    ),
    "a leg of a chain to an unknown team": Bad(
        f"{RULES}{REST.replace('team:legal', 'chain:a')}chains:\n"
        '  a: {legs: [{to: "team:legl"}], on_exhausted: hold}\n',
        5,
        "chains.a.legs.0.to",
        "'team:legl'",
        people=True,
    ),
    "a rule behind the catch-all": Bad(
        f"{RULES}{REST}    - {{name: late, match: {{severity: low}}, route_to: team:legal}}\n",
        4,
        "escalation_routing.rules.1",
        "behind the catch-all 'rest'",
    ),
    "no catch-all": Bad(
        f"{RULES}    - {{name: a, match: {{severity: low}}, route_to: team:legal}}\n",
        3,
        "escalation_routing.rules.0",
        "no catch-all",
    ),
    "a target shorter than the claim lease": Bad(
        "sla:\n  high: 10m\n  critical: 20m\n  claim_lease: 15m\n", 4, "sla.claim_lease", "the target of high, 10m"
    ),
    "a group's target shorter than the claim lease": Bad(
        "sla:\n  claim_lease: 10m\n  overrides:\n  - match: {team: legal}\n    high: 5m\n",
        5,
        "sla.overrides.0.high",
        "the target of high, 5m",
    ),
    "a calendar that is not there": Bad("sla:\n  calendar: offize\n", 2, "sla.calendar", "no calendar 'offize'"),
    "a calendar with no open hour in a year": Bad(
        f"calendars:\n  never:\n    hours: {{mon-sun: 00:00-24:00}}\n    closed: [{CLOSED}]\n",
        2,
        "calendars.never",
        "no open hour",
    ),
    "a target shorter than the claim lease, whichever is written first": Bad(
        "sla:\n  claim_lease: 20m\n  targets: {high: 1h}\n", 2, "sla.claim_lease", "the target of critical, 15m"
    ),
    "approvals that nobody can give": Bad(
        "decisions:\n  approvals:\n  - match: {any: true}\n    required: 2\n    approvers: [auditor]\n",
        5,
        "decisions.approvals.0.approvers",
        "of these nobody may review",
        people=True,
    ),
}


@pytest.mark.parametrize(
    "bad", [bad for bad in BAD.values() if not bad.people], ids=[n for n in BAD if not BAD[n].people]
)
def test_the_linter_finds_it_before_it_is_applied(bad: Bad) -> None:
    found = [one for one in lint_document(parse_document(bad.text, "s.yaml")) if not one.warning]
    assert found[0].line == bad.line
    assert found[0].message.startswith(f"{bad.field}: ")
    assert bad.told in found[0].message


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_applying_it_is_refused_where_it_stands_and_what_runs_goes_on(stack: Stack, tmp_path: Path, bad: Bad) -> None:
    before = stack.api("admin").get("/v1/settings").json()
    file = tmp_path / "settings.yaml"
    file.write_text(bad.text)
    told = stack.kt("settings", "apply", "--file", str(file), who="admin", code=None)
    assert f"{file}:{bad.line}:" in told
    assert bad.field in told
    assert bad.told in told
    assert stack.api("admin").get("/v1/settings").json() == before


def test_the_linter_with_the_installation_at_hand_knows_who_is_there(stack: Stack, tmp_path: Path) -> None:
    for number, bad in enumerate(bad for bad in BAD.values() if bad.people):
        file = tmp_path / f"settings-{number}.yaml"
        file.write_text(bad.text)
        told = stack.kt("policy", "lint", "--online", str(file), code=None)
        assert f"{file}:{bad.line}:" in told
        assert bad.told in told


def test_everything_that_is_wrong_is_told_at_once(stack: Stack) -> None:
    rule = {"name": "a", "match": {"severity": "low"}, "route_to": "team:nowhere", "notification_channel": "smoke"}
    refused = stack.api("admin").put("/v1/settings", json={"escalation_routing": {"rules": [rule]}})
    place = "escalation_routing.rules.0"
    assert [one["field"] for one in refused.json()["fields"]] == [
        f"{place}.route_to",
        f"{place}.notification_channel",
        place,
    ]


def test_approvals_count_where_a_policy_in_force_routes_by_itself(stack: Stack) -> None:
    admin = stack.api("admin")
    for team in ("alone", "crowd"):
        if team not in {one["team_id"] for one in admin.get("/v1/teams").json()["teams"]}:
            assert admin.post("/v1/teams", json={"team_id": team}).status_code == 201
    # People of this test's own: of others some own applications, and do not count for those.
    most = 1 + sum("admin" in one["roles"] for one in admin.get("/v1/users").json()["users"])
    for number in range(most):
        stack.hire(f"crowd-{number}", "crowd")
    asked = {"decisions": {"approvals": [{"match": {"any": True}, "required": most}]}}
    rule = {"name": "all", "match": {"any": True}, "route_to": "team:crowd"}
    body = {**asked, "escalation_routing": {"rules": [rule]}}
    text = (
        "pack: {name: straight, version: VERSION}\n"
        "providers: {targets: [{id: m, provider: openai, ROUTING}]}\n"
        "policies: {chain: [human-oversight, audit-logger]}\n"
        "policy: {human-oversight: {require_human_for: [legal_opinions]}}\n"
    )

    def refused() -> list[str]:
        answer = admin.put("/v1/settings", params={"dry_run": True}, json=body)
        return [one["problem"] for one in answer.json().get("fields", [])]

    def push(version: str, **routing: Any) -> int:
        written = text.replace("VERSION", version).replace("ROUTING", json.dumps(routing)[1:-1])
        return int(admin.post("/v1/policies", json={"text": written}).json()["version"])

    def promote(version: int) -> None:
        moved = admin.post("/v1/policies/straight/promote", json={"version": version})
        assert moved.json()["stage"] == "active", moved.text

    assert refused() == []
    straight, other = push("1.0.0", escalation_routing={"team_id": "alone"}), push("1.0.1", timeout="60s")
    assert refused() == [], "nothing acts yet"
    promote(straight)
    try:
        [told] = refused()
    finally:
        promote(other)
    assert told.startswith(f"{most} people must agree, and only ")
    assert told.endswith(" can for a case of team:alone")
    assert refused() == []


def test_an_owner_counts_again_once_their_consumer_can_ask_for_nothing_any_more(stack: Stack) -> None:
    admin = stack.api("admin")
    assert admin.post("/v1/teams", json={"team_id": "owning"}).status_code == 201
    people = [f"owning-{number}" for number in range(2)]
    for login in people:
        stack.hire(login, "owning")
    asked = {"decisions": {"approvals": [{"match": {"any": True}, "approvers": [people[0]]}]}}
    rule = {"name": "all", "match": {"any": True}, "route_to": "team:owning"}

    def refused() -> list[str]:
        answer = admin.put(
            "/v1/settings", params={"dry_run": True}, json={**asked, "escalation_routing": {"rules": [rule]}}
        )
        return [one["problem"] for one in answer.json().get("fields", [])]

    assert refused() == []
    assert admin.post("/v1/consumers", json={"consumer_id": "owned", "owner": people[0]}).status_code == 201
    key = admin.post("/v1/tokens", json={"consumer_id": "owned"}).json()["token_id"]
    [told] = refused()
    assert told == f"1 must confirm, and of these nobody can for a request of {people[0]}'s application"
    assert admin.delete(f"/v1/tokens/{key}").status_code == 204
    assert refused() == []
