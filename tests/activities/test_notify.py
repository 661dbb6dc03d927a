"""Telling people: real HTTP receivers on loopback, the signature checked with the reference library."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError
from standardwebhooks import Webhook
from temporalio.exceptions import ApplicationError

from activities.channels.guard import ALLOW_PRIVATE
from activities.channels.webhook import WebhookChannel
from activities.notify import Notifier
from escalations.channels import SecretReference
from escalations.channels import WebhookChannel as WebhookSettings
from escalations.commands import Role
from escalations.settings import EscalationSettings
from escalations.views import view_of
from store.database import Database
from store.directory import Team, User, create_team, create_user
from store.escalations import put_view
from store.settings import put_settings
from tests.activities.notifications import resolved
from tests.activities.receivers import Answer, FakePagerDuty, FakeSlack, Request, serving
from tests.activities.test_email import Mailbox, server
from tests.escalations.cases import START, opened
from tests.support.stores import new_store
from workflows.messages import Notification

AT = datetime(2026, 5, 7, 10, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
SECRET_REFERENCE = SecretReference(env="HOOK_SECRET")
ENVIRONMENT = {"HOOK_SECRET": SECRET, ALLOW_PRIVATE: "1"}


class Receiver:
    """Answers with `answers`, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers = Answer(204)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    def answer(self, request: Request) -> Answer:
        self.received.append((request.headers, request.body))
        return self.answers

    @property
    def settings(self) -> WebhookSettings:
        return WebhookSettings(
            type="webhook", url=f"http://127.0.0.1:{self.port}/hook", secret_key_ref=SECRET_REFERENCE
        )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with serving(made.answer) as server:
        made.port = server.port
        yield made


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_store("sqlite", tmp_path, None) as made:
        yield made


def notification(channel: str = "webhook:legal-hook") -> Notification:
    return Notification(f"esc_1/1/{channel}", "opened", channel, view_of(opened()), AT, "legal")


async def test_a_webhook_verifies_with_the_reference_library(receiver: Receiver) -> None:
    await WebhookChannel(receiver.settings, ENVIRONMENT).send(notification())
    headers, body = receiver.received[0]
    told = Webhook(SECRET).verify(body, headers)
    assert told["type"] == "escalation.opened"
    assert told["data"]["status"] == "open"


async def test_a_webhook_keeps_its_id_over_retries(receiver: Receiver) -> None:
    channel = WebhookChannel(receiver.settings, ENVIRONMENT)
    await channel.send(notification())
    await channel.send(notification())
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1


async def test_a_webhook_holds_ids_and_states_and_no_content(receiver: Receiver) -> None:
    await WebhookChannel(receiver.settings, ENVIRONMENT).send(notification())
    assert set(json.loads(receiver.received[0][1])["data"]) == {
        "escalation_id", "status", "sla_state", "severity", "policy_rule", "reason_code", "team", "assignee",
        "recipient", "sla_deadline", "resolution", "event_id",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sampled", "to_consumer", "told"),
    [(False, False, ("block", "ana")), (True, True, ("block", "ana")), (True, False, (None, None))],
    ids=["of any case", "its consumer, of a sampled one", "others, of a sampled one"],
)
async def test_how_a_case_was_decided_that_is_reviewed_again_is_told_to_its_consumer_alone(
    receiver: Receiver, sampled: bool, to_consumer: bool, told: tuple[str | None, str | None]
) -> None:
    decided = replace(resolved(), second_review=sampled)
    sent = replace(notification(), event="resolved", view=decided, to_consumer=to_consumer)
    await WebhookChannel(receiver.settings, ENVIRONMENT).send(sent)
    data = json.loads(receiver.received[0][1])["data"]
    assert (data["resolution"], data["assignee"]) == told
    assert data["status"] == "resolved"


@pytest.mark.parametrize(("status", "final"), [(500, False), (429, False), (302, False), (410, True)])
async def test_everything_but_success_is_a_failure_and_only_gone_is_final(
    receiver: Receiver, status: int, final: bool
) -> None:
    receiver.answers = Answer(status, headers={"location": "http://127.0.0.1:9/elsewhere"})
    with pytest.raises(ApplicationError) as told:
        await WebhookChannel(receiver.settings, ENVIRONMENT).send(notification())
    assert told.value.non_retryable is final
    assert len(receiver.received) == 1


async def test_a_receiver_that_is_away_is_a_failure_that_is_tried_again(receiver: Receiver) -> None:
    with serving(receiver.answer, listening=False) as closed:
        receiver.port = closed.port
        with pytest.raises(ApplicationError, match="ConnectError") as told:
            await WebhookChannel(receiver.settings, ENVIRONMENT).send(notification())
    assert not told.value.non_retryable


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_may_ask_for_time(receiver: Receiver, status: int) -> None:
    receiver.answers = Answer(status, headers={"retry-after": "120"})
    with pytest.raises(ApplicationError) as told:
        await WebhookChannel(receiver.settings, ENVIRONMENT).send(notification())
    assert told.value.next_retry_delay == timedelta(minutes=2)


async def test_a_receiver_that_never_answers_is_left(receiver: Receiver) -> None:
    held = threading.Event()
    receiver.answers = Answer(204, held=held)
    with pytest.raises(ApplicationError, match="did not answer") as told:
        await WebhookChannel(receiver.settings, ENVIRONMENT, timeout_s=0.05).send(notification())
    held.set()
    assert not told.value.non_retryable


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "whsec_YWJj"])
def test_a_secret_that_is_none_is_refused_without_repeating_it(receiver: Receiver, secret: str) -> None:
    with pytest.raises(ApplicationError, match="HOOK_SECRET does not hold a webhook secret") as told:
        WebhookChannel(receiver.settings, {"HOOK_SECRET": secret})
    assert not secret or secret not in str(told.value).replace("(whsec_ and base64)", "")


async def test_the_channel_of_a_rule_is_looked_up_in_the_settings(receiver: Receiver, database: Database) -> None:
    settings = EscalationSettings(notification_channels={"legal-hook": receiver.settings})
    async with database.write() as connection:
        await put_settings(connection, "default", settings, "admin", AT)
    await Notifier(database, ENVIRONMENT).notify(notification())
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "channel", ["slack:#legal", "webhook:elsewhere", "email:ana@example.com", "pagerduty", "a b:c"]
)
async def test_a_channel_that_is_not_set_up_goes_to_the_log_and_warns_once(
    database: Database, caplog: pytest.LogCaptureFixture, channel: str
) -> None:
    notifier = Notifier(database, {})
    with caplog.at_level("INFO", "keeptrusts.notify"):
        await notifier.notify(notification(channel))
        await notifier.notify(notification(channel))
    told = [record.getMessage() for record in caplog.records]
    assert sum(f"{channel} is not set up" in line for line in told) == 1
    assert sum("opened severity=" in line for line in told) == 2


async def apply(database: Database, **channels: Any) -> None:
    async with database.write() as connection:
        settings = EscalationSettings.model_validate({"notification_channels": channels})
        await put_settings(connection, "default", settings, "admin", AT)


@pytest.mark.parametrize(
    ("channel", "home"), [("slack", "C0LEGAL001"), ("slack:C0PHI00001", "C0PHI00001"), ("slack:#legal", "C0LEGAL001")]
)
async def test_a_rule_may_name_the_slack_channel(database: Database, channel: str, home: str) -> None:
    slack = FakeSlack(START.timestamp())
    await apply(database, slack={"type": "slack", "token_ref": {"env": "SLACK_TOKEN"}, "channel": "C0LEGAL001"})
    with serving(slack.answer) as server:
        api = f"http://127.0.0.1:{server.port}/api"
        notifier = Notifier(database, {"SLACK_TOKEN": slack.TOKEN, "KT_SLACK_API_URL": api})
        await notifier.notify(notification(channel))
        slack.calls.clear()
        await notifier.notify(notification(channel))
    assert len(slack.cards(home)) == 1
    assert slack.calls == []


async def test_cards_and_incidents_follow_the_projection(database: Database) -> None:
    pagerduty = FakePagerDuty()
    await apply(database, pagerduty={"type": "pagerduty", "routing_key_ref": {"env": "KEY"}})
    async with database.write() as connection:
        await put_view(connection, resolved())
    with serving(pagerduty.answer) as server:
        url = f"http://127.0.0.1:{server.port}"
        await Notifier(database, {"KEY": pagerduty.KEY, "KT_PAGERDUTY_URL": url}).notify(notification("pagerduty"))
    assert [event["event_action"] for event in pagerduty.events] == ["resolve"]


@pytest.mark.parametrize(
    ("channel", "recipient", "to", "written_to"),
    [
        ("email", "team:legal", ["desk@example.com"], ["desk@example.com"]),
        ("email", "team:legal", [], ["ana@example.com", "ben@example.com"]),
        ("email", "ana", ["desk@example.com"], ["ana@example.com"]),
        ("email", "gone", ["desk@example.com"], ["desk@example.com"]),
        ("email", "nobody", ["desk@example.com"], ["desk@example.com"]),
        ("email", "role:admin", ["desk@example.com"], ["root@example.com"]),
        ("email:other@example.com", "ana", ["desk@example.com"], ["other@example.com"]),
    ],
)
async def test_a_mail_goes_to_whom_the_rule_the_case_or_the_settings_mean(
    database: Database, channel: str, recipient: str, to: list[str], written_to: list[str]
) -> None:
    mailbox = Mailbox()
    async with database.write() as connection:
        await create_team(connection, "default", Team("legal", "Legal", AT))
        for login, active in (("ana", True), ("ben", True), ("gone", False)):
            user = User(login, f"{login}@example.com", login, (Role.REVIEWER,), ("legal",), active, AT)
            await create_user(connection, "default", user)
        root = User("root", "root@example.com", "root", (Role.ADMIN,), (), True, AT)
        await create_user(connection, "default", root)
    async with server(mailbox) as port:
        await apply(
            database,
            email={
                "type": "email",
                "host": "127.0.0.1",
                "port": port,
                "tls": "none",
                "from": "kt@example.com",
                "to": to,
            },
        )
        await Notifier(database, {}).notify(replace(notification(channel), recipient=recipient))
    assert mailbox.recipients == [written_to]


async def test_a_webhook_of_an_earlier_route_hears_no_more(database: Database, receiver: Receiver) -> None:
    hook = receiver.settings.model_dump(mode="json", exclude_none=True)
    await apply(database, **{"legal-hook": hook})
    notifier = Notifier(database, ENVIRONMENT)
    await notifier.notify(replace(notification(), following=True))
    assert receiver.received == []
    await notifier.notify(notification())
    assert len(receiver.received) == 1


async def test_no_attempt_outlives_the_workflows_patience(database: Database) -> None:
    held = threading.Event()
    await apply(database, pagerduty={"type": "pagerduty", "routing_key_ref": {"env": "KEY"}})
    with serving(lambda _: Answer(202, held=held)) as server:
        url = f"http://127.0.0.1:{server.port}"
        notifier = Notifier(database, {"KEY": "k", "KT_PAGERDUTY_URL": url}, patience_s=0.05)
        with pytest.raises(ApplicationError, match="took longer") as told:
            await notifier.notify(notification("pagerduty"))
        held.set()
    assert not told.value.non_retryable


SLACK = {"type": "slack", "token_ref": {"env": "T"}}
EMAIL = {"type": "email", "host": "smtp.example.com", "from": "kt@example.com"}


@pytest.mark.parametrize(
    "channel",
    [
        {**SLACK, "channel": "legal"},
        {**SLACK, "token": "xoxb-in-the-clear"},
        {**SLACK, "api_url": "http://169.254.169.254/"},
        {**EMAIL, "from": "kt@example.com\r\nBcc: x@example.com"},
        {**EMAIL, "to": ["not an address"]},
        {**EMAIL, "tls": "opportunistic"},
        {**EMAIL, "username": "kt"},
        {**EMAIL, "tls": "none", "username": "kt", "password_ref": {"env": "P"}},
        {**EMAIL, "port": 0},
        {"type": "pagerduty", "routing_key_ref": {"env": "K"}, "region": "mars"},
        {"type": "pagerduty"},
    ],
)
def test_channels_that_cannot_be_meant_are_refused(channel: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EscalationSettings.model_validate({"notification_channels": {"x": channel}})


def test_channels_survive_being_stored() -> None:
    written = {"a": SLACK, "b": {**EMAIL, "to": "x@example.com"}, "c": {"type": "log"}}
    settings = EscalationSettings.model_validate({"notification_channels": written})
    assert EscalationSettings.model_validate_json(settings.model_dump_json(by_alias=True)) == settings
