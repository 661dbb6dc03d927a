"""Text as a reader would take it, whatever tricks are in it: for looking at, never for changing.

NFKC folds full-width and styled letters (Unicode UAX 15), invisible characters are dropped, letters of other scripts
that stand in the middle of Latin words become Latin (Unicode UTS 39, whole words of another script stay as they are).
Offsets into normalised text do not fit the original where characters went away; `origins` leads back.
"""

from __future__ import annotations

import re
import unicodedata

_QUOTES = dict(zip("’‘‛“”„‟′″´", "'''\"\"\"\"'\"'", strict=True))
_ODD = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff’‘‛“”„‟′″´]"
)
_LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕԁɡһԛԝіїёАВЕНІЈКМОРСТХѴѕοαερνικτυχωΑΒΕΗΙΚΜΝΟΡΤΥΧΖıℓ",
    "aeopcyxijsdghqwiieABEHIJKMOPCTXVsoaepviktuxwABEHIKMNOPTYXZil",
)
_FOREIGN = re.compile("[" + "".join(map(chr, _LOOK_ALIKES)) + "]")
_WORD = re.compile(r"\w+")
_LATIN = re.compile(r"[A-Za-z]")
_CLUSTER = re.compile(r"[\x00-\x7f]+(?![\u0300-\u036f])|[^\u0300-\u036f][\u0300-\u036f]*|[\u0300-\u036f]+")


def normalise(text: str) -> str:
    """Time is proportional to the length. Lone surrogates and marks of direction do it no harm."""
    if text.isascii():
        return text
    folded = text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)
    folded = _ODD.sub(_plain, folded)
    if _FOREIGN.search(folded):
        folded = _WORD.sub(_unmixed, folded)
    return folded


def _plain(match: re.Match[str]) -> str:
    return _QUOTES.get(match[0], "")


def origins(text: str) -> list[int] | None:
    """For each character of `normalise(text)` and its end, where it begins in the text; None where all stayed."""
    folded = normalise(text)
    if len(folded) == len(text):
        return None
    found: list[int] = []
    for cluster in _CLUSTER.finditer(text):
        piece = cluster[0]
        if piece.isascii():
            found += range(cluster.start(), cluster.end())
        else:
            found += [cluster.start()] * len(normalise(piece))
    if len(found) != len(folded):
        return [min(index, len(text)) for index in range(len(folded))] + [len(text)]
    return [*found, len(text)]


def _unmixed(match: re.Match[str]) -> str:
    word = match[0]
    return word.translate(_LOOK_ALIKES) if _LATIN.search(word) and _FOREIGN.search(word) else word


def readable_by_re2(text: str) -> str:
    """The text with every lone surrogate as a question mark: RE2 reads UTF-8, in which one has no form."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
