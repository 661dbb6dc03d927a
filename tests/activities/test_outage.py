"""200 notifications through 72 hours of an outage, on a real Temporal server and with real receivers.

An hour lasts a third of a second: the waits of the schedules are divided; Temporal's server keeps them.
The receivers are away first, and then fail in every way that there is, one after the other, until the outage is over.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import TypeAdapter
from standardwebhooks import Webhook
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import failing
from activities.channels.guard import ALLOW_PRIVATE
from activities.notify import Notifier
from activities.telling import start_telling
from escalations.settings import EscalationSettings
from runtime.temporal_binary import find_cli, usual_sources
from runtime.worker import AT_ONCE
from store.attempts import Attempt, AttemptOutcome, list_attempts
from store.database import Database
from store.settings import put_settings
from tests.activities.notifications import view
from tests.activities.receivers import Answer, FakePagerDuty, FakeSlack, Request, serving
from tests.activities.test_email import Mailbox
from tests.support.bench import eventually
from tests.support.stores import new_store
from vault.codec import data_converter
from vault.keyring import ensure_keyring
from workflows.attributes import ALL
from workflows.messages import NOTIFICATIONS_QUEUE, Notification
from workflows.notifying import NotificationWorkflow

HURRY = 10800.0
OUTAGE_H = 72.0
AWAY_H = 6.0
PATIENCE_S = 2.0
SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
COUNTS = {"hook": 80, "left": 20, "slack": 40, "pagerduty": 30, "email": 30}
"""`hook` and `left` are webhooks; the receiver of `left` says during the outage that it is gone."""


def real_s(hours: float) -> float:
    return hours * 3600 / HURRY


@dataclass
class Outage:
    """The clock of it, and what was seen to go wrong where. `released` lets go of whoever hangs."""

    began: float = field(default_factory=time.monotonic)
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    released: threading.Event = field(default_factory=threading.Event)
    _turns: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        return time.monotonic() - self.began >= real_s(OUTAGE_H)

    def fault(self, where: str, faults: tuple[str, ...]) -> str | None:
        """What goes wrong now, each in its turn; None when the outage is over."""
        if self.over:
            return None
        with self._lock:
            how: str = next(self._turns.setdefault(where, cycle(faults)))
            self.seen[where].add(how)
            return how


OVER_HTTP = ("500", "slow", "302", "drips", "429", "taken and not answered", "503")
BY_MAIL = ("450 for an address", "451", "slow", "taken and not answered")


@dataclass
class Receivers:
    """Webhooks, Slack and PagerDuty. Whatever breaks in here is in `problems`: whoever asked would only try again."""

    outage: Outage
    slack: FakeSlack = field(default_factory=lambda: FakeSlack(time.time()))
    pagerduty: FakePagerDuty = field(default_factory=FakePagerDuty)
    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    taken: Counter[str] = field(default_factory=Counter)
    problems: list[BaseException] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except BaseException as problem:
            self.problems.append(problem)
            raise

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith("/api/"):
            return self._troubled("slack", request, self.slack.answer)
        if request.path == "/v2/enqueue":
            return self._troubled("pagerduty", request, self.pagerduty.answer)
        self._verify(request)
        if request.path == "/left":
            return self._take(request) if self.outage.fault("left", ("410",)) is None else Answer(410)
        return self._troubled("hook", request, self._take)

    def _troubled(self, where: str, request: Request, well: Callable[[Request], Answer]) -> Answer:
        how = self.outage.fault(where, OVER_HTTP)
        if how is None:
            return well(request)
        if how == "taken and not answered":
            well(request)
            return Answer(lost=True)
        if how == "slow":
            return Answer(204, held=self.outage.released)
        if how == "drips":
            return Answer(drips=True)
        headers = {"302": {"location": "http://127.0.0.1:9/"}, "429": {"retry-after": "1"}}.get(how, {})
        return Answer(int(how), b"a page of excuses", headers)

    def _verify(self, request: Request) -> None:
        told = Webhook(SECRET).verify(request.body, request.headers)
        assert told["data"]["status"] == "open"
        self.bodies[request.headers["webhook-id"]].add(request.body)

    def _take(self, request: Request) -> Answer:
        self.taken[request.headers["webhook-id"]] += 1
        return Answer(204)


class Post(Mailbox):
    def __init__(self, outage: Outage) -> None:
        super().__init__()
        self.outage = outage

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:
        how = self.outage.fault("email", BY_MAIL)
        if how is None:
            return await super().handle_DATA(smtp, session, envelope)
        if how == "slow":
            await asyncio.Event().wait()
        if how == "taken and not answered":
            await super().handle_DATA(smtp, session, envelope)
            smtp.transport.abort()
        self.answers = {"desk@example.com": "450 4.2.0 later"} if how.startswith("450") else {}
        return "451 4.3.0 later"

    async def handle_RCPT(self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        said = await super().handle_RCPT(smtp, session, envelope, address, options)
        self.answers = {}
        return said


async def configure(database: Database, url: str, smtp_port: int) -> None:
    hook = {"type": "webhook", "secret_key_ref": {"env": "SECRET"}}
    channels = {
        "hook": {**hook, "url": f"{url}/hook"},
        "left": {**hook, "url": f"{url}/left"},
        "slack": {"type": "slack", "token_ref": {"env": "TOKEN"}, "channel": "C0LEGAL001", "group": "off"},
        "pagerduty": {"type": "pagerduty", "routing_key_ref": {"env": "KEY"}},
        "email": {
            "type": "email", "host": "127.0.0.1", "port": smtp_port, "tls": "none",
            "from": "kt@example.com", "to": ["desk@example.com"], "group": "off",
        },
    }  # fmt: skip
    settings = EscalationSettings.model_validate({"notification_channels": channels})
    async with database.write() as connection:
        await put_settings(connection, "default", settings, "admin", datetime.now(UTC))


def told(channel: str, number: int) -> Notification:
    now = datetime.now(UTC)
    seen = replace(view(escalation_id=f"esc_{channel}_{number}"), created_at=now)
    return Notification(f"{seen.escalation_id}/1/{channel}", "opened", channel, seen, now, "team:legal")


async def dead_letters(database: Database) -> list[Attempt]:
    async with database.read() as connection:
        return await list_attempts(connection, "default", outcome=AttemptOutcome.DEAD, limit=500)


async def tell_all(client: Client) -> None:
    """Spread over the first seventy hours; returns when each has arrived or was given up."""
    everything = [told(channel, number) for channel, count in COUNTS.items() for number in range(count)]
    handles = [
        await client.start_workflow(
            NotificationWorkflow.run,
            one,
            id=one.view.escalation_id,
            task_queue=NOTIFICATIONS_QUEUE,
            start_delay=timedelta(seconds=real_s(70 * place / len(everything))),
        )
        for place, one in enumerate(sorted(everything, key=lambda one: int(one.view.escalation_id.rsplit("_")[-1])))
    ]
    await asyncio.gather(*(handle.result() for handle in handles))


@pytest.mark.timeout(600)
async def test_200_notifications_survive_three_days_of_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "_SOON_S", 1.0)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as running:
        database = await running.enter_async_context(new_store("sqlite", tmp_path, None))
        environment = await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(find_cli(usual_sources())),
            search_attributes=ALL,
            data_converter=data_converter(ensure_keyring(tmp_path / "keyring.json")),
        )
        client = (await running.enter_async_context(environment)).client
        outage = Outage()
        receivers, post = Receivers(outage), Post(outage)
        receivers.slack.step = 0.001
        web = running.enter_context(serving(receivers.answer, listening=False))
        running.callback(outage.released.set)
        mail = await loop.create_server(lambda: SMTP(post, loop=loop), "127.0.0.1", 0, start_serving=False)
        running.callback(mail.close)
        starting: list[asyncio.Task[None]] = []
        loop.call_later(real_s(AWAY_H), web.listen)
        loop.call_later(real_s(AWAY_H), lambda: starting.append(loop.create_task(mail.start_serving())))
        url = f"http://127.0.0.1:{web.port}"
        await configure(database, url, mail.sockets[0].getsockname()[1])
        environ = {
            "SECRET": SECRET, "TOKEN": FakeSlack.TOKEN, "KEY": FakePagerDuty.KEY, ALLOW_PRIVATE: "1",
            "KT_SLACK_API_URL": f"{url}/api", "KT_PAGERDUTY_URL": url,
        }  # fmt: skip
        notifier = Notifier(database, environ, None, client, patience_s=PATIENCE_S, hurry=HURRY)
        worker = Worker(
            client,
            task_queue=NOTIFICATIONS_QUEUE,
            workflows=[NotificationWorkflow],
            activities=[notifier.notify, notifier.give_up],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_concurrent_activities=AT_ONCE,
        )
        await running.enter_async_context(worker)
        await tell_all(client)
        assert outage.over
        # What the receiver did not want any more is sent once more by hand, now that it does.
        letters = await dead_letters(database)
        assert {letter.channel for letter in letters} == {"left"}
        for letter in letters:
            again = TypeAdapter(Notification).validate_json(letter.body or b"")
            await start_telling(client, replace(again, replayed=True), "by hand")
        hooks = {f"esc_{name}_{n}_1_{name}" for name in ("hook", "left") for n in range(COUNTS[name])}

        async def arrived() -> bool:
            return set(receivers.taken) == hooks

        await eventually(arrived, "every webhook")
    assert receivers.problems == []
    assert all(len(bodies) == 1 for bodies in receivers.bodies.values())
    assert any(times > 1 for times in receivers.taken.values()), "at least once: the id is what tells a repetition"
    cards = Counter(card["metadata"]["event_payload"]["escalation_id"] for card in receivers.slack.cards())
    assert cards == {f"esc_slack_{n}": 1 for n in range(COUNTS["slack"])}
    assert receivers.pagerduty.incidents == {f"esc_pagerduty_{n}": "triggered" for n in range(COUNTS["pagerduty"])}
    mails = {mail["Message-ID"] for mail in post.mails}
    assert mails == {f"<esc_email_{n}@example.com>" for n in range(COUNTS["email"])}
    assert outage.seen == {
        "hook": set(OVER_HTTP), "left": {"410"}, "slack": set(OVER_HTTP), "pagerduty": set(OVER_HTTP),
        "email": set(BY_MAIL),
    }  # fmt: skip
