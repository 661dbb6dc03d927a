"""Clocks of a day and over a weekend, in a second or two: server-side time skipping on a real server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from temporalio.testing import TimeSkipper

from escalations.commands import Claim
from escalations.facts import Facts
from escalations.routes import Chooser, Route
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.terms import terms_of
from runtime.parts import TENANT
from store.settings import put_settings
from tests.escalations.cases import opening
from tests.support.bench import reviewer, running_worker
from tests.support.full_server import running_full_server
from vault.codec import data_converter
from vault.keyring import ensure_keyring

RULES = {
    "escalation_routing": {
        "rules": [
            {"name": "first", "match": {"any": True}, "route_to": "team:legal"},
            {"name": "second", "match": {"severity": "low"}, "route_to": "team:compliance"},
        ]
    }
}
LOW = EscalationSettings.model_validate({"sla": {"claim_lease": "off"}}).sla
ROUTE = Route(Chooser.RULE, "first", team="legal", position=0)
HALF_DAY = timedelta(hours=12)


@pytest.mark.timeout(1800)
async def test_the_default_day_of_a_low_case_amber_breach_and_reassignment(tmp_path: Path) -> None:
    keyring = ensure_keyring(tmp_path / "keyring.json")
    async with (
        running_full_server(tmp_path, data_converter(keyring)) as client,
        running_worker(client, tmp_path) as bench,
    ):
        settings = EscalationSettings.model_validate(RULES)
        async with bench.database.write() as connection:
            version = await put_settings(connection, TENANT, settings, "test", datetime.now(UTC))
        terms = LOW.terms(Severity.LOW, version.version)
        assert terms.target == timedelta(hours=24)
        handle = await bench.start(opening(severity=Severity.LOW, sla=terms, route=ROUTE))
        await bench.happened("esc_1", "opened")
        await bench.do("esc_1", Claim(reviewer()))
        assert await TimeSkipper(client).fast_forward(handle, timedelta(hours=25))
        entries = await bench.happened("esc_1", "reassigned")
    kinds = [entry.event.type.value for entry in entries]
    happened = ["opened", "claimed", "amber", "reminder", "breached", "released_at_breach", "reassigned"]
    assert kinds[:7] == happened
    times = {entry.event.type.value: entry.event.at - entries[0].event.at for entry in entries}
    assert HALF_DAY <= times["amber"] < HALF_DAY + timedelta(minutes=1)
    assert 2 * HALF_DAY <= times["breached"] < 2 * HALF_DAY + timedelta(minutes=1)
    assert entries[6].event.data["rule"] == "second"


@pytest.mark.timeout(1800)
async def test_a_weekend_does_not_count_where_the_calendar_is_closed(tmp_path: Path) -> None:
    settings = EscalationSettings.model_validate(
        {
            "sla": {"low": "44h", "claim_lease": "off", "calendar": "office", "expire_after": "30d"},
            "calendars": {"office": {"zone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}}},
        }
    )
    facts = Facts("human-oversight", "legal_opinions", Severity.LOW)
    terms = terms_of(settings, 1, facts, datetime.now(UTC))
    keyring = ensure_keyring(tmp_path / "keyring.json")
    async with (
        running_full_server(tmp_path, data_converter(keyring)) as client,
        running_worker(client, tmp_path) as bench,
    ):
        handle = await bench.start(opening(severity=Severity.LOW, sla=terms, route=ROUTE))
        await bench.happened("esc_1", "opened")
        assert await TimeSkipper(client).fast_forward(handle, timedelta(days=12))
        entries = await bench.happened("esc_1", "breached")
    at = {entry.event.type.value: entry.event.at for entry in entries}
    opened = at["opened"]
    for kind, due in (("amber", terms.amber_at(opened)), ("breached", terms.due_at(opened))):
        assert due <= at[kind] < due + timedelta(minutes=1)
        assert at[kind].astimezone(ZoneInfo("Europe/Berlin")).weekday() < 5
    # Five days and a half of eight hours have a weekend between them, whenever they begin.
    assert at["breached"] - opened > timedelta(days=7)
