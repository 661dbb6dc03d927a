"""How an escalation asks the outside world: each activity with its time limits, its retries and its queue."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from escalations.case import Case, Opening
from escalations.commands import Routed
from escalations.events import Event, EventType
from escalations.routes import OnExhausted
from escalations.standing import eligibility, standing_of
from escalations.views import View
from workflows.messages import (
    ADMINS,
    Authorization,
    AuthorizationWanted,
    Delivery,
    Notification,
    RecordBatch,
    RouteWanted,
    Signal,
)
from workflows.notifying import tell
from workflows.ports import Authorizing, Delivering, Notifying, Recording, Routing
from workflows.telling import LOG_CHANNEL, Audience

_AT_ONCE = timedelta(seconds=15)
_HEARD_OF = timedelta(seconds=3)
"""Within so long a worker that has it in hand is heard of; else it was killed, and another does it."""
_FOR_EVER = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))
_A_FEW_TIMES = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)
_TO_PERSONS = frozenset({EventType.ASSIGNED, EventType.RELEASED_AT_BREACH, EventType.LEASE_WARNING})


async def record(view: View, events: tuple[Event, ...], answered: tuple[int, ...]) -> None:
    """Write down what happened; a store that is away is waited for."""
    await workflow.execute_activity_method(
        Recording.record,
        RecordBatch(view, events, answered),
        start_to_close_timeout=_AT_ONCE,
        heartbeat_timeout=_HEARD_OF,
        retry_policy=_FOR_EVER,
        summary=", ".join(event.type.value for event in events),
    )


async def find_route(case: Case) -> Routed:
    """The next level that the case wants, if there is one."""
    wanted, opening = case.wanted_route, case.opening
    assert wanted is not None
    eligible = eligibility(standing_of(case))
    found = await workflow.execute_activity_method(
        Routing.route,
        RouteWanted(
            tenant=opening.tenant,
            settings_version=opening.sla.settings_version,
            policy_rule=opening.policy_rule,
            reason_code=opening.reason_code,
            severity=case.severity.value,
            consumer_team=opening.consumer_team,
            consumer_group=opening.consumer_group,
            after=wanted.after,
            requester=case.requester,
            consumer=opening.consumer,
            provider=opening.provider,
            model=opening.model,
            score=opening.score,
            current=case.route,
            reason=wanted.reason,
            never=tuple(sorted(eligible.never)),
            only=None if eligible.only is None else tuple(sorted(eligible.only)),
            leads=eligible.leads,
        ),
        start_to_close_timeout=_AT_ONCE,
        heartbeat_timeout=_HEARD_OF,
        retry_policy=_FOR_EVER,
        summary=f"next level, {wanted.reason.value}",
    )
    return Routed(
        found.route, found.assignee, found.strategy, found.skipped, found.exhausted, own_channel=found.own_channel
    )


async def authorize(tenant: str, workflow_id: str, signal: Signal) -> Authorization:
    """What a signal means, and who vouches for its sender."""
    return await workflow.execute_activity_method(
        Authorizing.authorize,
        AuthorizationWanted(tenant, workflow_id, signal),
        start_to_close_timeout=_AT_ONCE,
        heartbeat_timeout=_HEARD_OF,
        retry_policy=_FOR_EVER,
        summary=signal.operation,
    )


async def deliver(opening: Opening) -> None:
    """A courtesy: a gateway that is gone has forgotten its callers too, and a sweep finds what a hint missed."""
    try:
        await workflow.execute_activity_method(
            Delivering.deliver,
            Delivery(opening.tenant, opening.escalation_id),
            task_queue=opening.reply_to,
            schedule_to_start_timeout=timedelta(seconds=5),
            start_to_close_timeout=timedelta(seconds=5),
            retry_policy=_A_FEW_TIMES,
        )
    except ActivityError as failure:
        workflow.logger.info("the gateway could not be told: %s", type(failure.cause).__name__)


async def notify(event: Event, view: View, audience: Audience) -> None:
    """Tell one channel."""
    await _tell(event, view, audience, recipient_of(event, view))


def recipient_of(event: Event, view: View) -> str:
    """Whom an event is meant for: a login, `team:NAME`, or all admins."""
    if event.type in _TO_PERSONS:
        return str(event.data.get("assignee"))
    if event.type is EventType.HELP_ASKED:
        return str(event.data.get("asked"))
    paged = event.data.get("on_exhausted") == OnExhausted.PAGE_ADMIN
    return ADMINS if paged else view.route.destination


async def notify_consumer(event: Event, view: View, channel: str) -> None:
    """Tell the application whose answer was held that its case has ended."""
    await _tell(event, view, Audience(channel), view.consumer, to_consumer=True)


async def _tell(event: Event, view: View, audience: Audience, recipient: str, *, to_consumer: bool = False) -> None:
    channel = audience.channel
    # A channel may be the consumer's and the team's; where they are not told the same, it is two messages.
    apart = "consumer/" if to_consumer and view.second_review else ""
    notification = Notification(
        id=f"{view.escalation_id}/{event.seq}/{apart}{channel}",
        event=event.type.value,
        channel=channel,
        view=view,
        at=event.at,
        recipient=recipient,
        tenant=view.tenant,
        data=event.data,
        following=audience.following,
        to_consumer=to_consumer,
    )
    if channel == LOG_CHANNEL:
        # A line in this worker's own log needs no queue, and cannot be slow.
        timeout = timedelta(seconds=5)
        await workflow.execute_local_activity_method(Notifying.notify, notification, start_to_close_timeout=timeout)
        return
    await tell(notification)
