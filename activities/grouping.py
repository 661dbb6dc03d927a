"""Bursts and quiet hours: a notification joins its group in the store, and the group's workflow is told so.

The store keeps who waits, a workflow for each group keeps the time; both survive any process. A card that is there is
brought up to date at once all the same; only what would call people waits. When the time has come, few are told one by
one and many by one message; a case that has ended meanwhile is left out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import TypeAdapter
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities.channels.digest import MOST_NAMED, Digest, email_message, slack_message, urgent_first
from activities.channels.effects import OnSlack, effect_of
from activities.channels.email import EmailChannel, deliver
from activities.channels.other_services import AppriseChannel
from activities.channels.slack import SlackChannel
from activities.choosing import Channels, NoPlace
from activities.failing import FAILURES, Failing, attempt_of, in_time, no_place
from activities.telling import start_telling
from escalations.channels import AppriseChannel as AppriseSettings
from escalations.channels import Channel as AnySettings
from escalations.channels import EmailChannel as EmailSettings
from escalations.channels import SlackChannel as SlackSettings
from escalations.channels import find_channel
from escalations.events import FINAL, EventType
from escalations.grouping import Grouping as GroupingSettings
from escalations.grouping import Groups
from store.attempts import AttemptOutcome, put_attempt
from store.database import Database, StoreUnavailable
from store.directory import read_directory
from store.groups import (
    Member,
    close_batch,
    goes_first,
    is_failing,
    join_group,
    leave_group,
    standing_of,
    take_batch,
    waiting_in,
    waiting_since,
)
from workflows.grouping import GroupWorkflow
from workflows.messages import (
    NOTIFICATIONS_QUEUE,
    TASK_TIMEOUT,
    GroupBatch,
    GroupPlan,
    GroupRef,
    GroupStart,
    GroupTold,
    Notification,
)
from workflows.ports import Grouping

_notification = TypeAdapter(Notification)


class Held(StrEnum):
    """`no`: it is to be told as usual. `shown`: the card that was there says it. `nothing`: it would only change a card
    that was never made. `joined`: it waits."""

    NO = "no"
    SHOWN = "shown"
    NOTHING = "nothing"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class Grouper(Grouping):
    failing: Failing
    client: Client
    patience_s: float

    @property
    def channels(self) -> Channels:
        return self.failing.channels

    @property
    def database(self) -> Database:
        return self.failing.database

    async def hold_back(self, notification: Notification) -> Held:
        """Whether a notification waits for others from now on, or has nothing more to tell. Raises ApplicationError."""
        if notification.alone or notification.following:
            return Held.NO
        configured, own = await self._configured(notification.tenant, notification.channel, notification.recipient)
        effect = effect_of(notification.event)
        if not isinstance(configured, SlackSettings | EmailSettings | AppriseSettings) or (
            not isinstance(configured, SlackSettings) and not effect.mails
        ):
            return Held.NO
        now = datetime.now(UTC)
        async with self.database.read() as connection:
            place = (notification.tenant, notification.view.escalation_id, notification.channel)
            standing = await standing_of(connection, *place)
        groups = configured.groups(notification.view.severity, now)
        if not groups and not standing.grouped:
            return Held.NO
        if isinstance(configured, SlackSettings) and notification.event != EventType.OPENED:
            if standing.grouped and not standing.alone and effect.slack is OnSlack.CARD:
                return Held.NOTHING
            shown = await self._bring_up_to_date(notification)
            if effect.slack is not OnSlack.REPLY and (shown or notification.event in FINAL or not effect.mails):
                return Held.SHOWN if shown else Held.NO
        if not groups:
            return Held.NO
        return Held.JOINED if await self._join(notification, configured, now, apart=own) else Held.NO

    async def _bring_up_to_date(self, notification: Notification) -> bool:
        """Whether there was a card, which shows the case as it is then. Nobody is called."""
        async with self.channels.place(notification):
            channel = await self.channels.channel(notification, may_post=False)
            return await channel.send(replace(notification, following=True))

    async def _join(self, notification: Notification, configured: Groups, now: datetime, *, apart: bool) -> bool:
        """False for the first after a calm, which waits for nobody by day. `apart`: the quiet hours are those of whom
        it is for.

        Behind a message that fails nobody waits, as they would fall through to nobody: they are told alone.
        """
        quiet = configured.quiet(notification.view.severity)
        apart = apart and quiet
        group_id = _group_id(notification, configured, apart=apart)
        recipient = notification.recipient if apart else ""
        ref = GroupRef(notification.tenant, group_id, notification.channel, quiet, recipient)
        body = _notification.dump_json(notification)
        member = Member(notification.id, notification.view.escalation_id, notification.channel, ref.group_id, now, body)
        grouping, night = configured.group, _at_night(configured, quiet, now)
        calm = None if night or grouping is None or grouping.first == "waits" else grouping
        async with self.database.write() as connection:
            if calm is not None and await goes_first(connection, ref.tenant, member, calm.wait, calm.interval):
                return False
            waits = night or not await is_failing(connection, ref.tenant, ref.group_id)
            if waits:
                await join_group(connection, ref.tenant, member)
        if not waits:
            await start_telling(self.client, replace(notification, alone=True), "alone")
            async with self.database.write() as connection:
                await join_group(connection, ref.tenant, member)
                await leave_group(connection, ref.tenant, notification.id)
            return True
        await self.client.start_workflow(
            GroupWorkflow.run,
            GroupStart(ref),
            id=f"group-{ref.group_id}",
            task_queue=NOTIFICATIONS_QUEUE,
            task_timeout=TASK_TIMEOUT,
            start_signal="joined",
        )
        return True

    @activity.defn(name="plan_group")
    async def plan(self, ref: GroupRef) -> GroupPlan:
        """How long the group still waits; None where nobody waits in it."""
        async with self.database.read() as connection:
            since = await waiting_since(connection, ref.tenant, ref.group_id)
        if since is None:
            return GroupPlan(None)
        (configured, _), now = await self._configured(ref.tenant, ref.channel, ref.recipient), datetime.now(UTC)
        if not isinstance(configured, Groups):
            return GroupPlan(0.0)
        due = since + (configured.group or GroupingSettings()).wait
        if configured.quiet_hours is not None and ref.quiet:
            due = max(due, configured.quiet_hours.until(now) or due)
        return GroupPlan(max(0.0, (due - now).total_seconds()))

    @activity.defn(name="tell_group")
    async def tell(self, batch: GroupBatch) -> GroupTold:
        """Tell one batch. Raises ApplicationError; then it is this very batch that is told later."""
        ref, attempt = batch.ref, activity.info().attempt
        configured, _ = await self._configured(ref.tenant, ref.channel, ref.recipient)
        grouping = (configured.group if isinstance(configured, Groups) else None) or GroupingSettings()
        async with self.database.write() as connection:
            bodies = await take_batch(connection, ref.tenant, ref.group_id, batch.number)
        waiting = [_notification.validate_json(body) for body in bodies]
        wanted = [one for one in waiting if one.event in FINAL or (await self.channels.newest(one)).end is None]
        cases = {one.view.escalation_id: one for one in wanted}
        together = len(cases) >= grouping.at_least
        if together:
            at = max(one.at for one in wanted)
            digest = Digest(f"{ref.group_id}/{batch.number}", urgent_first(cases), at)
            await self._send(ref, digest, wanted, attempt)
        else:
            for one in wanted:
                await start_telling(self.client, replace(one, alone=True), "alone")
        async with self.database.write() as connection:
            await close_batch(connection, ref.tenant, ref.group_id, batch.number, together=together)
            for one in wanted if together else ():
                await put_attempt(connection, ref.tenant, attempt_of(one, attempt, AttemptOutcome.SENT))
        return GroupTold(grouping.interval.total_seconds() if together else 0.0)

    @activity.defn(name="tell_group_apart")
    async def tell_apart(self, batch: GroupBatch) -> None:
        ref = batch.ref
        async with self.database.write() as connection:
            bodies = await take_batch(connection, ref.tenant, ref.group_id, batch.number)
        for body in bodies:
            await start_telling(self.client, replace(_notification.validate_json(body), alone=True), "alone")
        async with self.database.write() as connection:
            await close_batch(connection, ref.tenant, ref.group_id, batch.number, together=False)

    async def _send(self, ref: GroupRef, digest: Digest, told: Sequence[Notification], attempt: int) -> None:
        """One attempt for all of them; one that fails is one of each. Raises ApplicationError."""
        started, channel = time.monotonic(), told[0].channel
        try:
            async with in_time(channel, self.patience_s), self.channels.place(told[0]):
                await self._post(digest, again=attempt > 1)
        except NoPlace:
            raise no_place(channel, attempt) from None
        except FAILURES as failure:
            took_ms = round((time.monotonic() - started) * 1000)
            failed = await self.failing.failed(told, attempt, took_ms, failure)
            with suppress(StoreUnavailable, RPCError):
                await self._let_go(ref)
            raise failed from None

    async def _let_go(self, ref: GroupRef) -> None:
        """Have those told by themselves who wait behind a message that fails, unless it is night."""
        configured, _ = await self._configured(ref.tenant, ref.channel, ref.recipient)
        if isinstance(configured, Groups) and _at_night(configured, ref.quiet, datetime.now(UTC)):
            return
        async with self.database.read() as connection:
            bodies = await waiting_in(connection, ref.tenant, ref.group_id)
        waiting = [_notification.validate_json(body) for body in bodies]
        for one in waiting:
            await start_telling(self.client, replace(one, alone=True), "alone")
        if waiting:
            async with self.database.write() as connection:
                for one in waiting:
                    await leave_group(connection, ref.tenant, one.id)

    async def _post(self, digest: Digest, *, again: bool) -> None:
        channel = await self.channels.channel(digest.notifications[0])
        match channel:
            case SlackChannel():
                await channel.post_once(slack_message(digest, self.channels.environment), digest.at, again=again)
            case EmailChannel():
                message = email_message(digest, channel.settings, channel.recipients, self.channels.environment)
                await deliver(channel.settings, self.channels.environment, message, channel.recipients)
            case AppriseChannel():
                named = [f"{one.view.escalation_id} {one.view.severity.value}" for one in digest.notifications]
                await channel.say(digest.title, "\n".join([digest.counts, *named[:MOST_NAMED], digest.rest]))
            case _:
                for one in digest.notifications:
                    await channel.send(one)

    async def _configured(self, tenant: str, channel: str, recipient: str) -> tuple[AnySettings | None, bool]:
        """The settings of a channel, and whether its quiet hours are the recipient's own, which go before."""
        settings = await self.channels.settings(tenant)
        found, defaults = find_channel(settings.notification_channels, channel)[0], settings.notification_defaults
        if not isinstance(found, SlackSettings | EmailSettings | AppriseSettings) or defaults.quiet_hours is None:
            return found, False
        async with self.database.read() as connection:
            own = defaults.quiet_of(recipient, await read_directory(connection, tenant))
        return (found, False) if own is None else (found.model_copy(update={"quiet_hours": own}), True)


def _at_night(configured: Groups, quiet: bool, now: datetime) -> bool:
    """Whether a group of cases that have quiet hours is in them."""
    return quiet and configured.quiet_hours is not None and configured.quiet_hours.until(now) is not None


def _group_id(notification: Notification, configured: Groups, *, apart: bool) -> str:
    """Of one channel, team and policy; of mail, and `apart`, also of one recipient; and by itself what has quiet
    hours."""
    view = notification.view
    mail = isinstance(configured, EmailSettings)
    parts = (
        notification.tenant,
        notification.channel,
        view.team or view.route.destination,
        view.policy_rule,
        notification.recipient if mail or apart else "",
        "quiet" if configured.quiet(view.severity) else "",
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
