"""Where a text directs somebody: a person, a modal or an imperative, and a verb of the field, close together.

The subject of a text is not a decision. "Metformin is used in diabetes" is about medicine; "you should stop taking
metformin" decides. Works on words, in one pass, each word looked up once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat

from policies.detectors import decisions as table
from policies.detectors.words import ENDS

_PERSON, _GENERIC, _MODAL, _BINDING, _RECOMMEND, _IMPERSONAL, _OPENER, _FIRST, _SECOND, _ASKING = (
    1 << bit for bit in range(10)
)
_VERBS = {category: 1 << (10 + index) for index, category in enumerate(table.VERBS)}
_ANY_VERB = sum(_VERBS.values())
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

    decisions: dict[str, float]
    asks: dict[str, float]
    places: dict[str, list[int]]
    second: int
    first: int
    advice: int
    count: int


def directions(words: list[str], categories: tuple[str, ...]) -> Directions:
    """Looks at each word once, and at a few before each verb of the field."""
    marks = list(map(_INDEX.get, words, repeat(0)))
    wanted = {category: _VERBS[category] for category in categories if category in _VERBS}
    mask = sum(wanted.values())
    found = Directions(dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, 0.0), {}, 0, 0, 0, len(words))
    telling = mask | _FIRST | _SECOND
    for place in [place for place, mark in enumerate(marks) if mark & telling]:
        mark = marks[place]
        if mark & _SECOND:
            found.second += 1
            if place + 1 < len(marks) and marks[place + 1] & _BINDING:
                found.advice += 1
        elif mark & _FIRST:
            found.first += 1
        if mark & mask:
            strength, asked = _strength(words, marks, place)
            if strength or asked:
                for category, bit in wanted.items():
                    if mark & bit:
                        found.decisions[category] += strength
                        found.asks[category] += asked
                        found.places.setdefault(category, []).append(place)
    return found


def _strength(words: list[str], marks: list[int], place: int) -> tuple[float, float]:
    """How much the verb at this place directs somebody, and how much it is what a first person asks about."""
    first = place
    seen = 0
    modal = -1
    while first > 0 and place - first < _REACH and words[first - 1] not in ENDS:
        first -= 1
        mark = marks[first]
        seen |= mark
        if mark & _MODAL:
            modal = first
            break
        if mark & (_RECOMMEND | _IMPERSONAL):
            break
    if modal >= 0:
        return _by_modal(words, marks, modal)
    if seen & _RECOMMEND:
        return (1.0 if any(mark & (_FIRST | _SECOND) for mark in marks[max(0, first - 4) : first + 3]) else 0.4), 0.0
    if seen & _IMPERSONAL:
        return 0.5, 0.0
    opens = first == 0 or words[first - 1] in ENDS
    if opens and all(marks[i] & _OPENER or words[i].isdecimal() for i in range(first, place)):
        return 0.5, 0.0
    return 0.0, 0.0


def _by_modal(words: list[str], marks: list[int], modal: int) -> tuple[float, float]:
    binding = bool(marks[modal] & _BINDING)
    before = _near(words, marks, modal)
    after = marks[modal + 1] if modal + 1 < len(marks) else 0
    if after & _FIRST or (after & _PERSON and marks[modal] & _ASKING and not before & (_PERSON | _SECOND)):
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


def _near(words: list[str], marks: list[int], place: int) -> int:
    """What stands in the four words before, within the sentence."""
    seen = 0
    for index in range(place - 1, max(-1, place - 5), -1):
        if words[index] in ENDS:
            break
        seen |= marks[index]
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
        (_FIRST, table.FIRST), (_SECOND, table.SECOND), (_ASKING, table.ASKING),
    ):  # fmt: skip
        mark(bit, words)
    for category, verbs in table.VERBS.items():
        for verb in verbs.split():
            stem = verb.removesuffix("e")
            mark(_VERBS[category], [verb, *_IRREGULAR.get(verb, f"{stem}ing {stem}ed").split()])
    return built


_INDEX = _index()
