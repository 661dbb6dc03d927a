"""Payment card numbers in runs of digits: by issuer, length and check digit (ISO/IEC 7812-1).

Two ways to look. Plain: groups joined by single spaces or hyphens, whole numbers only. PCI: any separators, digits of
any script, and numbers inside longer numbers; it would rather take a number too many than leave a card behind.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors.stretches import Marked, Stretch

_PLAIN = re.compile(r"(?<![\d.-])\d(?>(?:[ -]?\d){11,})")
_ANY = re.compile(r"\d(?>(?:[\W_]{0,4}+\d){11,})")
_CODE = re.compile(
    r"(?i)\b(?:cvv2?|cvc2?|cv2|cid|csc|security code|card verification(?: (?:code|value|number))?)\b[\W_]{0,4}"
    r"(?:(?:is|are|number|code|no)\b[\W_]{0,4}){0,2}(\d{3,4})(?!\d)"
)
CODE_HEADS = r"cv[vc2]|cid|csc|security code|card verification"
"""How what is called a security code begins."""
_CODE_BEGUN: Any = re2.compile(rf"\b(?:{CODE_HEADS})")
_LONGEST = 19
_SHORTEST = 12
_GROUP = 4
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def find_cards(text: str, stretches: Sequence[Stretch], *, pci_mode: bool) -> Iterator[tuple[int, int]]:
    """Where card numbers stand in those parts of a text, from left to right."""
    pattern = _ANY if pci_mode else _PLAIN
    for stretch in stretches:
        if stretch.digits >= _SHORTEST:
            for run in pattern.finditer(text, stretch.start, stretch.end):
                yield from _in_run(text, run.start(), run.end(), anywhere=pci_mode)


def find_security_codes(marked: Marked) -> Iterator[tuple[int, int]]:
    """Where the three or four digits stand that a text calls a card's security code."""
    for match in marked.begun(_CODE_BEGUN, _CODE):
        yield match.start(1), match.end(1)


def _in_run(text: str, start: int, end: int, *, anywhere: bool) -> list[tuple[int, int]]:
    """Numbers that begin and end where groups of digits do; then, in what they leave, numbers inside longer ones.

    What overlaps is taken as one: of two readings that share digits, neither may leave digits of the other behind.
    Two running sums give the checksum of any stretch in one step.
    """
    places = [i for i in range(start, end) if text[i].isdecimal()]
    digits = [unicodedata.decimal(text[i]) for i in places]
    sums = (
        [0, *accumulate(_DOUBLED[d] if i % 2 == 0 else d for i, d in enumerate(digits))],
        [0, *accumulate(_DOUBLED[d] if i % 2 else d for i, d in enumerate(digits))],
    )
    whole = [i for i in range(len(places)) if i == 0 or places[i - 1] != places[i] - 1]
    found = _merged((at, at + _length_at(digits, places, at, sums, whole=True)) for at in whole)
    if anywhere:
        taken = bytearray(len(digits))
        for low, high in found:
            taken[low:high] = b"\x01" * (high - low)
        cut = _cuts(places)
        inside = []
        for at in range(len(digits) - _SHORTEST + 1):
            length = _length_at(digits, places, at, sums, whole=False)
            covered = taken[at : at + length]
            # Over what is taken, only what may be a card with other digits right beside it.
            if length and (not any(covered) or (not all(covered) and cut[at] and cut[at + length])):
                inside.append((at, at + length))
        found = _merged(sorted(found + inside))
    return [(places[low], places[high - 1] + 1) for low, high in found]


def _cuts(places: list[int]) -> bytearray:
    """Before which digits, and after the last, a card may begin or end: between groups, and inside long ones. Nobody
    writes a card so that it ends inside of four digits."""
    count = len(places)
    cut = bytearray(count + 1)
    begun = 0
    for i in range(1, count + 1):
        if i == count or places[i] != places[i - 1] + 1:
            cut[begun] = cut[i] = 1
            if i - begun > _GROUP:
                cut[begun:i] = b"\x01" * (i - begun)
            begun = i
    return cut


def _merged(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches that are not empty, those that overlap as one. They come ordered by where they begin."""
    found: list[tuple[int, int]] = []
    for low, high in stretches:
        if low == high:
            continue
        if found and low < found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _length_at(digits: list[int], places: list[int], at: int, sums: tuple[list[int], list[int]], *, whole: bool) -> int:
    """How many digits from here on are a card number; 0 for none. A whole one ends where a group of digits does."""
    for length in _lengths(digits[at : at + 6]):
        end = at + length
        if end > len(digits) or (whole and end < len(digits) and places[end] == places[end - 1] + 1):
            continue
        # The digit before the check digit is the first that is doubled.
        doubled = sums[end % 2]
        if (doubled[end] - doubled[at]) % 10 == 0 and len(set(digits[at:end])) > 1:
            return length
    return 0


def _lengths(head: list[int]) -> tuple[int, ...]:
    """How long a number that begins so can be, longest first (issuers' ranges as they publish them)."""
    if len(head) < 6:
        return ()
    two = head[0] * 10 + head[1]
    three = two * 10 + head[2]
    four = three * 10 + head[3]
    if head[0] == 4:
        return (19, 16, 13)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return (16,)
    if two in (34, 37):
        return (15,)
    if two in (36, 38, 39) or 300 <= three <= 305:
        return (19, 16, 14)
    if 3528 <= four <= 3589 or four in (2131, 1800):
        return (19, 16, 15)
    if four == 6011 or two in (64, 65, 60, 62, 81):
        return (19, 18, 17, 16)
    if two == 50 or 56 <= two <= 69:
        return (19, 18, 17, 16, 15, 14, 13, 12)
    return (16,) if 2200 <= four <= 2204 else ()
