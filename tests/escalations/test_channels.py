"""Settings of channels that contradict each other, found when they are saved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from escalations.channels import SlackChannel
from escalations.default_channels import NotificationDefaults
from escalations.directory import Directory
from escalations.grouping import Grouping
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions
from store.settings import as_written

NOW = datetime(2026, 5, 7, tzinfo=UTC)
SLACK = {"type": "slack", "token_ref": {"env": "T"}}
HOOK = {"type": "webhook", "url": "https://x.example", "secret_key_ref": {"env": "S"}}


def wrong(**channels: Any) -> list[tuple[Any, ...]]:
    settings = EscalationSettings.model_validate({"notification_channels": channels})
    return [found.trail[1:] for found in contradictions(settings, Directory(frozenset(), {}), NOW)]


@pytest.mark.parametrize("following", ["log", "hook", "webhook:hook", "slack:#another"])
def test_a_channel_falls_through_to_any_that_a_rule_may_name(following: str) -> None:
    assert wrong(first={**HOOK, "fall_through": following}, hook=HOOK, slack=SLACK) == []


@pytest.mark.parametrize("following", ["nowhere", "email:ana@example.com", "slack:not a channel"])
def test_a_channel_that_falls_through_to_nothing_is_refused(following: str) -> None:
    assert wrong(first={**HOOK, "fall_through": following}, slack=SLACK) == [("first", "fall_through")]


def test_a_circle_of_channels_is_refused() -> None:
    assert wrong(a={**HOOK, "fall_through": "a"}) == [("a", "fall_through")]
    round_about = wrong(
        a={**HOOK, "fall_through": "b"}, b={**HOOK, "fall_through": "slack:#x"}, slack={**SLACK, "fall_through": "a"}
    )
    assert round_about == [("a", "fall_through"), ("b", "fall_through"), ("slack", "fall_through")]


@pytest.mark.parametrize(("whose", "name"), [("teams", "nobody-s"), ("users", "nobody@example.com")])
def test_quiet_hours_of_nobody_are_refused(whose: str, name: str) -> None:
    known = Directory(frozenset({"legal"}), {"ana": "ana", "ana@example.com": "ana"})
    quiet = {"from": "20:00", "to": "07:00"}
    hours = {"teams": {"legal": quiet}, "users": {"ana@example.com": quiet}}
    for more, trail in (({}, []), ({name: quiet}, [("quiet_hours", whose, name)])):
        written = {**hours, whose: {**hours[whose], **more}}
        settings = EscalationSettings.model_validate({"notification_defaults": {"quiet_hours": written}})
        assert [found.trail[1:] for found in contradictions(settings, known, NOW)] == trail


@pytest.mark.parametrize(
    ("recipient", "own"),
    [("ana", "21:00"), ("team:legal", "20:00"), ("team:medical", None), ("ben", None), ("admins", None)],
)
def test_quiet_hours_are_of_whom_a_notification_is_for(recipient: str, own: str | None) -> None:
    known = Directory(frozenset({"legal", "medical"}), {"ana": "ana", "ana@example.com": "ana", "ben": "ben"})
    hours = {
        "teams": {"legal": {"from": "20:00", "to": "07:00"}},
        "users": {"Ana@example.com": {"from": "21:00", "to": "07:00"}},
    }
    found = NotificationDefaults.model_validate({"quiet_hours": hours}).quiet_of(recipient, known)
    assert (found and found.start) == own


@pytest.mark.parametrize("written", ["off", False, None])
def test_grouping_is_on_unless_it_is_off_and_stays_as_it_was_written(written: object) -> None:
    settings = EscalationSettings.model_validate(
        {"notification_channels": {"plain": SLACK, "single": {**SLACK, "group": written}}}
    )
    again = EscalationSettings.model_validate(as_written(settings))
    assert again == settings
    plain, single = (again.notification_channels[name] for name in ("plain", "single"))
    assert isinstance(plain, SlackChannel)
    assert isinstance(single, SlackChannel)
    assert (plain.group, single.group) == (Grouping(), None)


def test_buttons_that_act_need_a_signing_secret() -> None:
    assert wrong(slack={**SLACK, "interactive": True}) == [("slack", "interactive")]
    assert wrong(slack={**SLACK, "interactive": True, "signing_secret_ref": {"env": "S"}}) == []
