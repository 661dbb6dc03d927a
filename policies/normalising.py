"""Text as a reader would take it, whatever tricks are in it: for looking at, never for changing.

NFKC folds full-width and styled letters (Unicode UAX 15), invisible characters are dropped, letters of other scripts
that stand in the middle of Latin words become Latin (Unicode UTS 39, whole words of another script stay as they are).
Offsets into normalised text do not fit the original where characters went away; `origins` leads back.

Most texts that are not ASCII have a few characters beyond it, each many times: those are looked at once each, and what
has to be replaced is replaced in the whole text.
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
_LETTERS = "".join(map(chr, _LOOK_ALIKES))
_FOREIGN = re.compile(f"[{_LETTERS}]")
_MIXED = re.compile(rf"\b(?=\w*?[A-Za-z])(?=\w*?[{_LETTERS}])\w+")
_CLUSTER = re.compile(r"[\x00-\x7f]+(?![\u0300-\u036f])|[^\u0300-\u036f][\u0300-\u036f]*|[\u0300-\u036f]+")
_ASCII = bytes(range(128))
STEADY = (
    "\u00a0-\u02ff\u0370-\u0482\u048a-\u058f\u1e00-\u20cf\u2100-\u2bff\u3000-\u3029\u3040-\u3098\u309b-\u30ff"
    "\u4e00-\u9fff\uac00-\ud7a3\ufe00-\ufe0f\uff01-\uff9d\U0001f000-\U0001f9ff"
)
"""Characters, as in an expression's class, that never join with the one before them, nor change their order with it."""
_STEADY = re.compile(f"[\x00-\x7f{STEADY}]*")
_MOST = 64
"""Different characters that are replaced one by one; of more the whole is normalised at once."""


def beyond_ascii(text: str) -> str:
    """The characters of a text that are not ASCII, in their order; found without a look at each of the others."""
    if text.isascii():
        return ""
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


def normalise(text: str) -> str:
    """Time is proportional to the length. Lone surrogates and marks of direction do it no harm."""
    if text.isascii():
        return text
    others = set(beyond_ascii(text))
    folded = _compatible(text, others)
    if folded is not text:
        others = set(beyond_ascii(folded))
    odd = _ODD.findall("".join(others))
    for char in odd:
        folded = folded.replace(char, _QUOTES.get(char, ""))
    if _FOREIGN.search("".join(others)):
        folded = _MIXED.sub(_unmixed, folded)
    return folded


def _compatible(text: str, others: set[str]) -> str:
    """The text in NFKC; itself where it is. `others` are its characters beyond ASCII."""
    distinct = "".join(others)
    if not _STEADY.fullmatch(distinct):
        return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)
    if unicodedata.is_normalized("NFKC", distinct):
        return text
    changes = {char: new for char in others if (new := unicodedata.normalize("NFKC", char)) != char}
    if len(changes) > _MOST or not all(map(_STEADY.fullmatch, changes.values())):
        return unicodedata.normalize("NFKC", text)
    for char, new in changes.items():
        text = text.replace(char, new)
    return text


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
    return match[0].translate(_LOOK_ALIKES)


def readable_by_re2(text: str) -> str:
    """The text with every lone surrogate as a question mark: RE2 reads UTF-8, in which one has no form."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
