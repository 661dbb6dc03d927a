"""The card of an escalation in Slack: what it shows and holds, made of the case alone, so that it can be made again.

Names and excerpts are escaped and nothing in them is linked or mentioned (`verbatim`): a policy named `<!channel>`
calls nobody, and an excerpt is one line of a quotation, which it cannot leave.

Sources: https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activities.channels.words import finding, instant, plain, standing, when_due
from escalations.views import View

EVENT_TYPE = "keeptrusts_escalation"
CLAIM = "kt_claim"
DECIDE = "kt_decide"
OPEN = "kt_open"
_MARKS = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "🔵"}


@dataclass(frozen=True, slots=True)
class Card:
    """A card that is posted: its timestamp, the version of the case that it shows, and the events replied to it."""

    ts: str
    version: int
    said: frozenset[str] = frozenset()

    def metadata(self, view: View) -> dict[str, Any]:
        """What makes the card findable. Every app in the workspace may read it, so it holds nothing but ids."""
        payload = {"escalation_id": view.escalation_id, "version": self.version, "said": ",".join(sorted(self.said))}
        return {"event_type": EVENT_TYPE, "event_payload": payload}


def card_of(message: dict[str, Any], escalation_id: str, bot_id: str) -> Card | None:
    """The card that a message of a channel's history is. None for all others, and for what another app posted."""
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    if metadata.get("event_type") != EVENT_TYPE or message.get("bot_id") != bot_id:
        return None
    if payload.get("escalation_id") != escalation_id:
        return None
    said = frozenset(filter(None, str(payload.get("said", "")).split(",")))
    version = payload.get("version")
    return Card(str(message.get("ts")), version if isinstance(version, int) else 0, said)


@dataclass(frozen=True, slots=True)
class Look:
    """What a card offers beside the state of the case: buttons that act, one of them to decide, a line of the answer.

    The line is hostile text. It goes when the case ends.
    """

    interactive: bool = False
    decisions: bool = False
    excerpt: str | None = None


def blocks(view: View, link: str, look: Look) -> list[dict[str, Any]]:
    severity = view.severity.value
    fields = [
        ("Policy", escaped(finding(view))),
        ("Severity", escaped(f"{severity}: {view.severity.description}")),
        ("Status", escaped(standing(view))),
        ("Due", f"{when_due(view, due(view))}{_overdue(view)}"),
    ]
    excerpt = look.excerpt if view.end is None else None
    told = "an excerpt; it may hold more than was recognised" if excerpt else "what is under review is not shown here"
    return [
        {
            "type": "header",
            "text": _plain(f"{_MARKS[severity]} {severity.capitalize()}: {plain(view.policy_rule, 100)}"),
        },
        {"type": "section", "fields": [_mrkdwn(f"*{name}*\n{value}") for name, value in fields]},
        *([{"type": "section", "text": _mrkdwn(f">{escaped(excerpt)}")}] if excerpt else []),
        {"type": "actions", "block_id": "kt_actions", "elements": _buttons(view, link, look)},
        {"type": "context", "elements": [_plain(f"{plain(view.escalation_id)} · {told}")]},
    ]


def summary(view: View, words: str) -> str:
    """The text that notifications and screen readers get."""
    return escaped(f"{words}: {finding(view)}, {view.severity.value}. {standing(view)}.")


def due(view: View) -> str:
    """In the reader's own time zone. Source: https://docs.slack.dev/messaging/formatting-message-text#date-formatting"""
    moment = int(view.sla_deadline.timestamp())
    return f"<!date^{moment}^{{date_short_pretty}} at {{time}}|{instant(view.sla_deadline)}>"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _overdue(view: View) -> str:
    return " (missed)" if view.breached_at is not None else ""


def _buttons(view: View, link: str, look: Look) -> list[dict[str, Any]]:
    opening = {"type": "button", "action_id": OPEN, "text": _plain("Open"), "url": link, "value": view.escalation_id}
    if view.end is not None or view.proposal is not None or view.pending is not None:
        # To confirm what another proposed, or to undo a decision, takes a look at the case itself.
        return [opening]
    if view.assignee is not None:
        return [_button(DECIDE, "Decide", view), opening] if look.interactive and look.decisions else [opening]
    claim = _button(CLAIM, "Claim", view)
    return [claim if look.interactive else {**claim, "url": link}, opening]


def _button(action_id: str, text: str, view: View) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action_id,
        "text": _plain(text),
        "style": "primary",
        "value": view.escalation_id,
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
