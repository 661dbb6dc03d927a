"""The words of a text, as every detector of language reads them: folded once, taken apart once.

Texts are taken apart by the operations of strings and bytes, a fifth of what an expression costs; the result is the
same, word for word. RE2 reads UTF-8, so a folded text comes with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from policies.normalising import beyond_ascii, normalise

_WORD = r"[^\W_]+(?:['’-][^\W_]+)*"
_TOKEN = re.compile(rf"{_WORD}|[.!?:;\n|]")
_PLAIN = re.compile(r"[^\W_]+")
_INSIDE = re.compile(r"[^\W_]['’-]?\Z")
"""What stands before a place in the middle of a word."""
ENDS = frozenset(".:")
"""The tokens that end a sentence or a part of one: a colon is itself, every other is a full stop."""
_OTHER_ENDS = "!?;\n|"
_FULL_STOP = re.compile(rf"[.{_OTHER_ENDS}]")


def _table(kept: str, ends: str) -> bytes:
    """ASCII with letters, digits and what is kept as they are, ends of sentences as full stops, blanks for the rest."""
    return bytes(
        ord("." if (char := chr(code)) in ends else char if char.isalnum() or char in kept else " ")
        for code in range(128)
    )


_TO_TOKENS = _table("'-.:", _OTHER_ENDS) + bytes(range(128, 256))
_TO_WORDS = _table("", "") + bytes(range(128, 256))
"""The bytes of letters beyond ASCII stay as they are."""
_JOINING = "'-"
_DOUBLED = ("--", "''", "-'", "'-")
_MOST = 32
"""Different marks beyond ASCII that are blanked one by one."""


class Folded(NamedTuple):
    """A text in lower case without tricks, its UTF-8, and the different characters in it that are not ASCII."""

    text: str
    utf8: bytes
    others: str = ""

    def place(self, start: int, end: int) -> tuple[int, int]:
        """In characters, a place that is given in bytes."""
        if len(self.text) == len(self.utf8):
            return start, end
        begun = len(self.utf8[:start].decode())
        return begun, begun + len(self.utf8[start:end].decode())


def fold(text: str) -> Folded:
    """Lone surrogates become question marks: UTF-8 has no form for them."""
    plain = normalise(text)
    if plain.isascii():
        plain = plain.lower()
        return Folded(plain, plain.encode())
    others = "".join(set(beyond_ascii(plain)))
    if others.lower() != others:
        plain = plain.lower()
        others = "".join(set(beyond_ascii(plain)))
    # Of what is left only ASCII has another case, which is all that `bytes.lower` knows.
    utf8 = plain.encode("utf-8", "replace").lower()
    return Folded(utf8.decode(), utf8, others)


def folded(text: str) -> str:
    """A text in lower case without tricks, as RE2 can read it."""
    return fold(text).text


def tokens(text: str, others: str | None = None) -> list[str]:
    """Words, with their inner apostrophes and hyphens, and ends of sentences of a folded text.

    `others` are its characters beyond ASCII, where they are known.
    """
    blanked = _without_marks(text, others)
    if blanked is None:
        return ["." if token in _OTHER_ENDS else token for token in _TOKEN.findall(text)]
    spaced = blanked.encode().translate(_TO_TOKENS).decode().replace(".", " . ").replace(":", " : ")
    joining = [mark for mark in _JOINING if mark in spaced]
    if joining:
        # A mark joins two words only where it stands alone between them.
        for pair in _DOUBLED if len(joining) > 1 else (joining[0] * 2,):
            spaced = spaced.replace(pair, "  ")
        spaced = f" {spaced} "
        for mark in joining:
            spaced = spaced.replace(f" {mark}", " ").replace(f"{mark} ", " ")
    return spaced.split()


def _without_marks(text: str, others: str | None) -> str | None:
    """The text with blanks for all that is beyond ASCII and no letter; None where there is too much of that."""
    others = beyond_ascii(text) if others is None else others
    if not others:
        return text
    marks = [char for char in set(others) if not char.isalnum()]
    if len(marks) > _MOST or "’" in marks:
        return None
    for mark in marks:
        text = text.replace(mark, " ")
    return text


def spans(text: str) -> list[tuple[int, int]]:
    """Where each of those tokens stands."""
    return list(places(text))


def places(text: str) -> Iterator[tuple[int, int]]:
    """The same, one by one: few are wanted of a long text, and those stand at its beginning."""
    return (match.span() for match in _TOKEN.finditer(text))


def first_place(text: str, said: str) -> tuple[int, int]:
    """Where one of the tokens of a folded text stands first. Raises ValueError where it is none of them."""
    if said in ENDS:
        end = _FULL_STOP.search(text) if said == "." else re.search(said, text)
        if end is not None:
            return end.span()
    start = text.index(said)
    while True:
        match = _TOKEN.match(text, start)
        if match is not None and match[0] == said and _INSIDE.search(text, max(0, start - 2), start) is None:
            return match.span()
        start = text.index(said, start + 1)


def distinct(text: str, others: str | None = None) -> set[str]:
    """The words of a folded text without regard to order, parted at apostrophes and hyphens too."""
    blanked = _without_marks(text, others)
    if blanked is None:
        return set(_PLAIN.findall(text))
    return set(blanked.encode().translate(_TO_WORDS).decode().split())
