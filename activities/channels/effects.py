"""What every event does on every channel: the one table, which docs/notifications.md repeats and a test compares.

A webhook and the log get every event that the workflow tells, and need no column.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from escalations.events import EventType


class OnSlack(StrEnum):
    """`card`: the card is brought up to date, silently. `reply`: that, and people are called by a reply to it."""

    NOTHING = "nothing"
    CARD = "card"
    REPLY = "reply"


class OnPagerDuty(StrEnum):
    NOTHING = "nothing"
    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Effect:
    """`words` say to people what happened."""

    words: str
    slack: OnSlack = OnSlack.CARD
    mails: bool = True
    pagerduty: OnPagerDuty = OnPagerDuty.TRIGGER


EFFECTS: dict[str, Effect] = {
    EventType.OPENED: Effect("Review wanted"),
    EventType.ASSIGNED: Effect("Assigned"),
    EventType.CLAIMED: Effect("Claimed", mails=False, pagerduty=OnPagerDuty.ACKNOWLEDGE),
    EventType.UNCLAIMED: Effect("Back in the queue", mails=False),
    EventType.LEASE_WARNING: Effect("The claim runs out soon", pagerduty=OnPagerDuty.NOTHING),
    EventType.LEASE_EXPIRED: Effect("Claim ran out, back in the queue", mails=False),
    EventType.EXTENDED: Effect("Claim extended", mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.HELP_ASKED: Effect("Help is wanted", OnSlack.REPLY, pagerduty=OnPagerDuty.NOTHING),
    EventType.COMMENTED: Effect("Comment", OnSlack.NOTHING, mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.PROPOSED: Effect("A decision is proposed; another person has to confirm it"),
    EventType.APPROVED: Effect("Approval given", mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.OBJECTED: Effect("Objection: a new decision is wanted"),
    EventType.LEADER_LEFT: Effect("Review wanted: the same request was not decided"),
    EventType.DECIDED: Effect("Decided, and about to count", mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.UNDONE: Effect("The decision was undone", mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.ESCALATED: Effect("Escalated further"),
    EventType.AMBER: Effect("Due soon", OnSlack.REPLY),
    EventType.REMINDER: Effect("Reminder: still undecided", OnSlack.REPLY),
    EventType.CLAIM_OVERDUE: Effect("Nobody has claimed it in time", OnSlack.REPLY),
    EventType.PAUSED: Effect("Waiting for the requester", mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.RESUMED: Effect("The clock goes on", mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.SEVERITY_CHANGED: Effect("Severity changed", OnSlack.REPLY),
    EventType.RECOMPUTED: Effect("Deadline recomputed", mails=False, pagerduty=OnPagerDuty.NOTHING),
    EventType.BREACHED: Effect("Deadline missed", OnSlack.REPLY),
    EventType.RELEASED_AT_BREACH: Effect("Taken back at the deadline", pagerduty=OnPagerDuty.NOTHING),
    EventType.REASSIGNED: Effect("Passed to the next level"),
    EventType.UNROUTED: Effect("No further level; still undecided"),
    EventType.ACKNOWLEDGED: Effect("Acknowledged", mails=False, pagerduty=OnPagerDuty.ACKNOWLEDGE),
    EventType.UNACKNOWLEDGED: Effect("Nobody took it in time; the next is asked", pagerduty=OnPagerDuty.NOTHING),
    EventType.CHAIN_EXHAUSTED: Effect("Everybody was asked, and nobody took it", OnSlack.REPLY),
    EventType.RESOLVED: Effect("Resolved", pagerduty=OnPagerDuty.RESOLVE),
    EventType.EXPIRED: Effect("Expired: nobody decided", pagerduty=OnPagerDuty.RESOLVE),
    EventType.WITHDRAWN: Effect("Withdrawn", pagerduty=OnPagerDuty.RESOLVE),
    EventType.REFUSED: Effect("Refused", OnSlack.NOTHING, mails=False, pagerduty=OnPagerDuty.NOTHING),
}

_OF_ANOTHER_VERSION = Effect("Changed", pagerduty=OnPagerDuty.NOTHING)


def effect_of(event: str) -> Effect:
    """What an event does; one that this version does not know is shown and mailed, and wakes nobody."""
    return EFFECTS.get(event, _OF_ANOTHER_VERSION)
