"""Whether a channel works: one message that says that it is a test, about no case. `kt notify test` sends it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import orjson

from activities.channels.email import deliver
from activities.channels.faults import fault, secret
from activities.channels.other_services import AppriseChannel
from activities.channels.pagerduty import enqueue
from activities.channels.slack_web import SlackAway, SlackError, base_url, call, slack_client, slack_fault
from activities.channels.webhook import WebhookChannel
from activities.channels.words import plain
from escalations.channels import AppriseChannel as AppriseSettings
from escalations.channels import EmailChannel, LogChannel, PagerDutyChannel, SlackChannel, find_channel
from escalations.channels import WebhookChannel as WebhookSettings
from escalations.settings import EscalationSettings
from workflows.messages import ChannelTest

WORDS = "This is a test of a notification channel. Nothing happened, and nothing is to be done."


async def try_out(settings: EscalationSettings, environment: Mapping[str, str], test: ChannelTest) -> None:
    """Raises ApplicationError when the message did not arrive."""
    configured, destination = find_channel(settings.notification_channels, test.channel)
    told = f"{WORDS} {plain(test.by)} asked for it."
    match configured:
        case SlackChannel():
            await _slack(configured, environment, destination or configured.channel, told)
        case EmailChannel():
            await _email(configured, environment, (destination,) if destination else configured.to, told)
        case PagerDutyChannel():
            await _pagerduty(configured, environment, told)
        case WebhookSettings():
            body = {"type": "channel.test", "timestamp": datetime.now(UTC).isoformat(), "data": {"by": test.by}}
            hook = WebhookChannel(configured, environment)
            await hook.post(f"test_{secrets.token_hex(8)}", int(time.time()), orjson.dumps(body))
        case AppriseSettings():
            await AppriseChannel(configured, environment).say("Test of a notification channel", told)
        case LogChannel():
            return
        case None if test.channel == "log":
            return
        case None:
            known = ", ".join(sorted(settings.notification_channels)) or "none"
            raise fault("test", f"there is no channel {plain(test.channel)!r} in the settings; there is {known}")


async def _slack(settings: SlackChannel, environment: Mapping[str, str], channel: str | None, told: str) -> None:
    if channel is None:
        raise fault("slack", "the settings name no channel; name one, as slack:#channel", final=True)
    token = secret("slack", settings.token_ref, environment, "a Slack token")
    try:
        async with slack_client(base_url(environment), token) as client:
            await call(client, "chat.postMessage", {"channel": channel, "text": told, "parse": "none"})
    except (SlackError, SlackAway) as refused:
        raise slack_fault(refused) from None


async def _email(settings: EmailChannel, environment: Mapping[str, str], to: tuple[str, ...], told: str) -> None:
    if not to:
        raise fault("email", "the settings name no address to write to; name one, as email:you@example.com", final=True)
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = ", ".join(to)
    message["Subject"] = "Test of a notification channel"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{told}\n")
    await deliver(settings, environment, message, to)


async def _pagerduty(settings: PagerDutyChannel, environment: Mapping[str, str], told: str) -> None:
    """An incident of the lowest severity that is resolved at once."""
    key = f"kt-test-{secrets.token_hex(8)}"
    payload = {"summary": told, "source": "keeptrusts", "severity": "info"}
    await enqueue(settings, environment, {"event_action": "trigger", "dedup_key": key, "payload": payload})
    await enqueue(settings, environment, {"event_action": "resolve", "dedup_key": key})
