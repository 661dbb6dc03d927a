"""Who gets a case, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from escalations.commands import Role
from escalations.directory import Directory, Eligibility, Person, destination
from escalations.facts import Facts
from escalations.routes import Chooser, LegReason
from escalations.routing import Preset, choose, choose_behind, choose_next
from escalations.settings import EscalationSettings
from escalations.severity import Severity

NOON = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)  # a Wednesday
TEAMS = frozenset({"legal", "healthcare-compliance", "default-reviewers"})
PEOPLE = Directory(
    TEAMS,
    {"compliance-senior@acme.com": "cs", "cs": "cs", "ana": "ana"},
    {"cs": Person(frozenset({Role.SENIOR}), TEAMS), "ana": Person(frozenset({Role.REVIEWER}), frozenset())},
)
SEED = {
    "escalation_routing": {
        "rules": [
            {
                "name": "Critical to senior compliance",
                "match": {"severity": "critical"},
                "route_to": "compliance-senior@acme.com",
                "notification_channel": "pagerduty",
            },
            {
                "name": "PHI violations to healthcare team",
                "match": {"policy_rule": "phi-detection"},
                "route_to": "team:healthcare-compliance",
                "notification_channel": "slack:#hipaa-escalations",
            },
            {
                "name": "Catch-all",
                "match": {"any": True},
                "route_to": "team:default-reviewers",
                "notification_channel": "email",
            },
        ]
    }
}


def facts(**changes: Any) -> Facts:
    return Facts(
        **{"policy_rule": "human-oversight", "reason_code": "legal_opinions", "severity": Severity.HIGH, **changes}
    )


def settings(*rules: dict[str, Any]) -> EscalationSettings:
    named = [{"name": f"rule {number}", "route_to": "team:legal", **rule} for number, rule in enumerate(rules)]
    return EscalationSettings.model_validate({"escalation_routing": {"rules": named}})


def test_the_documented_example_routes_as_it_says() -> None:
    rules = EscalationSettings.model_validate(SEED)
    critical = choose(facts(severity=Severity.CRITICAL), rules, PEOPLE, NOON).route
    phi = choose(facts(policy_rule="phi-detection"), rules, PEOPLE, NOON).route
    other = choose(facts(), rules, PEOPLE, NOON).route
    assert critical is not None
    assert (critical.user, critical.channel, critical.name) == ("cs", "pagerduty", "Critical to senior compliance")
    assert phi is not None
    assert (phi.team, phi.channel) == ("healthcare-compliance", "slack:#hipaa-escalations")
    assert other is not None
    assert (other.team, other.channel, other.position) == ("default-reviewers", "email", 2)


def test_the_model_beats_the_target_and_the_target_beats_the_rules() -> None:
    model = Preset(Chooser.MODEL, "model gpt-4o", None, "ana")
    target = Preset(Chooser.TARGET, "provider target openai", "legal", None)
    rules = EscalationSettings.model_validate(SEED)
    chosen = [choose(facts(), rules, PEOPLE, NOON, presets).route for presets in ((model, target), (target,), ())]
    assert [route.chosen_by for route in chosen if route] == [Chooser.MODEL, Chooser.TARGET, Chooser.RULE]


def test_a_preset_that_names_nobody_is_passed_over_and_the_choice_says_so() -> None:
    gone = Preset(Chooser.TARGET, "provider target openai", None, "gone@acme.com")
    choice = choose(facts(), EscalationSettings.model_validate(SEED), PEOPLE, NOON, (gone,))
    assert choice.route is not None
    assert choice.route.name == "Catch-all"
    assert "not a known team or user" in choice.considered[0].verdict
    assert choice.considered[-1].verdict == "won"


def test_behind_all_rules_stands_the_built_in_catch_all() -> None:
    choice = choose(facts(), EscalationSettings(), PEOPLE, NOON)
    assert choice.route is not None
    assert (choice.route.chosen_by, choice.route.team) == (Chooser.CATCH_ALL, "default-reviewers")


def test_the_next_level_is_the_next_rule_that_matches() -> None:
    rules = EscalationSettings.model_validate(SEED)
    following = choose_next(facts(severity=Severity.CRITICAL), rules, PEOPLE, NOON, after=0).route
    assert following is not None
    assert following.name == "Catch-all"
    assert choose_next(facts(), rules, PEOPLE, NOON, after=2).route is None


@pytest.mark.parametrize(
    ("match", "about", "matches"),
    [
        ({"policy_rule": "human-oversight"}, {}, True),
        ({"policy_rule": "legal_opinions"}, {}, True),
        ({"policy_rule": "human-oversight.legal_opinions"}, {}, True),
        ({"policy_rule": ["x", "legal_opinions"]}, {}, True),
        ({"policy_rule": "medical_decisions"}, {}, False),
        ({"severity": ["critical", "high"]}, {}, True),
        ({"severity": "low"}, {}, False),
        ({"team": "sales"}, {"team": "sales"}, True),
        ({"team": "sales"}, {}, False),
        ({"consumer_group": "external"}, {"consumer_group": "external"}, True),
        ({"consumer_group": "external"}, {"consumer_group": "internal"}, False),
        ({"severity": "high", "team": "sales"}, {"team": "hr"}, False),
        ({"any": True}, {}, True),
    ],
)
def test_every_criterion_must_hold(match: dict[str, Any], about: dict[str, Any], matches: bool) -> None:
    choice = choose_next(facts(**about), settings({"match": match}), PEOPLE, NOON, after=None)
    assert (choice.route is not None) == matches
    if not matches:
        assert " is " in choice.considered[0].verdict


@pytest.mark.parametrize(
    ("when", "stretch", "matches"),
    [
        ("2026-05-06T12:00+00:00", "inside_business_hours", True),
        ("2026-05-06T12:00+00:00", "outside_business_hours", False),
        ("2026-05-06T17:00+00:00", "outside_business_hours", True),
        ("2026-05-09T12:00+00:00", "outside_business_hours", True),
        ("2026-05-06T23:30+00:00", "22:00-06:00", True),
        ("2026-05-06T05:59+00:00", "22:00-06:00", True),
        ("2026-05-06T06:00+00:00", "22:00-06:00", False),
        ("2026-05-06T21:30+00:00", "22:00-06:00 Europe/Berlin", True),
        ("2026-05-06T12:00+00:00", {"from": "08:00", "to": "18:00", "zone": "Asia/Kolkata"}, True),
    ],
)
def test_time_of_day_is_read_in_its_own_zone(when: str, stretch: Any, matches: bool) -> None:
    rules = settings({"match": {"time_of_day": stretch}})
    choice = choose_next(facts(), rules, PEOPLE, datetime.fromisoformat(when), after=None)
    assert (choice.route is not None) == matches


@pytest.mark.parametrize(("weekday", "matches"), [("fri", True), ("sat", False)])
def test_a_night_of_business_hours_is_that_of_the_day_on_which_it_began(weekday: str, matches: bool) -> None:
    rules = [{"name": "n", "match": {"time_of_day": "inside_business_hours", "weekday": weekday}, "route_to": "ana"}]
    hours = {"from": "22:00", "to": "06:00", "days": [1, 2, 3, 4, 5]}
    made = EscalationSettings.model_validate({"business_hours": hours, "escalation_routing": {"rules": rules}})
    saturday = datetime.fromisoformat("2026-05-09T02:00+00:00")
    assert (choose_next(facts(), made, PEOPLE, saturday, None).route is not None) == matches


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"any": False},
        {"severty": "high"},
        {"severity": "urgent"},
        {"time_of_day": "25:00-26:00"},
        {"score": ">=1.5"},
        {"score": 90},
        {"score": "0.9"},
        {"score": ">=0.9, <0.5"},
        {"score": True},
        {"score": [">=0.9"]},
        {"time_of_day": {"from": "08:00", "to": "09:00", "zone": "Mars/Olympus"}},
    ],
)
def test_a_match_that_says_nothing_sensible_is_refused(match: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings({"match": match})


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two rules are named"):
        settings({"name": "a", "match": {"any": True}}, {"name": "a", "match": {"any": True}})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("team:legal", ("legal", None)),
        ("legal", ("legal", None)),
        ("user:ana", (None, "ana")),
        ("ana", (None, "ana")),
        ("Compliance-Senior@acme.com", (None, "cs")),
        ("team:ghosts", (None, None)),
        ("nobody", (None, None)),
    ],
)
def test_destinations_are_written_in_several_ways(name: str, found: tuple[str | None, str | None]) -> None:
    assert destination(name, PEOPLE) == found


@pytest.mark.parametrize(
    ("match", "given", "reason"),
    [
        ({"category": "legal_opinions"}, {}, None),
        ({"category": "human-oversight"}, {}, "category is legal_opinions"),
        ({"consumer": ["app", "other"]}, {"consumer": "app"}, None),
        ({"consumer": "app"}, {}, "consumer is not set"),
        ({"provider": "openai"}, {"provider": "anthropic"}, "provider is anthropic"),
        ({"model": "gpt-4*"}, {"model": "gpt-4o-mini"}, None),
        ({"model": ["claude-*", "o1"]}, {"model": "gpt-4o"}, "model is gpt-4o"),
        ({"model": "gpt-4o"}, {}, "model is not set"),
        ({"score": ">=0.9"}, {"score": 900}, None),
        ({"score": ">0.9"}, {"score": 900}, "score is 0.9"),
        ({"score": 0.9}, {"score": 899}, "score is 0.899"),
        ({"score": ">=0.5, <0.9"}, {"score": 500}, None),
        ({"score": ">=0.5,<0.9"}, {"score": 900}, "score is 0.9"),
        ({"score": "<= 1"}, {"score": 1000}, None),
        ({"score": ">=0"}, {}, "score is not set"),
        ({"weekday": "wed"}, {}, None),
        ({"weekday": ["sat-sun", "Wednesday"]}, {}, None),
        ({"weekday": "sat-sun"}, {}, "weekday is Wednesday"),
    ],
)
def test_what_a_rule_may_ask(match: dict[str, Any], given: dict[str, Any], reason: str | None) -> None:
    rules = settings({"match": match})
    choice = choose_next(facts(**given), rules, PEOPLE, NOON, None)
    assert (choice.route is not None, choice.considered[0].verdict) == (reason is None, reason or "won")


def test_a_weekday_is_that_of_the_business_hours_zone() -> None:
    document = {
        "business_hours": {"zone": "Asia/Tokyo"},
        "escalation_routing": {"rules": [{"name": "n", "match": {"weekday": "fri"}, "route_to": "team:legal"}]},
    }
    late = datetime(2026, 5, 7, 15, 30, tzinfo=UTC)
    assert choose_next(facts(), EscalationSettings.model_validate(document), PEOPLE, late, None).route is not None


def test_days_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ValidationError):
        settings({"match": {"weekday": ["mon", "someday"]}})


def on_call(*members: Any, **changes: Any) -> EscalationSettings:
    layer = {"name": "week", "members": list(members), "start": "2026-01-05", "handoff": {"at": "00:00"}}
    rules = [
        {"name": "to the night", "match": {"any": True}, "route_to": "schedule:night"},
        {"name": "to all", "match": {"any": True}, "route_to": "team:legal"},
    ]
    document = {"schedules": {"night": {"layers": [layer]}}, "escalation_routing": {"rules": rules}, **changes}
    return EscalationSettings.model_validate(document)


@pytest.mark.parametrize(
    ("schedule", "requester", "user", "verdict"),
    [
        (on_call("ana"), None, "ana", "won"),
        (on_call(["gone", "ana"]), None, "ana", "won"),
        (on_call(["ana", "cs"]), "Ana", "cs", "won"),
        (on_call("ana"), "ana", None, "passed over: ana made the request"),
        (on_call("gone"), None, None, "passed over: nobody is on call in night"),
        (on_call("ana", schedules={}), None, None, "passed over: there is no schedule night"),
    ],
)
def test_a_route_to_a_schedule_goes_to_whoever_is_on_call(
    schedule: EscalationSettings, requester: str | None, user: str | None, verdict: str
) -> None:
    choice = choose(facts(requester=requester), schedule, PEOPLE, NOON)
    assert choice.route is not None
    assert (choice.route.user, choice.route.team) == (user, None if user else "legal")
    assert choice.considered[0].verdict == verdict


DEFAULTS = {
    "teams": {"legal": "slack:#legal", "default-reviewers": "email"},
    "users": {"compliance-senior@acme.com": "pagerduty"},
}


@pytest.mark.parametrize(
    ("rule", "channel"),
    [
        ({"route_to": "team:legal"}, "slack:#legal"),
        ({"route_to": "cs"}, "pagerduty"),
        ({"route_to": "ana"}, "log"),
        ({"route_to": "team:legal", "notification_channel": "log"}, "log"),
        ({"route_to": "team:legal", "notification_channel": "webhook:hook"}, "webhook:hook"),
    ],
    ids=["its team's", "its person's", "nobody set one", "the rule says log", "the rule's"],
)
def test_a_case_is_told_on_the_channel_of_its_rule_or_else_of_whom_it_comes_to(
    rule: dict[str, Any], channel: str
) -> None:
    document = {
        "escalation_routing": {"rules": [{"name": "all", "match": {"any": True}, **rule}]},
        "notification_defaults": DEFAULTS,
    }
    route = choose(facts(), EscalationSettings.model_validate(document), PEOPLE, NOON).route
    assert route is not None
    assert route.channel == channel


def test_what_a_model_or_the_built_in_catch_all_routes_is_told_on_the_team_s_own_channel() -> None:
    rules = EscalationSettings.model_validate({"notification_defaults": DEFAULTS})
    preset = Preset(Chooser.MODEL, "model gpt-4o", "team:legal", None)
    found = [choose(facts(), rules, PEOPLE, NOON, presets).route for presets in ((preset,), ())]
    assert [route.channel for route in found if route is not None] == ["slack:#legal", "email"]


def test_a_leg_that_names_no_channel_is_told_on_that_of_whom_it_reaches() -> None:
    document = {
        "escalation_routing": {"rules": [{"name": "all", "match": {"any": True}, "route_to": "chain:one"}]},
        "chains": {"one": {"legs": [{"to": "cs"}, {"to": "ana", "notify": "email"}], "on_exhausted": "hold"}},
        "notification_defaults": DEFAULTS,
    }
    rules = EscalationSettings.model_validate(document)
    first = choose(facts(), rules, PEOPLE, NOON).route
    assert first is not None
    then = choose_behind(first, LegReason.UNACKNOWLEDGED, facts(), rules, PEOPLE, NOON, Eligibility()).route
    assert then is not None
    assert (first.channel, then.channel) == ("pagerduty", "email")


OFFICE = {
    "zone": "Europe/Berlin",
    "hours": {"mon-fri": ["09:00-12:00", "13:00-17:00"], "sat": "22:00-02:00"},
    "holidays": ["DE-BY"],
    "closed": ["2026-05-08"],
}


@pytest.mark.parametrize(
    ("when", "inside"),
    [
        ("2026-05-06T10:00+02:00", True),
        ("2026-05-06T12:30+02:00", False),
        ("2026-05-06T17:00+02:00", False),
        ("2026-05-14T10:00+02:00", False),  # Ascension Day
        ("2026-05-08T10:00+02:00", False),  # closed
        ("2026-05-10T01:00+02:00", True),  # the night from Saturday on
        ("2026-05-10T10:00+02:00", False),
    ],
)
@pytest.mark.parametrize("stretch", ["inside_business_hours", "outside_business_hours"])
def test_business_hours_are_those_of_a_calendar_with_its_holidays(when: str, inside: bool, stretch: str) -> None:
    rules = [{"name": "n", "match": {"time_of_day": stretch}, "route_to": "team:legal"}]
    document = {
        "calendars": {"office": OFFICE},
        "business_hours": {"calendar": "office"},
        "escalation_routing": {"rules": rules},
    }
    choice = choose_next(
        facts(), EscalationSettings.model_validate(document), PEOPLE, datetime.fromisoformat(when), None
    )
    assert (choice.route is not None) == (inside == (stretch == "inside_business_hours"))


def test_business_hours_of_a_calendar_are_kept_as_written_and_have_no_hours_beside_it() -> None:
    made = EscalationSettings.model_validate({"business_hours": {"calendar": "office"}})
    kept = made.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert kept["business_hours"] == {"calendar": "office"}
    assert EscalationSettings.model_validate(kept) == made
    with pytest.raises(ValidationError, match="of its own"):
        EscalationSettings.model_validate({"business_hours": {"calendar": "office", "zone": "UTC"}})


@pytest.mark.parametrize(
    ("when", "weekday", "matches"),
    [
        ("2026-05-08T22:30+02:00", "fri", True),
        ("2026-05-09T02:00+02:00", "fri", True),
        ("2026-05-09T02:00+02:00", "sat", False),
        ("2026-05-08T02:00+02:00", "fri", False),
        ("2026-05-08T02:00+02:00", "thu", True),
        ("2026-05-09T06:00+02:00", "fri", False),
        ("2026-05-11T00:30+02:00", "sun", True),  # still Sunday in UTC, by which business hours are
    ],
)
def test_the_weekday_of_a_night_is_that_on_which_it_began_by_its_own_zone(
    when: str, weekday: str, matches: bool
) -> None:
    rules = settings({"match": {"weekday": weekday, "time_of_day": "22:00-06:00 Europe/Berlin"}})
    choice = choose_next(facts(), rules, PEOPLE, datetime.fromisoformat(when), None)
    assert (choice.route is not None) == matches


@pytest.mark.parametrize(
    ("when", "inside"),
    [
        ("2026-05-09T02:00+00:00", True),  # of Friday's shift
        ("2026-05-10T02:00+00:00", False),
        ("2026-05-11T02:00+00:00", False),  # Sunday's night
        ("2026-05-11T23:00+00:00", True),
    ],
)
def test_business_hours_over_midnight_belong_to_the_day_of_their_start(when: str, inside: bool) -> None:
    rules = [{"name": "n", "match": {"time_of_day": "inside_business_hours"}, "route_to": "team:legal"}]
    document = {"business_hours": {"from": "22:00", "to": "06:00"}, "escalation_routing": {"rules": rules}}
    choice = choose_next(
        facts(), EscalationSettings.model_validate(document), PEOPLE, datetime.fromisoformat(when), None
    )
    assert (choice.route is not None) == inside


ANY = {"match": {"any": True}}


def staff(teams: dict[str, str]) -> Directory:
    """Ana, Ben, Eve and Sam, of whom Eve reviews nothing and Sam leads, each in one team or in none."""
    roles = {"ana": Role.REVIEWER, "ben": Role.REVIEWER, "eve": Role.AUDITOR, "sam": Role.SENIOR}
    people = {
        login: Person(frozenset({role}), frozenset({teams[login]} if login in teams else ()))
        for login, role in roles.items()
    }
    return Directory(frozenset({"legal", "night", "default-reviewers"}), {login: login for login in roles}, people)


STAFF = Directory(
    frozenset({"legal"}),
    {login: login for login in ("ana", "eve", "sam")},
    {
        "ana": Person(frozenset({Role.REVIEWER}), frozenset({"legal"})),
        "eve": Person(frozenset({Role.AUDITOR}), frozenset({"legal"})),
        "sam": Person(frozenset({Role.SENIOR}), frozenset({"legal"})),
    },
)


@pytest.mark.parametrize(
    ("login", "eligible", "verdict"),
    [
        ("ana", Eligibility(), "won"),
        ("eve", Eligibility(), "passed over: eve may not review"),
        ("ana", Eligibility("Ana"), "passed over: ana made the request"),
        ("ana", Eligibility(never=frozenset({"ana"})), "passed over: ana had a part in it already"),
        ("ana", Eligibility(leads=True), "passed over: ana may not decide it"),
        ("sam", Eligibility(leads=True), "won"),
        ("sam", Eligibility(only=frozenset({"ana"})), "passed over: sam may not decide it"),
    ],
)
def test_a_route_straight_to_a_person_is_for_who_may_have_the_case(
    login: str, eligible: Eligibility, verdict: str
) -> None:
    rule = choose(facts(), settings({"match": {"any": True}, "route_to": login}), STAFF, NOON, (), eligible)
    preset = Preset(Chooser.MODEL, "model gpt-4o", None, login)
    fixed = choose(facts(), EscalationSettings(), STAFF, NOON, (preset,), eligible)
    assert (rule.considered[0].verdict, fixed.considered[0].verdict) == (verdict, verdict)


@pytest.mark.parametrize(
    ("teams", "eligible"),
    [
        ({"eve": "legal", "ben": "night"}, Eligibility()),
        ({"ben": "night"}, Eligibility()),
        ({"ana": "legal", "ben": "night"}, Eligibility("Ana")),
        ({"ana": "legal", "ben": "night"}, Eligibility(never=frozenset({"ana"}))),
        ({"ana": "legal", "sam": "night"}, Eligibility(leads=True)),
    ],
)
def test_a_team_in_which_nobody_may_have_the_case_is_passed_over_and_that_is_seen(
    teams: dict[str, str], eligible: Eligibility
) -> None:
    found = choose(facts(), settings(ANY, {**ANY, "route_to": "team:night"}), staff(teams), NOON, (), eligible)
    assert found.route is not None
    assert found.route.team == "night"
    assert [one.verdict for one in found.considered] == ["passed over: nobody in team:legal may have it", "won"]
    preset = Preset(Chooser.MODEL, "model gpt-4o", "team:legal", None)
    fixed = choose(facts(), settings({**ANY, "route_to": "team:night"}), staff(teams), NOON, (preset,), eligible)
    assert [one.verdict for one in fixed.considered] == [one.verdict for one in found.considered]


def test_a_team_that_is_off_shift_has_its_queue_all_the_same() -> None:
    away = Person(frozenset({Role.REVIEWER}), frozenset({"legal"}), on_shift=False)
    directory = Directory(frozenset({"legal"}), {"ana": "ana"}, {"ana": away})
    found = choose(facts(), settings(ANY), directory, NOON)
    assert found.route is not None
    assert found.route.chosen_by is Chooser.RULE


def test_where_nobody_may_have_it_anywhere_it_waits_where_the_last_rule_would_have_it() -> None:
    rules = settings(ANY, {**ANY, "route_to": "team:night", "notification_channel": "log:night"})
    found = choose(facts(), rules, staff({}), NOON)
    assert found.route is not None
    assert (found.route.team, found.route.channel, found.route.position) == ("night", "log:night", 1)
    assert [one.verdict for one in found.considered] == [
        "passed over: nobody in team:legal may have it",
        "passed over: nobody in team:night may have it",
        "won: nobody else may have it either, so it waits there",
    ]
    assert choose_next(facts(), rules, staff({}), NOON, None).route is None
    caught = choose(facts(), rules, staff({"ben": "default-reviewers"}), NOON)
    assert caught.route is not None
    assert caught.route.chosen_by is Chooser.CATCH_ALL
