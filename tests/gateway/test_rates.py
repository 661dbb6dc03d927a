"""The counts behind `rate-anomaly`: from the store, in the background, unknown when they are too old."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from gateway import rates
from gateway.rates import CountedRates
from policies.rates import Rate
from store.database import Database, sqlite_url
from store.events import GovernedEvent, put_events
from tests.support.stack import LEGAL, Stack, wait_for
from tests.support.stores import new_store

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
_numbers = iter(range(10**6))


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def database(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    async with new_store(request.param, tmp_path, postgres) as made:
        yield made


async def happened(database: Database, consumer: str, ago: timedelta, times: int = 1, **fields: str) -> None:
    what = {"verdict": "escalated", "policy_rule": "human-oversight", **fields}
    batch = [
        GovernedEvent(
            event_id=f"evt_{next(_numbers)}", at=datetime.now(UTC) - ago, request_id="req", consumer=consumer,
            gateway="gateway", config_version="c@1", config_digest="d", **what,
        )
        for _ in range(times)
    ]  # fmt: skip
    async with database.write() as connection:
        await put_events(connection, batch)


async def test_recent_ones_and_those_of_the_baseline_are_counted_apart_by_consumer(database: Database) -> None:
    await happened(database, "app", timedelta(minutes=5), 3)
    await happened(database, "app", timedelta(hours=5), 2)
    await happened(database, "app", timedelta(days=9), 7)
    await happened(database, "app", timedelta(minutes=5), verdict="passed")
    await happened(database, "app", timedelta(minutes=5), 4, policy_rule="rate-anomaly")
    await happened(database, "other", timedelta(minutes=5), 1)
    counted = CountedRates(database)
    counted.want(HOUR, WEEK)
    await counted.renew()
    assert counted.of("app", HOUR, WEEK) == Rate(3, 2)
    assert counted.of("other", HOUR, WEEK) == Rate(1, 0)
    assert counted.of("nobody", HOUR, WEEK) == Rate(0, 0)


async def test_what_was_never_counted_or_not_for_long_is_not_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = CountedRates(database)
    counted.want(HOUR, WEEK)
    assert counted.of("app", HOUR, WEEK) is None
    await counted.renew()
    assert counted.of("app", HOUR, WEEK) == Rate()
    assert counted.of("app", HOUR, timedelta(days=1)) is None
    later = time.monotonic() + rates.STALE_S + 1
    monkeypatch.setattr(rates.time, "monotonic", lambda: later)
    assert counted.of("app", HOUR, WEEK) is None


async def test_a_store_that_is_away_leaves_what_is_known_until_that_is_too_old(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "nowhere" / "at-all.db"))
    counted = CountedRates(database)
    counted.want(HOUR, WEEK)
    await counted.renew()
    assert counted.of("app", HOUR, WEEK) is None
    await database.close()


def test_a_consumer_far_above_its_usual_is_held_for_a_person_and_others_are_not(stack: Stack) -> None:
    admin = stack.api("admin")
    admin.post("/v1/consumers", json={"consumer_id": "rated-1", "consumer_group": "rated"})
    admin.post("/v1/consumers", json={"consumer_id": "rated-2", "consumer_group": "rated"})
    keys = [admin.post("/v1/tokens", json={"consumer_id": f"rated-{n}"}).json()["token"] for n in (1, 2)]

    def ask(key: str, text: str) -> httpx.Response:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{stack.info['gateway_url']}/v1/chat/completions", json=body, headers=headers, timeout=60)

    assert ask(keys[0], "hello").headers["x-policy-verdict"] == "passed"
    for number in range(3):
        assert ask(keys[0], f"{LEGAL} rated {number}").headers["x-policy-verdict"] == "escalated"

    def held() -> str | None:
        return ask(keys[0], "hello again").headers.get("x-escalation-id")

    case = stack.escalation(wait_for(held, "the rate to be noticed"))
    assert (case["policy_rule"], case["reason_code"], case["severity"]) == ("rate-anomaly", "above_usual", "low")
    assert ask(keys[1], "hello").headers["x-policy-verdict"] == "passed"
