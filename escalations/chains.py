"""The settings of chains: who is asked one after the other until somebody takes a case, and what then becomes of it.

chains:
  legal-critical:
    legs:
    - {to: "schedule:legal-on-call", ack_timeout: 5m, notify: [pagerduty, "slack:#legal"]}
    - {to: "team:legal", ack_timeout: 15m}
    - {to: "chain:compliance"}
    repeat: 2
    on_exhausted: page_admin
    page: [pagerduty]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from escalations.parts import Duration, Names, Part
from escalations.routes import OnExhausted

DEFAULT_ACK_TIMEOUT = timedelta(minutes=5)
MOST_LEGS = 100
"""Of a chain, with those of the chains that it goes through."""


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not name or any(character.isspace() for character in name):
            raise ValueError(f"{name!r} is not the name of a channel")
    return tuple(dict.fromkeys(names))


ChannelNames = Annotated[Names, AfterValidator(_plain), Field(max_length=20)]


class ChainLeg(Part):
    """One step: `team:NAME`, `user:NAME`, `schedule:NAME`, or all legs of `chain:NAME` in its place.

    Whoever claims the case within `ack_timeout` (five minutes unless given), by the wall clock, has acknowledged it;
    else the next leg is asked. `notify` are the channels on which this leg is told, that of the routing rule unless
    given.
    """

    to: Annotated[str, Field(min_length=1, max_length=200)]
    ack_timeout: Duration | None = None
    notify: ChannelNames = ()

    @field_validator("to")
    @classmethod
    def _destination(cls, value: str) -> str:
        kind, found, rest = value.partition(":")
        if found and (kind not in ("team", "user", "schedule", "chain") or not rest):
            raise ValueError("a leg goes to `team:NAME`, `user:NAME`, `schedule:NAME` or `chain:NAME`")
        return value

    @model_validator(mode="after")
    def _says_it_once(self) -> ChainLeg:
        if self.chain is not None and self.ack_timeout is not None:
            raise ValueError("a leg that is a chain has the timeouts of that chain's legs; leave ack_timeout out")
        return self

    @property
    def timeout(self) -> timedelta:
        return self.ack_timeout or DEFAULT_ACK_TIMEOUT

    @property
    def chain(self) -> str | None:
        kind, _, name = self.to.partition(":")
        return name if kind == "chain" else None


class ChainSettings(Part):
    """Legs in order, the whole of them over again `repeat` times, and what then becomes of a case that nobody took.

    `expire_block`: it expires, and nothing is released. `hold`: it waits where it is. `page_admin`: it waits, and the
    admins are told on the channels of `page`, or else on those of the last leg. `allow`: the answer is released though
    nobody has looked at it.
    """

    legs: Annotated[tuple[ChainLeg, ...], Field(min_length=1, max_length=MOST_LEGS)]
    repeat: Annotated[int, Field(ge=0, le=9)] = 0
    on_exhausted: OnExhausted
    page: ChannelNames = ()


Chains = dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,99}$")], ChainSettings]


def legs_of(chains: Mapping[str, ChainSettings], name: str) -> tuple[ChainLeg, ...]:
    """The legs of a chain, those of the chains in it in their places. A chain inside itself, or one that is not there,
    has none."""
    return tuple(islice(_legs(chains, name, (), ()), MOST_LEGS))


def _legs(
    chains: Mapping[str, ChainSettings], name: str, notify: tuple[str, ...], around: tuple[str, ...]
) -> Iterator[ChainLeg]:
    if name in around or name not in chains:
        return
    for leg in chains[name].legs:
        told = leg.notify or notify
        if leg.chain is not None:
            yield from _legs(chains, leg.chain, told, (*around, name))
        else:
            yield leg.model_copy(update={"notify": told})
