"""One message for many cases: how many, how severe, which are due first. Ids and states, never content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any

from activities.channels.effects import effect_of
from activities.channels.slack_card import due, escaped
from activities.channels.words import finding, instant, page, plain
from escalations.channels import EmailChannel
from workflows.messages import Notification

MOST_NAMED = 10
EVENT_TYPE = "keeptrusts_group"


@dataclass(frozen=True, slots=True)
class Digest:
    """`id` stays the same over retries. Each case is in it once, the most urgent first."""

    id: str
    notifications: tuple[Notification, ...]
    at: datetime

    @property
    def title(self) -> str:
        first = self.notifications[0].view
        where = first.team or first.route.destination
        return f"{len(self.notifications)} cases for {plain(where, 60)}: {plain(first.policy_rule, 60)}"

    @property
    def counts(self) -> str:
        """What happened to how many, and how severe they are."""
        events = Counter(effect_of(one.event).words for one in self.notifications)
        severities = Counter(one.view.severity for one in self.notifications)
        told = [f"{count} × {words}" for words, count in events.most_common()]
        told += [f"{severities[severity]} {severity.value}" for severity in sorted(severities, key=lambda s: s.rank)]
        return ", ".join(told)

    @property
    def rest(self) -> str:
        """How many are not named."""
        left = len(self.notifications) - MOST_NAMED
        return f"and {left} more; `kt escalation list` shows all" if left > 0 else ""


def urgent_first(notifications: Mapping[str, Notification]) -> tuple[Notification, ...]:
    """One of each case, by severity and deadline."""
    return tuple(
        sorted(notifications.values(), key=lambda n: (n.view.severity.rank, n.view.sla_deadline, n.view.escalation_id))
    )


def slack_message(digest: Digest, environment: Mapping[str, str]) -> dict[str, Any]:
    lines = [
        f"• <{page(environment, one.view.escalation_id)}|{escaped(plain(one.view.escalation_id))}> "
        f"{escaped(finding(one.view))[:100]}, {one.view.severity.value}, due {due(one.view)}"
        for one in digest.notifications[:MOST_NAMED]
    ]
    text = "\n".join([f"*{escaped(digest.title)}*", escaped(digest.counts), *lines, escaped(digest.rest)])
    return {
        "text": escaped(f"{digest.title}. {digest.counts}"),
        "blocks": [_section(part) for part in _cut(text)],
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"group": digest.id}},
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _cut(text: str, most: int = 2900) -> list[str]:
    """Whole lines, in blocks that Slack takes."""
    blocks, block = [], ""
    for line in text.split("\n"):
        if block and len(block) + len(line) >= most:
            blocks.append(block)
            block = ""
        block = f"{block}\n{line}" if block else line
    return [*blocks, block.rstrip()] if block.strip() else blocks


def email_message(
    digest: Digest, settings: EmailChannel, recipients: tuple[str, ...], environment: Mapping[str, str]
) -> EmailMessage:
    domain = settings.sender.rpartition("@")[2]
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = digest.title
    message["Date"] = format_datetime(digest.at)
    message["Message-ID"] = f"<{digest.id.replace('/', '.')}@{domain}>"
    message["List-Id"] = f"<escalations.{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    named = [
        (f"{finding(one.view)}, {one.view.severity.value}, due {instant(one.view.sla_deadline)}",
         page(environment, one.view.escalation_id))
        for one in digest.notifications[:MOST_NAMED]
    ]  # fmt: skip
    listed = [f"- {told}: {link}" for told, link in named]
    message.set_content("\n".join([f"{digest.title}.", digest.counts, "", *listed, digest.rest, ""]))
    items = "".join(f'<li><a href="{escape(link)}" rel="noreferrer">{escape(told)}</a></li>' for told, link in named)
    message.add_alternative(
        '<!doctype html><html lang="en"><body style="font-family:sans-serif">'
        f"<p><strong>{escape(digest.title)}.</strong><br>{escape(digest.counts)}</p><ul>{items}</ul>"
        f"<p>{escape(digest.rest)}</p></body></html>",
        subtype="html",
    )
    return message
