"""Bursts and quiet hours, on a real Temporal server and against a workspace and a mailbox."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError
from sqlalchemy import select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.channels.digest import MOST_NAMED
from activities.failing import attempt_of
from activities.notify import Notifier
from escalations.grouping import QuietHours
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.views import View
from runtime.temporal_binary import find_cli, usual_sources
from store.attempts import Attempt, AttemptOutcome, list_attempts, put_attempt
from store.database import Database, sqlite_url
from store.escalations import put_view
from store.groups import waiting_in
from store.migrating import migrate
from store.notification_tables import grouped_notifications
from store.settings import put_settings
from tests.activities.notifications import claimed, resolved, view
from tests.activities.receivers import Answer, FakeSlack, serving
from tests.activities.test_email import Mailbox, server
from tests.store.test_assigning import staff
from tests.support.bench import eventually, running_worker
from vault.codec import data_converter
from vault.keyring import ensure_keyring
from workflows.attributes import ALL
from workflows.messages import GroupBatch, GroupRef, Notification

BURST = 500


@dataclass
class House:
    """Notifications are handed over before a worker runs, as after an outage: then all of them wait at once."""

    environment: WorkflowEnvironment
    directory: Path
    database: Database
    slack: FakeSlack
    mailbox: Mailbox
    environ: dict[str, str]
    smtp_port: int

    async def configure(
        self, email: dict[str, Any] | None = None, defaults: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """A `group` in which the first waits too, unless it says otherwise."""
        if isinstance(more.get("group"), dict):
            more["group"] = {"first": "waits", **more["group"]}
        channels = {
            "slack": {"type": "slack", "token_ref": {"env": "T"}, "channel": "C0LEGAL001", **more},
            "email": {
                "type": "email", "host": "127.0.0.1", "port": self.smtp_port, "tls": "none",
                "from": "kt@example.com", "to": ["desk@example.com"], **(more if email is None else email),
            },
        }  # fmt: skip
        written = {"notification_channels": channels, "notification_defaults": defaults or {}}
        settings = EscalationSettings.model_validate(written)
        async with self.database.write() as connection:
            await put_settings(connection, "default", settings, "admin", datetime.now(UTC))

    @property
    def notifier(self) -> Notifier:
        return Notifier(self.database, self.environ, None, self.environment.client)

    async def tell(self, *notifications: Notification) -> None:
        notifier = self.notifier
        await asyncio.gather(*(notifier.notify(one) for one in notifications))

    async def rows(self, escalation_id: str, outcome: AttemptOutcome) -> int:
        async with self.database.read() as connection:
            found = await list_attempts(connection, "default", escalation_id=escalation_id, outcome=outcome)
        return len(found)

    def posted(self) -> list[dict[str, Any]]:
        return self.slack.messages["C0LEGAL001"]

    def said(self, channel: str) -> list[str]:
        """What was posted, or mailed, one text a message."""
        if channel == "slack":
            return [json.dumps(message, ensure_ascii=False) for message in self.posted()]
        bodies = [mail.get_body(("plain",)) for mail in self.mailbox.mails]
        return [m["Subject"] + b.get_content() for m, b in zip(self.mailbox.mails, bodies, strict=True) if b]

    def working(self, hurry: float = 1.0) -> Any:
        return running_worker(self.environment.client, self.directory, environ=self.environ, hurry=hurry)

    async def failed(self, escalation_id: str) -> list[Attempt]:
        """The rows of its failures, the first one first."""
        async with self.database.read() as connection:
            return await list_attempts(
                connection, "default", escalation_id=escalation_id, outcome=AttemptOutcome.FAILED, oldest=True
            )

    async def tell_group(self, notifier: Notifier, number: int = 1) -> None:
        """One attempt to tell the group of Slack, which everything in these tests is in, without its workflow."""
        grouper = notifier.grouper
        assert grouper is not None
        async with self.database.read() as connection:
            (group_id,) = set(await connection.scalars(select(grouped_notifications.c.group_id)))
        batch = GroupBatch(GroupRef("default", group_id, "slack"), number)
        await ActivityEnvironment().run(grouper.tell, batch)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    slack, mailbox = FakeSlack(datetime.now(UTC).timestamp()), Mailbox()
    slack.step = 0.001
    database = Database(sqlite_url(tmp_path / "keeptrusts.db"))
    await migrate(database)
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_cli(usual_sources())),
        search_attributes=ALL,
        data_converter=data_converter(ensure_keyring(tmp_path / "keyring.json")),
    )
    async with environment, server(mailbox) as port:
        with serving(slack.answer) as listening:
            environ = {"KT_SLACK_API_URL": f"http://127.0.0.1:{listening.port}/api", "T": slack.TOKEN}
            yield House(environment, tmp_path, database, slack, mailbox, environ, port)
    await database.close()


def told(number: int, event: str = "opened", channel: str = "slack", seq: int = 1, **changes: Any) -> Notification:
    now = datetime.now(UTC)
    seen: View = replace(changes.pop("seen", view()), escalation_id=f"esc_{number}", created_at=now, **changes)
    return Notification(f"esc_{number}/{seq}/{channel}", event, channel, seen, now, "team:legal")


@pytest.mark.parametrize("channel", ["slack", "email"])
async def test_a_burst_of_500_is_one_message(house: House, channel: str) -> None:
    await house.configure(group={"wait": "1s"})
    await house.tell(*(told(number, channel=channel) for number in range(BURST)))
    assert (house.posted(), house.mailbox.mails) == ([], [])
    async with house.working():

        async def arrived() -> bool:
            return await house.rows("esc_499", AttemptOutcome.SENT) == 1

        await eventually(arrived, "the message for all of them")
    (text,) = house.said(channel)
    if channel == "slack":
        assert text.count("/escalations/esc_") == MOST_NAMED
    assert "500 cases for legal: human-oversight" in text
    assert "500 × Review wanted, 500 high" in text
    assert "and 490 more" in text


@pytest.mark.parametrize("channel", ["slack", "email"])
async def test_without_any_setting_a_burst_is_its_first_case_at_once_and_one_message(
    house: House, channel: str
) -> None:
    await house.configure()
    await house.tell(*(told(number, channel=channel) for number in range(BURST)))
    assert len(house.slack.cards() or house.mailbox.mails) == 1
    await house.configure(group={"first": "at_once", "wait": "1s"})
    async with house.working():

        async def arrived() -> bool:
            sent = [await house.rows(f"esc_{number}", AttemptOutcome.SENT) for number in (0, 1, BURST - 1)]
            return sent == [1, 1, 1]

        await eventually(arrived, "the message for the others")
    _, text = house.said(channel)
    assert "499 × Review wanted" in text


async def test_where_grouping_is_off_each_is_told_by_itself(house: House) -> None:
    await house.configure(group="off")
    await house.tell(*(told(number) for number in range(8)))
    assert len(house.slack.cards()) == 8


async def test_the_first_that_fails_is_tried_again_by_itself(house: House) -> None:
    await house.configure(group={"first": "at_once", "wait": "1h"})
    house.slack.scripted["chat.postMessage"].append(Answer(503))
    with pytest.raises(ApplicationError, match="503"):
        await house.tell(told(1))
    await house.tell(told(2))
    await house.tell(told(1))
    (card,) = house.slack.cards()
    assert card["metadata"]["event_payload"]["escalation_id"] == "esc_1"
    assert await house.rows("esc_2", AttemptOutcome.GROUPED) == 1


async def test_what_is_critical_waits_for_nobody(house: House) -> None:
    await house.configure(group={"wait": "1h"}, quiet_hours={"from": "00:00", "to": "23:59", "severity": ["high"]})
    await house.tell(*(told(number, severity=Severity.CRITICAL) for number in range(6)))
    assert len(house.slack.cards()) == 6


async def test_a_few_are_told_one_by_one(house: House) -> None:
    await house.configure(group={"wait": "1s", "at_least": 4})
    await house.tell(*(told(number) for number in range(3)))
    async with house.working():

        async def arrived() -> bool:
            return len(house.slack.cards()) == 3

        await eventually(arrived, "three cards")


async def test_one_that_joins_twice_is_told_once_and_one_that_ended_not_at_all(house: House) -> None:
    await house.configure(group={"wait": "1s", "at_least": 2})
    await house.tell(told(1), told(1), told(2), told(3))
    async with house.database.write() as connection:
        await put_view(connection, replace(resolved(), escalation_id="esc_3"))
    async with house.working():

        async def arrived() -> bool:
            return bool(house.posted())

        await eventually(arrived, "the message")
    assert "2 cases for legal" in json.dumps(house.posted())


async def test_a_message_whose_answer_was_lost_is_posted_once(house: House) -> None:
    await house.configure(group={"wait": "1s", "at_least": 2})
    house.slack.lost.add("chat.postMessage")
    await house.tell(told(1), told(2))
    async with house.working():

        async def arrived() -> bool:
            return await house.rows("esc_1", AttemptOutcome.SENT) == 1

        await eventually(arrived, "the second attempt")
    assert len(house.posted()) == 1


async def test_a_case_that_was_told_with_others_gets_no_card_for_small_changes(house: House) -> None:
    await house.configure(group={"wait": "1s", "at_least": 2})
    await house.tell(told(1), told(2))
    async with house.working():

        async def arrived() -> bool:
            return await house.rows("esc_1", AttemptOutcome.SENT) == 1

        await eventually(arrived, "the message")
    await house.tell(told(1, "claimed", seq=2, seen=claimed()))
    assert house.slack.cards() == house.posted()
    assert len(house.posted()) == 1


async def test_a_card_that_is_there_follows_at_once_though_people_are_called_later(house: House) -> None:
    await house.configure()
    await house.tell(told(1))
    await house.configure(group={"wait": "1h"})
    await house.tell(told(1, "breached", seq=2, seen=claimed(3)))
    (card,) = house.posted()
    assert "Claimed by ana" in json.dumps(card)
    assert await house.rows("esc_1", AttemptOutcome.GROUPED) == 1


async def test_a_group_that_cannot_be_told_together_is_tried_again(house: House) -> None:
    await house.configure(group={"wait": "1s", "at_least": 2})
    house.slack.scripted["chat.postMessage"].append(Answer(503))
    await house.tell(told(1), told(2))
    async with house.working():

        async def arrived() -> bool:
            return bool(house.posted())

        await eventually(arrived, "the second attempt")


async def test_a_message_for_many_falls_through_at_the_third_failure_and_goes_on(house: House) -> None:
    await house.configure(email={"group": "off"}, group={"wait": "1s", "at_least": 2}, fall_through="email")
    house.slack.scripted["chat.postMessage"] += [Answer(503)] * 4
    await house.tell(told(1), told(2))
    async with house.working(hurry=100):

        async def arrived() -> bool:
            return await house.rows("esc_2", AttemptOutcome.SENT) == 2

        await eventually(arrived, "the message on Slack, after the mail")
    assert len(house.mailbox.mails) == 2
    assert len(house.posted()) == 1
    for case in ("esc_1", "esc_2"):
        rows = [(row.attempt, row.next_channel, row.problem) for row in await house.failed(case)]
        assert rows == [(n, "email" if n == 3 else None, "Slack answered 503 unknown") for n in (1, 2, 3, 4)]


async def test_of_many_whoever_has_not_fallen_through_yet_does(house: House) -> None:
    await house.configure(email={"group": "off"}, group={"wait": "1s", "at_least": 2}, fall_through="email")
    first, second = told(1), told(2)
    fell = attempt_of(first, 1, AttemptOutcome.FAILED, problem="Slack answered 503", following="email")
    async with house.database.write() as connection:
        await put_attempt(connection, "default", fell)
    house.slack.scripted["chat.postMessage"] += [Answer(503)] * 3
    await house.tell(first, second)
    async with house.working(hurry=100):

        async def arrived() -> bool:
            return await house.rows("esc_2", AttemptOutcome.SENT) == 2

        await eventually(arrived, "the message on Slack, after the mail")
    assert [row.next_channel for row in await house.failed("esc_1")] == ["email", None, None, None]
    assert [row.next_channel for row in await house.failed("esc_2")].count("email") == 1


async def test_a_message_for_many_is_held_to_the_same_patience(house: House) -> None:
    await house.configure(group={"wait": "1h", "at_least": 2})
    await house.tell(told(1), told(2))
    released = threading.Event()
    house.slack.scripted["chat.postMessage"].append(Answer(held=released))
    with pytest.raises(ApplicationError, match="took longer"):
        await house.tell_group(Notifier(house.database, house.environ, None, house.environment.client, patience_s=0.1))
    released.set()
    assert len(await house.failed("esc_1")) == len(await house.failed("esc_2")) == 1


async def test_looking_for_a_card_before_waiting_is_held_to_the_same_patience(house: House) -> None:
    await house.configure(group={"wait": "1h"})
    released = threading.Event()
    house.slack.scripted["auth.test"].append(Answer(held=released))
    hasty = Notifier(house.database, house.environ, None, house.environment.client, patience_s=0.1)
    with pytest.raises(ApplicationError, match="took longer"):
        await hasty.notify(told(1, "breached", seq=2))
    released.set()
    assert len(await house.failed("esc_1")) == 1


async def test_nobody_waits_behind_a_message_that_fails(house: House) -> None:
    await house.configure(group={"wait": "1h", "at_least": 2})
    await house.tell(told(1), told(2))
    house.slack.scripted["chat.postMessage"].append(Answer(503))
    with pytest.raises(ApplicationError, match="503"):
        await house.tell_group(house.notifier)
    await house.tell(told(3))
    async with house.working():

        async def arrived() -> bool:
            return await house.rows("esc_3", AttemptOutcome.SENT) == 1

        await eventually(arrived, "the card of the third")
    (card,) = house.slack.cards()
    assert card["metadata"]["event_payload"]["escalation_id"] == "esc_3"
    await house.tell_group(house.notifier)
    await house.tell(told(4))
    assert await house.rows("esc_4", AttemptOutcome.GROUPED) == 1
    assert [await house.rows(f"esc_{n}", AttemptOutcome.SENT) for n in (1, 2, 3, 4)] == [1, 1, 1, 0]


async def test_who_comes_at_night_waits_even_behind_a_message_that_fails(house: House) -> None:
    now = datetime.now(UTC)
    night = {"from": f"{now - timedelta(minutes=5):%H:%M}", "to": f"{now + timedelta(hours=2):%H:%M}"}
    await house.configure(group={"wait": "1h", "at_least": 2}, quiet_hours=night)
    await house.tell(told(1, severity=Severity.LOW), told(2, severity=Severity.LOW))
    house.slack.scripted["chat.postMessage"].append(Answer(503))
    with pytest.raises(ApplicationError, match="503"):
        await house.tell_group(house.notifier)
    await house.tell(told(3, severity=Severity.LOW))
    async with house.database.read() as connection:
        group_id = await connection.scalar(select(grouped_notifications.c.group_id).limit(1))
        assert len(await waiting_in(connection, "default", str(group_id))) == 1


async def test_who_joined_behind_a_message_that_then_fails_is_told_alone(house: House) -> None:
    await house.configure(group={"wait": "1h", "at_least": 2})
    await house.tell(told(1), told(2))

    def while_it_is_sent() -> None:
        asyncio.run_coroutine_threadsafe(house.tell(told(3)), loop).result()

    loop = asyncio.get_running_loop()
    house.slack.before_posting = while_it_is_sent
    house.slack.lost.add("chat.postMessage")
    with pytest.raises(ApplicationError, match="did not answer"):
        await house.tell_group(house.notifier)
    house.slack.before_posting = lambda: None
    async with house.working():

        async def arrived() -> bool:
            return await house.rows("esc_3", AttemptOutcome.SENT) == 1

        await eventually(arrived, "the card")


async def test_quiet_hours_hold_low_and_medium_back(house: House) -> None:
    now = datetime.now(UTC)
    stretch = {"from": f"{now - timedelta(minutes=5):%H:%M}", "to": f"{now + timedelta(hours=2):%H:%M}"}
    await house.configure(quiet_hours=stretch)
    await house.tell(told(1, severity=Severity.LOW), told(2, severity=Severity.HIGH))
    assert [c["metadata"]["event_payload"]["escalation_id"] for c in house.slack.cards()] == ["esc_2"]
    assert await house.rows("esc_1", AttemptOutcome.GROUPED) == 1


def night(**more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"from": f"{now - timedelta(minutes=5):%H:%M}", "to": f"{now + timedelta(hours=2):%H:%M}", **more}


def day() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"from": f"{now + timedelta(hours=2):%H:%M}", "to": f"{now + timedelta(hours=3):%H:%M}"}


@pytest.mark.parametrize("whose", ["users", "teams"])
async def test_whoever_has_quiet_hours_of_their_own_is_left_alone_in_them_and_nobody_else(
    house: House, whose: str
) -> None:
    await staff(house.database, "ana")
    own = {"users": {"Ana@example.com": night()}} if whose == "users" else {"teams": {"legal": night()}}
    await house.configure(defaults={"quiet_hours": own})
    to_ana = replace(told(1, severity=Severity.LOW), recipient="ana")
    to_legal = told(2, severity=Severity.LOW)
    urgent = replace(told(3, severity=Severity.HIGH, policy_rule="another"), recipient="ana")
    await house.tell(to_ana)
    await house.tell(to_legal)
    await house.tell(urgent)
    waits = [await house.rows(f"esc_{number}", AttemptOutcome.GROUPED) for number in (1, 2)]
    assert waits == ([1, 0] if whose == "users" else [0, 1])
    assert len(house.slack.cards()) == 2


async def test_own_quiet_hours_go_before_those_of_the_channel(house: House) -> None:
    await staff(house.database)
    await house.configure(quiet_hours=night(), defaults={"quiet_hours": {"teams": {"legal": day()}}})
    await house.tell(told(1, severity=Severity.LOW))
    assert len(house.slack.cards()) == 1


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-28T19:59:00+00:00", "2026-03-29T05:00:00+00:00"),  # over the night that loses an hour
        ("2026-03-29T04:59:00+00:00", "2026-03-29T05:00:00+00:00"),
        ("2026-03-29T05:00:00+00:00", None),
        ("2026-05-07T12:00:00+00:00", None),
        ("2026-05-07T18:00:00+00:00", "2026-05-08T05:00:00+00:00"),
    ],
)
def test_quiet_hours_end_by_the_wall_clock(now: str, until: str | None) -> None:
    quiet = QuietHours.model_validate({"from": "20:00", "to": "07:00", "zone": "Europe/Berlin"})
    assert quiet.until(datetime.fromisoformat(now)) == (datetime.fromisoformat(until) if until else None)


@pytest.mark.parametrize(
    "more",
    [
        {"quiet_hours": {"from": "20:00", "to": "20:00"}},
        {"quiet_hours": {"from": "20:00", "to": "07:00", "severity": ["critical"]}},
        {"quiet_hours": {"from": "20:00", "to": "07:00", "zone": "Berlin"}},
        {"group": {"wait": "2h"}},
        {"group": {"interval": "0s"}},
        {"group": {"at_least": 1}},
    ],
)
def test_what_would_keep_people_from_their_cases_is_refused(more: dict[str, Any]) -> None:
    slack = {"type": "slack", "token_ref": {"env": "T"}, **more}
    with pytest.raises(ValidationError):
        EscalationSettings.model_validate({"notification_channels": {"slack": slack}})
