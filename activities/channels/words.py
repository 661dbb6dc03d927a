"""What channels say of a case: states and names on one clean line each, and the page to go to. Never content."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from escalations.case import End
from escalations.decisions import Resolution
from escalations.durations import paused
from escalations.views import View

_RESOLUTIONS = {
    Resolution.ALLOW.value: "Allowed",
    Resolution.BLOCK.value: "Blocked",
    Resolution.REDACT_AND_ALLOW.value: "Redacted and allowed",
}


def plain(text: str, most: int = 200) -> str:
    """One line, without control characters and without those that change the direction or hide."""
    clean = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    clean = re.sub(" +", " ", clean).strip()
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def page(environment: Mapping[str, str], escalation_id: str) -> str:
    """Where a person sees the case. Opening it changes nothing: links in messages are fetched by scanners."""
    base = (environment.get("KT_PUBLIC_URL") or "http://127.0.0.1:41001").rstrip("/")
    return f"{base}/escalations/{quote(escalation_id, safe='')}"


def finding(view: View) -> str:
    """The policy, and what it found."""
    found = plain(view.policy_rule)
    return (
        f"{found} ({plain(view.reason_code)})" if view.reason_code and view.reason_code != view.policy_rule else found
    )


def standing(view: View) -> str:
    """Where the case is now.

    Of one that may be reviewed a second time, blind, not how it was decided, nor by whom: those who are told are those
    who may be asked.
    """
    if view.second_review and (told := _blindly(view)) is not None:
        return told
    if view.end is End.RESOLVED:
        told = _RESOLUTIONS.get(view.resolution or "", "Resolved")
        return f"{told} by {plain(view.reviewer)}" if view.reviewer else told
    if view.end is End.EXPIRED:
        return "Expired: nobody decided, nothing was released"
    if view.end is End.WITHDRAWN:
        return "Withdrawn: the consumer gave up"
    if view.pending is not None:
        return (
            f"{_RESOLUTIONS[view.pending.decision.resolution.value]} by {plain(view.pending.by.login)}, can be undone"
        )
    if view.proposal is not None:
        decision = view.proposal.decision
        missing = view.required_approvals - len(view.proposal.people)
        told = f"{_RESOLUTIONS[decision.resolution.value]} is what {plain(decision.reviewer)} proposes"
        return f"{told}; {missing} more must confirm"
    still = "" if view.left_when_paused is None else ", paused"
    if view.assignee:
        return f"Claimed by {plain(view.assignee)}{still}"
    return f"Open, in the queue of {plain(view.team or view.route.destination)}{still}"


def when_due(view: View, told: str | None = None) -> str:
    """When it is due, in the words of the channel if it has its own. Of a case whose clock stands still, what is left:
    it has no due time until it goes on."""
    left = view.left_when_paused
    return paused(left) if left is not None else told or instant(view.sla_deadline)


def _blindly(view: View) -> str | None:
    if view.end is End.RESOLVED:
        return "Decided"
    if view.end is not None:
        return None
    if view.pending is not None:
        return "Decided, can be undone"
    if view.proposal is not None:
        missing = view.required_approvals - len(view.proposal.people)
        return f"A decision is proposed; {missing} more must confirm"
    return None


def instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
