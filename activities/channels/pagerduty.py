"""PagerDuty through the Events API v2: one incident for each escalation, triggered, acknowledged and resolved with it.

The dedup key is the escalation's id, so that a repetition joins the incident that is there. What is sent goes by the
case as it is now, not only by the event: a trigger that was stuck for an hour must not open again what has ended.

Source: https://developer.pagerduty.com/docs/events-api-v2/overview/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import httpx

from activities.channels.effects import OnPagerDuty, effect_of
from activities.channels.faults import fault, retry_after, secret
from activities.channels.words import finding, page, plain
from escalations.channels import PagerDutyChannel as PagerDutySettings
from escalations.severity import Severity
from escalations.views import View
from workflows.messages import Notification

TIMEOUT_S = 20.0
BASE_URL = "KT_PAGERDUTY_URL"
"""Overrides where events go, for a proxy or a test. Not a setting: whoever edits settings must not aim the worker."""

SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
}
_HOSTS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}


class PagerDutyChannel:
    """`newest` reads the case as it is now."""

    def __init__(
        self,
        settings: PagerDutySettings,
        environment: Mapping[str, str],
        newest: Callable[[Notification], Awaitable[View]],
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._newest = newest

    async def send(self, notification: Notification) -> bool:
        """Raises ApplicationError unless PagerDuty took it; 4xx but 408 and 429 is final."""
        view = await self._newest(notification)
        action = action_for(notification.event, view, notification.at)
        if action is OnPagerDuty.NOTHING:
            return False
        link = page(self._environment, view.escalation_id)
        await enqueue(self._settings, self._environment, event(action, notification, view, link))
        return True


async def enqueue(settings: PagerDutySettings, environment: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Send one event, to which the routing key is added. Raises ApplicationError."""
    url = (environment.get(BASE_URL) or _HOSTS[settings.region]).rstrip("/") + "/v2/enqueue"
    key = secret("pagerduty", settings.routing_key_ref, environment, "a PagerDuty routing key")
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
            answer = await client.post(url, json={"routing_key": key, **body})
    except httpx.HTTPError as away:
        raise fault("pagerduty", f"PagerDuty did not answer: {type(away).__name__}") from None
    if answer.is_success:
        return
    told = f"PagerDuty answered {answer.status_code}"
    # A redirect is not PagerDuty's, but of something on the way that may end.
    if answer.is_redirect or answer.status_code in (408, 429) or answer.status_code >= 500:
        raise fault("pagerduty", told, wait=retry_after(answer.headers))
    raise fault("pagerduty", told, final=True)


def action_for(event: str, view: View, at: datetime) -> OnPagerDuty:
    """What an event of the instant `at` asks of PagerDuty, given the case as it is now."""
    action = effect_of(event).pagerduty
    if view.end is not None:
        return OnPagerDuty.RESOLVE
    if action is OnPagerDuty.TRIGGER and view.claimed_at is not None and view.claimed_at > at:
        return OnPagerDuty.NOTHING
    return action


def event(action: OnPagerDuty, notification: Notification, view: View, link: str) -> dict[str, Any]:
    """The event without its routing key: ids and states, never content."""
    common = {"event_action": action.value, "dedup_key": view.escalation_id}
    if action is not OnPagerDuty.TRIGGER:
        return common
    words = effect_of(notification.event).words
    return common | {
        "client": "keeptrusts",
        "client_url": link,
        "links": [{"href": link, "text": "Open the escalation"}],
        "payload": {
            "summary": f"{words}: {finding(view)}, {view.severity.value}"[:1024],
            "source": plain(view.gateway or "keeptrusts"),
            "severity": SEVERITIES[view.severity],
            "timestamp": notification.at.isoformat(),
            "component": plain(view.policy_rule),
            "group": plain(view.team or view.route.destination),
            "class": plain(view.reason_code),
            "custom_details": {
                "escalation_id": view.escalation_id,
                "notification_id": notification.id,
                "event": notification.event,
                "status": view.status.value,
                "sla_state": view.sla_state.value,
                "sla_deadline": view.sla_deadline.isoformat(),
                "assignee": view.assignee,
            },
        },
    }
