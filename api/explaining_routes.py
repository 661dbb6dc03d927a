"""Event by event, why a case is with whom it is: the rule or leg that led there, the strategy that chose somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from escalations.commands import ActorKind
from escalations.events import Event, EventType

_ENDS = {
    "expire_block": "it expires, and nothing is released",
    "hold": "it waits where it is",
    "page_admin": "it waits, and the admins are told",
    "allow": "it is released, as the settings say",
}


def legs(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Every route that the case was on."""
    return [
        {
            "at": event.at,
            "event": event.type.value,
            "route": event.data["route"],
            "rule": event.data["rule"],
            "chain": event.data.get("chain"),
            "leg": event.data.get("leg"),
            "round": event.data.get("round"),
        }
        for event in events
        if event.data.get("rule")
    ]


def hands(events: Sequence[Event]) -> Iterator[tuple[Event, str]]:
    """Every event after which somebody else had the case, or was to have it, and why."""
    routed = None
    for event in events:
        told = _told(event, routed)
        if event.data.get("rule"):
            routed = event
        if told is not None:
            yield event, told


def _told(event: Event, routed: Event | None) -> str | None:
    data = event.data
    skipped = f"; passed over: {data['skipped']}" if data.get("skipped") else ""
    match event.type:
        case EventType.OPENED | EventType.REASSIGNED | EventType.ESCALATED if data.get("rule"):
            return f"{data['route']} by {_chosen(event)}{skipped}"
        case EventType.ESCALATED:
            return "the next level is wanted"
        case EventType.ASSIGNED if data.get("strategy"):
            return f"{data.get('assignee')} by the strategy {data['strategy']} of the team"
        case EventType.ASSIGNED if event.actor.kind is ActorKind.SYSTEM and routed is not None:
            return f"{data.get('assignee')}, to whom {_chosen(routed)} leads"
        case EventType.ASSIGNED:
            return f"{data.get('assignee')} by the word of {event.actor}"
        case EventType.CLAIMED | EventType.ACKNOWLEDGED | EventType.UNCLAIMED:
            return f"{event.actor} {_WORDS[event.type]}"
        case EventType.LEASE_EXPIRED | EventType.RELEASED_AT_BREACH:
            return f"{data.get('assignee')} {_WORDS[event.type]}"
        case EventType.UNACKNOWLEDGED:
            return f"nobody took it in the time of {_leg(event)}"
        case EventType.CHAIN_EXHAUSTED:
            end = _ENDS.get(str(data.get("on_exhausted")), "")
            return f"no leg of chain {data.get('chain')} is left: {end} ({data.get('on_exhausted')}){skipped}"
        case EventType.UNROUTED:
            return f"no further level; it stays with {data.get('route')}{skipped}"
        case _:
            return None


_WORDS = {
    EventType.CLAIMED: "claimed it",
    EventType.ACKNOWLEDGED: "was heard of, and keeps it",
    EventType.UNCLAIMED: "gave it back",
    EventType.LEASE_EXPIRED: "was not heard of until the claim ran out",
    EventType.RELEASED_AT_BREACH: "lost it at the deadline",
}


def _chosen(event: Event) -> str:
    data = event.data
    by = f"{_CHOOSERS.get(str(data.get('chosen_by')), '')} {data.get('rule')!r}".strip()
    return f"{by}, {_leg(event)}" if data.get("chain") else by


_CHOOSERS = {"rule": "the rule", "person": "the word of", "model": "the routing of", "target": "the routing of"}


def _leg(event: Event) -> str:
    data = event.data
    turn = f", round {data['round']}" if data.get("round") not in (None, 1) else ""
    return f"leg {data.get('leg')} of chain {data.get('chain')}{turn}"
