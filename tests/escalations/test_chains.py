"""Chains: how they are written, which leg is asked next, and what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from escalations.chains import MOST_LEGS, legs_of
from escalations.commands import Role
from escalations.directory import Directory, Eligibility, Person
from escalations.facts import Facts
from escalations.legs import end_of
from escalations.routes import LegReason, OnExhausted, Place, Route
from escalations.routing import Choice, choose, choose_behind
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions
from escalations.severity import Severity

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
FACTS = Facts("human-oversight", "legal_opinions", Severity.HIGH)
ANYBODY = Eligibility()


def person(role: Role, *teams: str, on_shift: bool = True) -> Person:
    return Person(frozenset({role}), frozenset(teams), on_shift)


PEOPLE = {
    "ana": person(Role.REVIEWER, "legal"),
    "ben": person(Role.REVIEWER, "legal", "night"),
    "sam": person(Role.SENIOR, "senior"),
    "eve": person(Role.AUDITOR, "audit"),
    "dan": person(Role.REVIEWER, "default-reviewers"),
    "off": person(Role.REVIEWER, "asleep", on_shift=False),
}
DIRECTORY = Directory(
    frozenset({"legal", "night", "senior", "audit", "asleep", "empty", "default-reviewers"}),
    {login: login for login in PEOPLE},
    PEOPLE,
)
ROTATION = {"layers": [{"name": "week", "members": ["ben"], "start": "2026-01-05"}]}


def settings(*legs: Any, **more: Any) -> EscalationSettings:
    """One rule to the chain `c` of these legs, and a catch-all. A leg is its destination, or all of it."""
    chain = {
        "legs": [{"to": leg} if isinstance(leg, str) else leg for leg in legs],
        "on_exhausted": "expire_block",
        **more.pop("chain", {}),
    }
    rules = [
        {"name": "asked in turn", "match": {"severity": "high"}, "route_to": "chain:c", "notification_channel": "log"},
        {"name": "else", "match": {"any": True}, "route_to": "team:default-reviewers"},
    ]
    return EscalationSettings.model_validate(
        {
            "chains": {"c": chain, **more.pop("chains", {})},
            "schedules": {"on-call": ROTATION},
            "escalation_routing": {"rules": rules},
            **more,
        }
    )


def begun(chosen: EscalationSettings, eligible: Eligibility = ANYBODY) -> Choice:
    return choose(FACTS, chosen, DIRECTORY, NOW, eligible=eligible)


def walked(chosen: EscalationSettings, reason: LegReason = LegReason.UNACKNOWLEDGED) -> list[str]:
    """Every leg that is asked until none is left."""
    route, seen = begun(chosen).route, []
    while route is not None:
        seen.append(f"{route.destination} {route.place.leg}.{route.place.round}" if route.place else route.destination)
        route = choose_behind(route, reason, FACTS, chosen, DIRECTORY, NOW, ANYBODY).route
    return seen


def test_the_legs_are_asked_in_order_as_often_as_it_says() -> None:
    legs = ("user:ana", "schedule:on-call", "team:senior")
    assert walked(settings(*legs)) == ["ana 0.0", "ben 1.0", "team:senior 2.0"]
    again = walked(settings(*legs, chain={"repeat": 2}))
    assert again == [
        f"{who} {leg}.{turn}" for turn in range(3) for leg, who in enumerate(("ana", "ben", "team:senior"))
    ]


@pytest.mark.parametrize(
    ("empty", "why"),
    [
        ("team:empty", "nobody in the team may have it"),
        ("team:audit", "nobody in the team may have it"),
        ("team:asleep", "nobody of the team is on shift"),
        ("user:off", "off is off shift"),
        ("user:gone", "is not a known team or user"),
        ("user:eve", "eve may not review"),
        ("schedule:nobody", "there is no schedule nobody"),
    ],
)
def test_a_leg_in_which_nobody_is_there_is_skipped_and_that_is_told(empty: str, why: str) -> None:
    found = begun(settings(empty, "team:legal"))
    assert found.route is not None
    assert (found.route.destination, found.route.place) == ("team:legal", Place("c", 1, 0, timedelta(minutes=5)))
    assert found.skipped == (f"leg 1 of chain c, {empty}: {why}",)
    assert found.considered[0].verdict == f"passed over: leg 1 of chain c, {empty}: {why}"
    assert found.considered[1].verdict == "won: leg 2 of chain c, team:legal"


def test_whoever_may_not_have_the_case_counts_as_not_there() -> None:
    legs = settings("user:ana", "schedule:on-call", "team:night", "team:legal", "user:sam")
    for eligible, asked in (
        (Eligibility(requester="ANA"), "ben"),
        (Eligibility(never=frozenset({"ana", "ben"})), "sam"),
        (Eligibility(only=frozenset({"ben"})), "ben"),
        (Eligibility(leads=True), "sam"),
    ):
        found = begun(legs, eligible).route
        assert found is not None
        assert found.destination == asked


def test_a_chain_in_which_nobody_is_there_is_passed_over_at_opening() -> None:
    found = begun(settings("team:empty", "user:off"))
    assert found.route is not None
    assert (found.route.destination, found.route.place) == ("team:default-reviewers", None)
    assert [one.name for one in found.considered] == ["asked in turn", "asked in turn", "else"]


def test_only_who_hands_the_case_on_leaves_a_chain_at_its_end() -> None:
    legs = settings("user:ana")
    assert walked(legs, LegReason.BREACHED) == ["ana 0.0"]
    assert walked(legs, LegReason.ESCALATED) == ["ana 0.0", "team:default-reviewers"]


def test_each_leg_is_told_on_its_own_channels() -> None:
    chosen = settings(
        {"to": "user:ana", "notify": ["log", "log:b", "log"], "ack_timeout": "30s"},
        "user:ben",
        {"to": "chain:more", "notify": "log:c"},
        chains={"more": {"legs": [{"to": "user:sam"}], "on_exhausted": "hold"}},
    )
    route, told = begun(chosen).route, []
    while route is not None:
        assert route.place is not None
        told.append((route.channel, route.also, route.place.ack_timeout))
        route = choose_behind(route, LegReason.UNACKNOWLEDGED, FACTS, chosen, DIRECTORY, NOW, ANYBODY).route
    minutes = timedelta(minutes=5)
    assert told == [("log", ("log:b",), timedelta(seconds=30)), ("log", (), minutes), ("log:c", (), minutes)]


def test_a_leg_that_is_a_chain_stands_for_all_of_its_legs() -> None:
    inner = {"legs": [{"to": "user:ben"}, {"to": "user:sam"}], "repeat": 9, "on_exhausted": "allow"}
    chosen = settings("user:ana", "chain:more", "team:legal", chains={"more": inner})
    assert [leg.to for leg in legs_of(chosen.chains, "c")] == ["user:ana", "user:ben", "user:sam", "team:legal"]


def test_chains_are_read_as_they_are_kept() -> None:
    chosen = settings("user:ana", {"to": "chain:more", "notify": "log"}, chains={"more": chain_to("user:sam")})
    kept = chosen.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert EscalationSettings.model_validate(kept) == chosen


def test_its_end_is_told_on_the_channels_of_page_or_of_the_last_leg() -> None:
    last = Route(begun(settings("user:ana")).route.chosen_by, "r", user="ana", channel="a", also=("b",))  # type: ignore[union-attr]
    for more, channels in (({}, ("a", "b")), ({"page": ["p", "q"]}, ("p", "q"))):
        end = end_of(settings("user:ana", chain={"on_exhausted": "page_admin", **more}).chains["c"], last)
        assert end is not None
        assert (end.end, end.channels) == (OnExhausted.PAGE_ADMIN, channels)


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        ({"legs": [], "on_exhausted": "hold"}, "at least 1"),
        ({"legs": [{"to": "user:ana"}]}, "on_exhausted"),
        ({"legs": [{"to": "user:ana"}], "on_exhausted": "hold", "repeat": 10}, "less than or equal to 9"),
        ({"legs": [{"to": "user:ana"}], "on_exhausted": "maybe"}, "expire_block"),
        ({"legs": [{"to": "role:admin"}], "on_exhausted": "hold"}, "a leg goes to"),
        ({"legs": [{"to": "user:ana", "ack_timeout": "0s"}], "on_exhausted": "hold"}, "longer than zero"),
        ({"legs": [{"to": "chain:d", "ack_timeout": "1m"}], "on_exhausted": "hold"}, "leave ack_timeout out"),
        ({"legs": [{"to": "user:ana", "notify": ["a b"]}], "on_exhausted": "hold"}, "not the name of a channel"),
    ],
)
def test_a_chain_that_says_nothing_sensible_is_refused(chain: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        EscalationSettings.model_validate({"chains": {"c": chain}})


def faults(chosen: EscalationSettings) -> list[tuple[str, str]]:
    found = contradictions(chosen, DIRECTORY, NOW)
    return [(".".join(str(part) for part in one.trail), one.message) for one in found]


def chain_to(*names: str) -> dict[str, Any]:
    return {"legs": [{"to": name} for name in names], "on_exhausted": "hold"}


def test_chains_that_go_round_in_a_circle_are_refused_where_they_do() -> None:
    chosen = settings("user:ana", "chain:d", chains={"d": chain_to("chain:e"), "e": chain_to("user:ben", "chain:c")})
    assert faults(chosen) == [
        ("chains.c.legs.1.to", "this goes round in a circle: c → d → e → c"),
        ("chains.d.legs.0.to", "this goes round in a circle: d → e → c → d"),
        ("chains.e.legs.1.to", "this goes round in a circle: e → c → d → e"),
    ]
    assert faults(settings("chain:c"))[0] == ("chains.c.legs.0.to", "this goes round in a circle: c → c")
    assert len(legs_of(chosen.chains, "c")) == 2


def test_a_chain_of_chains_has_its_limit() -> None:
    tree = {f"t{depth}": chain_to(*[f"chain:t{depth + 1}"] * 10) for depth in range(20)}
    chosen = settings("chain:t0", chains={**tree, "t20": chain_to("user:ana")})
    assert faults(chosen)[0][1].endswith(f"{MOST_LEGS} at most")
    assert len(legs_of(chosen.chains, "c")) == MOST_LEGS


@pytest.mark.parametrize(
    ("leg", "field", "told"),
    [
        ("team:ghosts", "chains.c.legs.0.to", "there is no team or active user 'team:ghosts'"),
        ("nobody", "chains.c.legs.0.to", "there is no team or active user 'nobody'"),
        ("schedule:x", "chains.c.legs.0.to", "there is no schedule 'x'; there is on-call"),
        ("chain:x", "chains.c.legs.0.to", "there is no chain 'x'; there is c"),
        ({"to": "user:ana", "notify": ["log", "fax"]}, "chains.c.legs.0.notify.1", "there is no channel 'fax'"),
    ],
)
def test_legs_that_lead_to_nothing_are_refused_with_their_field(leg: Any, field: str, told: str) -> None:
    [(where, what)] = faults(settings(leg))
    assert where == field
    assert what.startswith(told)


def test_a_rule_to_a_chain_that_is_not_there_is_refused() -> None:
    rule = {"name": "r", "match": {"any": True}, "route_to": "chain:x"}
    chosen = EscalationSettings.model_validate({"escalation_routing": {"rules": [rule]}})
    assert faults(chosen) == [("escalation_routing.rules.0.route_to", "there is no chain 'x'; there is none")]


def test_people_who_could_never_agree_are_looked_for_in_every_leg() -> None:
    approvals = [{"match": {"any": True}, "required": 2}]
    chosen = settings("team:legal", "user:sam", decisions={"approvals": approvals})
    assert ("decisions.approvals.0.required", "2 people must agree, and only sam can for a case of sam") in faults(
        chosen
    )
