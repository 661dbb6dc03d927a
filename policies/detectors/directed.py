"""Where a text directs somebody: a person, a modal or an imperative, and a verb of the field, close together.

The subject of a text is not a decision. "Metformin is used in diabetes" is about medicine; "you should stop taking
metformin" decides. Works on words, in one pass, each word looked up once.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress, count

from policies.detectors import decisions as table
from policies.detectors.words import ENDS

_PERSON, _GENERIC, _MODAL, _BINDING, _RECOMMEND, _IMPERSONAL, _OPENER, _FIRST, _SECOND, _ASKING, _END = (
    1 << bit for bit in range(11)
)
_VERBS = {category: 1 << (11 + index) for index, category in enumerate(table.VERBS)}
_IRREGULAR = {
    "take": "taking taken", "give": "giving given", "see": "seeing seen", "sue": "suing sued", "buy": "buying bought",
    "sell": "selling sold", "get": "getting", "stop": "stopping stopped", "cut": "cutting", "put": "putting",
    "admit": "admitting admitted", "prescribe": "prescribing prescribed", "send": "sending sent", "pay": "paying paid",
}  # fmt: skip
_REACH = 7


@dataclass(slots=True)
class Directions:
    """What was found in one text: decisions by field, and how much it speaks to somebody at all.

    `decisions`: the strengths added up by field. `asks`: decisions that a first person asks about. `second`, `first`:
    how many words are `you`, `I` and their kin. `places`: the tokens of the decisions by field. `count`: all words.
    """

    count: int
    decisions: dict[str, float] = field(default_factory=dict)
    asks: dict[str, float] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)
    second: int = 0
    first: int = 0
    advice: int = 0


def directions(words: list[str], distinct: Set[str], categories: tuple[str, ...]) -> Directions:
    """Looks for each word once, and at a few before each verb of the field. `distinct` are the same words."""
    found = Directions(len(words))
    telling, wanted, mask = _sought(categories)
    if telling.isdisjoint(distinct):
        return found
    for place in compress(count(), map(telling.__contains__, words)):
        mark = _INDEX[words[place]]
        if mark & _SECOND:
            found.second += 1
            if place + 1 < len(words) and _INDEX.get(words[place + 1], 0) & _BINDING:
                found.advice += 1
        elif mark & _FIRST:
            found.first += 1
        if mark & mask:
            strength, asked = _strength(words, place)
            if strength or asked:
                for category, bit in wanted:
                    if mark & bit:
                        found.decisions[category] = found.decisions.get(category, 0.0) + strength
                        found.asks[category] = found.asks.get(category, 0.0) + asked
                        found.places.setdefault(category, []).append(place)
    return found


@lru_cache(64)
def _sought(categories: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, int], ...], int]:
    """The words at which something is to be seen, the mark of each category's verbs, and all of those marks."""
    wanted = {category: _VERBS[category] for category in categories if category in _VERBS}
    mask = sum(wanted.values())
    telling = frozenset(word for word, mark in _INDEX.items() if mark & (mask | _FIRST | _SECOND))
    return telling, tuple(wanted.items()), mask


def _strength(words: list[str], place: int) -> tuple[float, float]:
    """How much the verb at this place directs somebody, and how much it is what a first person asks about."""
    first = place
    seen = 0
    mark_of = _INDEX.get
    while first > 0 and place - first < _REACH:
        mark = mark_of(words[first - 1], 0)
        if mark & _END:
            break
        first -= 1
        seen |= mark
        if mark & _MODAL:
            return _by_modal(words, first)
        if mark & (_RECOMMEND | _IMPERSONAL):
            break
    if seen & _RECOMMEND:
        near = words[max(0, first - 4) : first + 3]
        return (1.0 if any(mark_of(word, 0) & (_FIRST | _SECOND) for word in near) else 0.4), 0.0
    if seen & _IMPERSONAL:
        return 0.5, 0.0
    opens = first == 0 or words[first - 1] in ENDS
    if opens and all(mark_of(word, 0) & _OPENER or word.isdecimal() for word in words[first:place]):
        return 0.5, 0.0
    return 0.0, 0.0


def _by_modal(words: list[str], modal: int) -> tuple[float, float]:
    mark = _INDEX[words[modal]]
    binding = bool(mark & _BINDING)
    before = _near(words, modal)
    after = _INDEX.get(words[modal + 1], 0) if modal + 1 < len(words) else 0
    if after & _FIRST or (after & _PERSON and mark & _ASKING and not before & (_PERSON | _SECOND)):
        return 0.0, 1.0
    if before & _GENERIC and not before & _SECOND:
        return (0.25 if binding else 0.05), 0.0
    if before & _SECOND:
        return (1.0 if binding else 0.6), 0.0
    if before & _FIRST:
        return 0.0, 0.4
    if before & _PERSON:
        return (0.8 if binding else 0.3), 0.0
    return (0.2 if binding else 0.0), 0.0


def _near(words: list[str], place: int) -> int:
    """What stands in the four words before, within the sentence."""
    seen = 0
    for word in reversed(words[max(0, place - 4) : place]):
        mark = _INDEX.get(word, 0)
        if mark & _END:
            break
        seen |= mark
    return seen


def _index() -> dict[str, int]:
    built: dict[str, int] = {}

    def mark(bit: int, words: object) -> None:
        assert isinstance(words, frozenset | set | list)
        for word in words:
            built[word] = built.get(word, 0) | bit

    for bit, words in (
        (_PERSON, table.PERSONS), (_GENERIC, table.GENERIC), (_MODAL, table.MODALS), (_BINDING, table.BINDING),
        (_RECOMMEND, table.RECOMMENDS), (_IMPERSONAL, table.IMPERSONAL), (_OPENER, table.OPENERS),
        (_FIRST, table.FIRST), (_SECOND, table.SECOND), (_ASKING, table.ASKING), (_END, ENDS),
    ):  # fmt: skip
        mark(bit, words)
    for category, verbs in table.VERBS.items():
        for verb in verbs.split():
            stem = verb.removesuffix("e")
            mark(_VERBS[category], [verb, *_IRREGULAR.get(verb, f"{stem}ing {stem}ed").split()])
    return built


_INDEX = _index()
