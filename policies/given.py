"""What an installation gives its chains: they hold no secret and know of no other request."""

from __future__ import annotations

from dataclasses import dataclass

from policies.rates import Rates

PSEUDONYM_KEY = b"without an installation, no secret"
"""Where a configuration is only tried out: its names for personal data are then not those of any installation."""


@dataclass(frozen=True, slots=True)
class Given:
    """`pseudonym_key` makes the names that stand for personal data. `rates` knows how often consumers are escalated;
    without it that is not looked at."""

    pseudonym_key: bytes = PSEUDONYM_KEY
    rates: Rates | None = None


UNGIVEN = Given()
