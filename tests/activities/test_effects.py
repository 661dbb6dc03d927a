"""The one table of what an event does: complete, and the same in the docs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.channels.effects import EFFECTS, OnPagerDuty, OnSlack, effect_of
from activities.channels.faults import LONGEST_WAIT, retry_after
from activities.channels.words import page, plain
from escalations.events import FINAL, EventType

NOW = datetime(2026, 5, 7, 10, tzinfo=UTC)


def test_every_event_has_an_effect_of_its_own() -> None:
    assert {event.value for event in EventType} <= set(EFFECTS)


def test_every_end_closes_what_was_opened() -> None:
    assert {EFFECTS[event].pagerduty for event in FINAL} == {OnPagerDuty.RESOLVE}
    assert all(EFFECTS[event].slack is OnSlack.CARD and EFFECTS[event].mails for event in FINAL)


def test_an_event_of_a_later_version_is_shown_and_wakes_nobody() -> None:
    effect = effect_of("of_the_future")
    assert (effect.slack, effect.mails, effect.pagerduty) == (OnSlack.CARD, True, OnPagerDuty.NOTHING)


def test_the_docs_say_the_same() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \|$", page, re.MULTILINE)
    told = {event: (slack, mails, pagerduty) for event, slack, mails, pagerduty in rows}
    assert told == {
        str(event): (effect.slack.value, "yes" if effect.mails else "no", effect.pagerduty.value)
        for event, effect in EFFECTS.items()
    }


@pytest.mark.parametrize(
    ("written", "wait"),
    [
        ("37", timedelta(seconds=37)),
        ("0", timedelta(seconds=1)),
        ("999999999999999", LONGEST_WAIT),
        ("Thu, 07 May 2026 10:02:00 GMT", timedelta(minutes=2)),
        ("Thu, 07 May 2026 09:00:00 GMT", timedelta(seconds=1)),
        ("Thu, 07 May 2099 10:02:00 GMT", LONGEST_WAIT),
        ("-5", None),
        ("1e9", None),
        ("soon", None),
        ("٣٧", None),
        ("", None),
    ],
)
def test_retry_after_is_read_and_bounded(written: str, wait: timedelta | None) -> None:
    assert retry_after({"retry-after": written}, lambda: NOW) == wait


def test_names_become_one_clean_line() -> None:
    assert plain("a\r\nBcc: x\u202e\u200b\x00  b") == "a Bcc: x b"
    assert plain("x" * 300) == "x" * 199 + "…"


def test_a_page_is_under_the_public_address() -> None:
    assert page({"KT_PUBLIC_URL": "https://r.example/"}, "esc_1") == "https://r.example/escalations/esc_1"
    assert page({}, "../a?b#c") == "http://127.0.0.1:41001/escalations/..%2Fa%3Fb%23c"
