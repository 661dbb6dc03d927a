"""Settings of channels that contradict each other, found when they are saved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from escalations.directory import Directory
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions

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


def test_buttons_that_act_need_a_signing_secret() -> None:
    assert wrong(slack={**SLACK, "interactive": True}) == [("slack", "interactive")]
    assert wrong(slack={**SLACK, "interactive": True, "signing_secret_ref": {"env": "S"}}) == []
