"""What a case is held to, by the settings at its opening."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from escalations import sla_settings
from escalations.directory import Directory
from escalations.facts import Facts
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions
from escalations.severity import Severity
from escalations.terms import Frozen, terms_of

HOUR = timedelta(hours=1)
FRIDAY = datetime(2026, 3, 27, 15, 30, tzinfo=UTC)
"""16:30 in Berlin, on the eve of the night in which clocks go forward."""
OFFICE = {"zone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}, "holidays": ["DE-BY"]}
FLOOR = {"zone": "UTC", "hours": {"mon-sun": "00:00-24:00"}}


def settings(**document: Any) -> EscalationSettings:
    return EscalationSettings.model_validate(document)


def facts(severity: Severity = Severity.HIGH, **changes: Any) -> Facts:
    return Facts(**{"policy_rule": "human-oversight", "reason_code": "legal_opinions", "severity": severity, **changes})


def test_the_documented_example_means_what_it_says() -> None:
    written = yaml.safe_load((sla_settings.__doc__ or "").partition("\n")[2])
    made = settings(**written, calendars={"office": OFFICE, "trading-floor": FLOOR})
    plain = terms_of(made, 3, facts(Severity.CRITICAL), FRIDAY)
    assert (plain.target, plain.claim_target, plain.max_pause) == (HOUR / 4, HOUR / 12, 4 * HOUR)
    assert plain.open_time is not None
    assert (plain.open_time.calendar, plain.open_time.settings_version) == ("office", 3)
    assert (plain.calendar, plain.set_aside) == (None, "office")
    assert plain.notify_at_remaining == (10,), "the reminder at 50 % would come with amber"
    trading = terms_of(made, 3, facts(consumer_group="trading"), FRIDAY)
    assert trading.target == HOUR / 2
    assert trading.open_time is not None
    assert trading.open_time.calendar == "trading-floor"
    assert {severity: target for severity, target, _ in trading.by_severity}[Severity.HIGH] == HOUR / 2


def test_the_weekend_of_the_change_of_clocks_does_not_count() -> None:
    made = settings(sla={"calendar": "office"}, calendars={"office": OFFICE})
    terms = terms_of(made, 1, facts(), FRIDAY)
    assert terms.due_at(FRIDAY) == datetime(2026, 3, 30, 7, 30, tzinfo=UTC)


SATURDAY = FRIDAY + 24 * HOUR


@pytest.mark.parametrize(
    ("sla", "due"),
    [
        ({}, SATURDAY + HOUR / 4),
        ({"calendar_for_critical": True}, datetime(2026, 3, 30, 7, 15, tzinfo=UTC)),
        ({"overrides": [{"match": {"team": "a"}, "calendar_for_critical": True}]}, SATURDAY + HOUR / 4),
        (
            {"overrides": [{"match": {"policy": "human-oversight"}, "calendar_for_critical": True}]},
            datetime(2026, 3, 30, 7, 15, tzinfo=UTC),
        ),
        (
            {
                "calendar_for_critical": True,
                "overrides": [{"match": {"policy": "human-oversight"}, "calendar_for_critical": False}],
            },
            SATURDAY + HOUR / 4,
        ),
    ],
)
def test_a_critical_case_runs_through_closed_hours_unless_settings_say_otherwise(
    sla: dict[str, Any], due: datetime
) -> None:
    made = settings(
        sla={"calendar": "office", "claim_targets": {"critical": "15m"}, **sla}, calendars={"office": OFFICE}
    )
    terms = terms_of(made, 1, facts(Severity.CRITICAL), SATURDAY)
    assert (terms.due_at(SATURDAY), terms.claim_due_at(SATURDAY)) == (due, due)
    assert terms_of(made, 1, facts(), SATURDAY).due_at(SATURDAY) == datetime(2026, 3, 30, 8, 0, tzinfo=UTC)


def test_calendars_are_frozen_once_an_hour() -> None:
    made = settings(sla={"calendar": "office"}, calendars={"office": OFFICE})
    frozen: Frozen = {}
    first = terms_of(made, 1, facts(), FRIDAY, frozen)
    assert terms_of(made, 1, facts(), FRIDAY + 20 * timedelta(minutes=1), frozen).open_time is first.open_time
    terms_of(made, 1, facts(), FRIDAY + HOUR, frozen)
    assert len(frozen) == 1
    terms_of(made, 2, facts(), FRIDAY + HOUR, frozen)
    assert len(frozen) == 2


def test_a_frozen_calendar_lasts_for_the_longest_target_and_its_pauses_however_late_it_starts() -> None:
    made = settings(sla={"calendar": "office", "max_pause": "3d"}, calendars={"office": OFFICE})
    terms = terms_of(made, 1, facts(), FRIDAY)
    assert terms.open_time is not None
    calendar = made.calendars["office"].calendar()
    start = FRIDAY + 12 * HOUR
    assert terms.open_time.add(start, 96 * HOUR) == calendar.add_open_time(start, 96 * HOUR)


def test_a_calendar_that_is_gone_makes_a_deadline_early_and_not_lost() -> None:
    stored = settings(sla={"calendar": "office"})
    assert terms_of(stored, 1, facts(), FRIDAY).due_at(FRIDAY) == FRIDAY + HOUR


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({"policy": "human-oversight"}, True),
        ({"policy": "legal_opinions"}, True),
        ({"policy": ["x", "human-oversight.legal_opinions"]}, True),
        ({"policy": "medical"}, False),
        ({"team": "legal"}, True),
        ({"team": "legal", "consumer_group": "trading"}, False),
        ({"consumer_group": "retail"}, True),
    ],
)
def test_the_first_override_that_matches_counts(match: dict[str, Any], fits: bool) -> None:
    overrides = [{"match": match, "high": "2h"}, {"match": {"policy": "human-oversight"}, "targets": {"high": "3h"}}]
    made = settings(sla={"overrides": overrides})
    terms = terms_of(made, 1, facts(team="legal", consumer_group="retail"), FRIDAY)
    assert terms.target == (2 if fits else 3) * HOUR


def test_a_default_claim_outlasts_no_deadline() -> None:
    assert settings().sla.claim_lease == HOUR
    seconds = {severity.value: "10s" for severity in Severity}
    assert settings(sla=seconds).sla.claim_lease == timedelta(seconds=10)


def test_they_survive_being_stored() -> None:
    sla = {
        "claim_targets": {"critical": "5m"},
        "max_pause": "4h",
        "notify_at_remaining": ["20%", 5],
        "overrides": [{"match": {"team": "legal"}, "low": "2d", "calendar": "office"}],
    }
    made = settings(sla=sla, calendars={"office": OFFICE})
    assert EscalationSettings.model_validate(made.model_dump(mode="json", by_alias=True, exclude_none=True)) == made


def test_targets_are_written_in_hours_for_a_day_of_open_time_is_none() -> None:
    written = settings(sla={"low": "1d", "claim_targets": {"low": "26h"}, "expire_after": "7d"}).model_dump(mode="json")
    assert (written["sla"]["low"], written["sla"]["claim_targets"], written["sla"]["expire_after"]) == (
        "24h",
        {"low": "26h"},
        "7d",
    )


@pytest.mark.parametrize(
    "sla",
    [
        {"overrides": [{"match": {}}]},
        {"overrides": [{"match": {"policy": "x"}, "claim_lease": "1h"}]},
        {"overrides": [{"high": "1h"}]},
        {"notify_at_remaining": ["0%"]},
        {"claim_targets": {"urgent": "1m"}},
    ],
)
def test_what_makes_no_sense_is_refused(sla: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(sla=sla)


LAYER = {"name": "a", "members": ["ana"], "start": "2026-01-05"}


@pytest.mark.parametrize(
    ("document", "trail"),
    [
        ({"sla": {"calendar": "offize"}, "calendars": {"office": OFFICE}}, ("sla", "calendar")),
        (
            {"sla": {"overrides": [{"match": {"team": "a"}, "calendar": "x"}]}},
            ("sla", "overrides", 0, "calendar"),
        ),
        ({"sla": {"claim_targets": {"critical": "1h"}}}, ("sla", "claim_targets", "critical")),
        (
            {"sla": {"claim_targets": {"high": "1h"}, "overrides": [{"match": {"team": "a"}, "high": "30m"}]}},
            ("sla", "overrides", 0, "claim_targets", "high"),
        ),
        ({"sla": {"claim_lease": "2d"}}, ("sla", "claim_lease")),
        (
            {"escalation_routing": {"rules": [{"name": "n", "match": {"any": True}, "route_to": "schedule:night"}]}},
            ("escalation_routing", "rules", 0, "route_to"),
        ),
        (
            {"calendars": {"c": {"hours": {"sun": "09:00-10:00"}}}},
            None,
        ),
        (
            {"schedules": {"s": {"layers": [{**LAYER, "members": ["nobody"]}]}}},
            ("schedules", "s", "layers", 0, "members", 0),
        ),
        ({"schedules": {"s": {"layers": [LAYER]}}}, None),
        ({"schedules": {"s": {"layers": [{**LAYER, "start": "2028-01-05"}]}}}, ("schedules", "s", "layers")),
        ({"schedules": {"s": {"layers": [LAYER, {**LAYER, "name": "b", "start": "2062-01-05"}]}}}, None),
    ],
)
def test_contradictions_are_found_where_they_stand(document: dict[str, Any], trail: tuple[Any, ...] | None) -> None:
    found = list(contradictions(settings(**document), Directory(frozenset(), {"ana": "ana"}), FRIDAY))
    assert [one.trail for one in found] == ([] if trail is None else [trail])


def test_a_calendar_that_never_opens_is_found() -> None:
    days = [(FRIDAY + timedelta(days=day)).date().isoformat() for day in range(400)]
    made = settings(calendars={"never": {"hours": {"mon-sun": "00:00-24:00"}, "closed": days}})
    [found] = contradictions(made, Directory(frozenset(), {}), FRIDAY)
    assert found.trail == ("calendars", "never")
