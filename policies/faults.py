"""What is wrong with a value of a configuration, in words that the linter can place and number."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DID_YOU_MEAN = " — did you mean "
RANGE_FAULTS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"})
"""What pydantic calls a number that is outside its range."""


class Misplaced(ValueError):
    """A fault of a document with the number of its rule, and the way on from where it is noticed to where it stands."""

    def __init__(self, message: str, rule: str = "KT103", trail: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.rule, self.trail = rule, trail


def suggest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """` — did you mean 'x'?`, when something is near."""
    words = list(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=cutoff)
    near = near or [longer for longer in words if len(word) > 2 and longer.startswith(word)]
    return f"{DID_YOU_MEAN}{near[0]!r}?" if near else ""


def unknown(what: str, word: str, known: Iterable[str], trail: tuple[str | int, ...] = ()) -> Misplaced:
    """A name that nothing has."""
    names = list(known)
    return Misplaced(f"unknown {what} {word!r}; known are {', '.join(names)}{suggest(word, names)}", "KT109", trail)
