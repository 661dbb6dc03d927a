"""Who gets a case: a team's queue or one person, how they are told, and what chose it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Chooser(StrEnum):
    """What decided on a route, in the order of precedence at opening; a person's word comes later than all."""

    MODEL = "model"
    TARGET = "target"
    RULE = "rule"
    CATCH_ALL = "catch_all"
    PERSON = "person"


class OnExhausted(StrEnum):
    """What becomes of a case that nobody of its chain took."""

    EXPIRE_BLOCK = "expire_block"
    HOLD = "hold"
    PAGE_ADMIN = "page_admin"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a chain a route is: at which leg, in which round, both counted from 0.

    Somebody has to claim the case within `ack_timeout`; None once the chain is exhausted, and the case waits.
    """

    chain: str
    leg: int
    round: int = 0
    ack_timeout: timedelta | None = None

    def __str__(self) -> str:
        """As people are told it."""
        return f"leg {self.leg + 1} of chain {self.chain}{f', round {self.round + 1}' if self.round else ''}"


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The end of a chain, and the channels on which it is told."""

    end: OnExhausted
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One destination. Exactly one of `team` and `user` is set; a route to a user arrives already claimed.

    `channel` is a notification channel as settings name it (`log`, `webhook:NAME`, `slack:#channel`). `name` says
    which rule, target or person chose it. `position` is the index of the rule in the ordered list, and None when
    no rule chose it: the next level is looked for behind it, from the first rule when there is none. A route that is
    a leg of a chain has a `place` in it. `also` are further channels, told like `channel`.
    """

    chosen_by: Chooser
    name: str
    team: str | None = None
    user: str | None = None
    channel: str = "log"
    position: int | None = None
    place: Place | None = None
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.team is None) == (self.user is None):
            raise ValueError("a route goes to exactly one of a team and a user")

    @property
    def destination(self) -> str:
        """The route as settings write it: `team:legal` or a login."""
        return f"team:{self.team}" if self.team is not None else str(self.user)


class LegReason(StrEnum):
    OPENED = "opened"
    ESCALATED = "escalated"
    BREACHED = "breached"
    UNACKNOWLEDGED = "unacknowledged"


@dataclass(frozen=True, slots=True)
class Leg:
    """One assignment of the case to a route. The SLA belongs to the escalation, not to the leg."""

    route: Route
    started_at: datetime
    reason: LegReason
