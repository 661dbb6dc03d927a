"""When a failed attempt is made again, by the delivery log's count of failures."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities import failing
from activities.channels.guard import ALLOW_PRIVATE
from activities.choosing import PLACES
from activities.notify import Notifier
from escalations.settings import EscalationSettings
from store.attempts import AttemptOutcome, list_attempts
from store.database import Database
from store.settings import put_settings
from tests.activities.notifications import notification
from tests.activities.receivers import Answer, serving
from tests.support.stores import new_store
from workflows.messages import GivenUp, Notification
from workflows.notifying import FOR_DAYS, GIVEN_UP_AFTER

SECRET = "whsec_" + base64.b64encode(b"a secret of these tests' webhooks").decode()
PUBLISHED = [
    timedelta(hours=hours, minutes=minutes, seconds=5)
    for hours, minutes in ((0, 0), (0, 5), (0, 35), (2, 35), (7, 35), (17, 35), (31, 35), (51, 35), (75, 35))
]
"""The column "time since start" of the standard's table."""


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_store("sqlite", tmp_path, None) as made:
        yield made


@pytest_asyncio.fixture
async def notifier(database: Database) -> AsyncIterator[Notifier]:
    """Whose receivers all answer 500."""
    with serving(lambda _: Answer(500)) as server:
        url = f"http://127.0.0.1:{server.port}"
        channels = {
            "hook": {"type": "webhook", "url": f"{url}/hook", "secret_key_ref": {"env": "S"}},
            "pagerduty": {"type": "pagerduty", "routing_key_ref": {"env": "K"}},
        }
        settings = EscalationSettings.model_validate({"notification_channels": channels})
        async with database.write() as connection:
            await put_settings(connection, "default", settings, "admin", datetime.now(UTC))
        yield Notifier(database, {"S": SECRET, "K": "k", ALLOW_PRIVATE: "1", "KT_PAGERDUTY_URL": url})


async def waits(notifier: Notifier, told: Notification, count: int) -> list[timedelta]:
    found = []
    for _ in range(count):
        with pytest.raises(ApplicationError) as failed:
            await notifier.notify(told)
        assert failed.value.next_retry_delay is not None
        found.append(failed.value.next_retry_delay)
    return found


async def test_a_webhook_is_tried_again_when_standard_webhooks_says(notifier: Notifier) -> None:
    since = [timedelta()]
    for wait in await waits(notifier, notification(channel="hook"), 9):
        since.append(since[-1] + wait)
    assert [due <= at <= due * failing.SPREAD for due, at in zip(PUBLISHED, since[1:], strict=True)] == [True] * 9
    assert since[-1] < GIVEN_UP_AFTER < since[-1] + timedelta(hours=24), "the tenth failure is the last"


async def test_after_a_worker_that_died_it_is_tried_again_within_minutes_however_often_there_was_no_place() -> None:
    """Temporal counts those attempts too. A wait that a failure asks for may be longer than its longest interval."""
    longest = FOR_DAYS.maximum_interval
    assert longest is not None
    assert longest <= timedelta(minutes=10)


async def test_what_calls_people_is_tried_at_least_every_four_hours(notifier: Notifier) -> None:
    found = await waits(notifier, notification(channel="pagerduty"), 9)
    hours_4 = 4 * 3600
    due = [5, 20, 80, 320, 1280, 5120, hours_4, hours_4, hours_4]
    assert [s <= wait.total_seconds() <= s * failing.SPREAD for s, wait in zip(due, found, strict=True)] == [True] * 9


async def test_what_was_given_up_begins_anew_when_it_is_sent_once_more(notifier: Notifier) -> None:
    told = notification(channel="hook")
    await waits(notifier, told, 3)
    await notifier.give_up(GivenUp(told, "the receiver answered 500"))
    (wait,) = await waits(notifier, replace(told, replayed=True), 1)
    assert wait < timedelta(seconds=6)


async def test_failures_of_another_notification_do_not_count(notifier: Notifier) -> None:
    await waits(notifier, notification(channel="hook"), 3)
    (wait,) = await waits(notifier, notification(channel="hook", seq=2), 1)
    assert wait < timedelta(seconds=6)


async def test_one_without_a_place_comes_again_soon_and_has_no_row(notifier: Notifier, database: Database) -> None:
    hook = notification(channel="hook")
    taken = [notifier.channels.place(replace(hook, channel="webhook:hook")) for _ in range(PLACES)]
    for place in taken:
        await place.__aenter__()
    with pytest.raises(ApplicationError, match="busy") as failed:
        await notifier.notify(hook)
    assert failed.value.next_retry_delay is not None
    assert failed.value.next_retry_delay <= timedelta(seconds=30)
    with pytest.raises(ApplicationError, match="500"):
        await notifier.notify(notification(channel="pagerduty"))
    for place in taken:
        await place.__aexit__(None, None, None)
    with pytest.raises(ApplicationError, match="500"):
        await notifier.notify(hook)
    async with database.read() as connection:
        rows = await list_attempts(connection, "default", channel="hook", outcome=AttemptOutcome.FAILED)
    assert len(rows) == 1
