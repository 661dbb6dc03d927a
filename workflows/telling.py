"""Which channels an event is told on: the route's own, and those of earlier routes where the case is still on show.

A Slack card or a PagerDuty incident stays where it was made when the case moves on; it must not keep saying that the
case is open once it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from escalations.events import Event, EventType
from escalations.routes import Leg
from escalations.views import View

LOG_CHANNEL = "log"

_TOLD = frozenset(
    {
        EventType.OPENED,
        EventType.LEADER_LEFT,
        EventType.ASSIGNED,
        EventType.AMBER,
        EventType.REMINDER,
        EventType.CLAIM_OVERDUE,
        EventType.SEVERITY_CHANGED,
        EventType.LEASE_WARNING,
        EventType.HELP_ASKED,
        EventType.BREACHED,
        EventType.RELEASED_AT_BREACH,
        EventType.PROPOSED,
        EventType.OBJECTED,
        EventType.REASSIGNED,
        EventType.UNROUTED,
        EventType.UNACKNOWLEDGED,
        EventType.CHAIN_EXHAUSTED,
        EventType.ESCALATED,
        EventType.RESOLVED,
        EventType.EXPIRED,
        EventType.WITHDRAWN,
    }
)
_SHOWN = frozenset(
    {
        EventType.CLAIMED,
        EventType.ACKNOWLEDGED,
        EventType.UNCLAIMED,
        EventType.LEASE_EXPIRED,
        EventType.EXTENDED,
        EventType.APPROVED,
        EventType.DECIDED,
        EventType.UNDONE,
        EventType.PAUSED,
        EventType.RESUMED,
        EventType.RECOMPUTED,
    }
)
"""What changes a case and asks nobody to act: for channels that show a state, not for the log."""


@dataclass(frozen=True, slots=True)
class Audience:
    """A channel to tell. `following`: one of an earlier route, where only what is on show is brought up to date."""

    channel: str
    following: bool = False


def audiences(
    event: Event, view: View, legs: Sequence[Leg], edition: int, beside: Sequence[str] = ()
) -> tuple[Audience, ...]:
    """Whom to tell of an event, each channel once; nobody of a case that is decided elsewhere.

    `edition` is the case's: one of edition 0 tells its route alone. `beside` are the channels of people to whom it was
    assigned, who were told there.
    """
    if view.leader is not None or view.precedent is not None:
        return ()
    own, also = view.route.channel, view.route.also
    if event.data.get("channel"):
        own, also = str(event.data["channel"]), tuple(str(event.data.get("also") or "").split())
    told = event.type in _TOLD
    shown = edition > 0 and (told or event.type in _SHOWN)
    found: dict[str, Audience] = {}
    for channel in (own, *also):
        if told or (shown and channel != LOG_CHANNEL):
            found[channel] = Audience(channel)
    if (of_person := event.data.get("own_channel")) is not None:
        found.setdefault(str(of_person), Audience(str(of_person)))
    if shown:
        earlier = [(leg.route.channel, *leg.route.also) for leg in legs if leg.started_at <= event.at]
        for channel in (*chain.from_iterable(earlier), *beside):
            if channel not in (LOG_CHANNEL, own):
                found.setdefault(channel, Audience(channel, following=True))
    return tuple(found.values())
