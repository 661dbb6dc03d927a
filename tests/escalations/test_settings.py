"""Settings in the documented form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalations.durations import format_duration, parse_duration
from escalations.facts import Facts
from escalations.settings import EscalationSettings
from escalations.severity import Severity


def test_the_defaults_are_the_documented_ones() -> None:
    sla = EscalationSettings().sla
    targets = [sla.terms(severity, 0).target for severity in Severity]
    assert targets == [timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=24)]
    assert sla.amber_at_remaining == 50


@pytest.mark.parametrize(
    "written", [{"critical": "15s"}, {"targets": {"critical": "15s"}}, {"critical": 15}, {"critical": "PT15S"}]
)
def test_targets_are_written_beside_or_under_targets(written: dict[str, Any]) -> None:
    sla = EscalationSettings.model_validate({"sla": written}).sla
    assert sla.critical == timedelta(seconds=15)
    assert sla.high == timedelta(hours=1)


@pytest.mark.parametrize(("written", "percent"), [("50%", 50), (25, 25), (0.1, 10), ("5 %", 5)])
def test_the_amber_threshold_is_a_percentage(written: Any, percent: int) -> None:
    assert EscalationSettings.model_validate({"sla": {"amber_at_remaining": written}}).sla.amber_at_remaining == percent


def test_a_claim_lease_can_be_switched_off() -> None:
    assert EscalationSettings.model_validate({"sla": {"claim_lease": "off"}}).sla.claim_lease is None


@pytest.mark.parametrize(
    "document",
    [
        {"slo": {}},
        {"sla": {"critical": "soon"}},
        {"sla": {"critical": 0}},
        {"sla": {"amber_at_remaining": "150%"}},
        {"escalation_routing": {"rules": [{"name": "x", "match": {"any": True}, "route_to": "squad:x"}]}},
        {"notification_channels": {"hook": {"type": "webhook", "url": "ftp://x", "secret_key_ref": {"env": "S"}}}},
        {"notification_channels": {"hook": {"type": "webhook", "url": "https://x", "secret_key_ref": {}}}},
        {"notification_channels": {"hook": {"type": "pigeon"}}},
        {"decisions": {"categories": ["mine"]}},
        {"business_hours": {"zone": "Europe"}},
        {"calendars": {"office": {"zone": "Europe", "hours": {"mon": "09:00-17:00"}}}},
        {"schedules": {"night": {"layers": []}}},
    ],
)
def test_what_makes_no_sense_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EscalationSettings.model_validate(document)


def test_settings_survive_being_stored() -> None:
    settings = EscalationSettings.model_validate(
        {
            "sla": {"critical": "90s", "claim_lease": "off"},
            "escalation_routing": {
                "rules": [
                    {"name": "n", "match": {"time_of_day": "22:00-06:00", "severity": "high"}, "route_to": "team:a"}
                ]
            },
            "unverified_signals": True,
        }
    )
    stored = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert EscalationSettings.model_validate(stored).escalation_routing == settings.escalation_routing


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("15m", 900),
        ("4h", 14400),
        ("24h", 86400),
        ("7d", 604800),
        ("PT15M", 900),
        ("P1DT2H", 93600),
        ("1h30m", 5400),
        ("90", 90),
        (2.5, 2.5),
    ],
)
def test_durations_as_people_write_them(text: Any, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "-5s", "0s", "PT", "1y", True, "9999d", None, [], {}, 1e300, 10**400, "9" * 400, float("inf")]
)
def test_what_is_no_duration_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(ValueError, match=r"15m|longer than zero|ten years"):
        parse_duration(text)


@given(st.integers(1, 10**8))
def test_formatting_a_duration_is_the_inverse_of_reading_it(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("sla", "severity", "lease"),
    [
        ({}, Severity.CRITICAL, timedelta(minutes=15)),
        ({}, Severity.LOW, timedelta(hours=1)),
        ({"critical": "10s"}, Severity.CRITICAL, timedelta(minutes=1)),
        ({"claim_lease": "5m"}, Severity.LOW, timedelta(minutes=5)),
        ({"claim_lease": "off"}, Severity.CRITICAL, None),
        ({"overrides": [{"match": {"team": "legal"}, "low": "20m"}]}, Severity.LOW, timedelta(minutes=20)),
    ],
)
def test_a_lease_that_nobody_gave_does_not_outlast_the_target(
    sla: dict[str, object], severity: Severity, lease: timedelta | None
) -> None:
    facts = Facts("human-oversight", "legal_opinions", severity, team="legal")
    settings = EscalationSettings.model_validate({"sla": sla}).sla.for_case(facts)
    assert settings.terms(severity, 1).lease == lease
