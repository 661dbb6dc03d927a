"""Text that is hidden inside text: encoded, spelled out, or written in characters that nobody sees.

What comes out is looked at again like the text it came from. Each way is tried a bounded number of times on pieces of
bounded length, so that a text of megabytes costs no more than its length.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import re2  # type: ignore[import-untyped]

from policies.detectors.words import Folded
from policies.normalising import beyond_ascii

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,}+=*")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?>(?:[0-9A-Fa-f]{2}[ :]?){10,})")
_ESCAPES = re.compile(r"(?>(?:\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|&#x?[0-9A-Fa-f]{2,5};){6,})")
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|&#x([0-9A-Fa-f]{2,5});|&#(\d{2,6});")
_PERCENT = re.compile(r"(?>(?:[\w.+-]*%[0-9A-Fa-f]{2}){4,})[\w.+-]*")
_BITS = re.compile(r"(?<![01])(?>(?:[01]{8} ?){8,})")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}+")
_SPACED = re.compile(r"(?<!\w)\w(?>(?:[ .*_|\u00b7-]\w(?!\w)){5,})")
_LEET_WORD = re.compile(
    r"(?<![\w@$])(?=[\w@$!]{0,30}[A-Za-z])(?=[\w@$!]{0,30}[013457@$!])[A-Za-z013457@$!]{3,30}(?![\w@$])"
)
_LEET = str.maketrans("013457@$!", "oieastasi")
_ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)
_LEET_HINT: Any = re2.compile(r"[a-z][013457@$][a-z]")
_TURNED = ("vtaber", "cerivbhf", "vafgehpgvba")
_BACKWARDS = ("erongi", "snoitcurtsni", "tpmorp")
_RESPELLED: Any = re2.compile("|".join((_LEET_HINT.pattern, *_TURNED, *_BACKWARDS)))
_CHAR = r"[a-z0-9\x{80}-\x{10ffff}]"
_NO_LETTER = r"[0-9\x{80}-\x{10ffff}]"
_LONG: Any = re2.compile(
    "|".join(
        (f"{_CHAR}{{20}}", f"{_NO_LETTER}{{8}}", *(f"{_CHAR}{{{n}}}{_NO_LETTER}{_CHAR}{{{13 - n}}}" for n in range(14)))
    )
)
"""What every word has in it that counts as long, and little else."""
_AT_ALL: Any = re2.compile(f"{_LONG.pattern}|{_RESPELLED.pattern}")
_HEX_HINT: Any = re2.compile(r"(?:[0-9a-f]{2}[ :]?){9}")
_TAG = re.compile("[\U000e0020-\U000e007e]")
_SPACED_HINT: Any = re2.compile(r"(?:\b[a-z][ .*_|-]){5}")
_BETWEEN = re.compile(r"[\W_]")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_HEX_PAIRS = frozenset(f"{number:02x}" for number in range(0x20, 0x7F))
_MOST = 20
_LONGEST = 8192


class Oddities(NamedTuple):
    """What in the words of a text calls for a closer look; almost every text has none, and then nothing is decoded."""

    long: bool
    pairs: bool
    letters: bool
    respelled: bool

    @classmethod
    def of(cls, folded: Folded, words: set[str]) -> Oddities:
        """`words` are those of the folded text."""
        at_all = _AT_ALL.search(folded.utf8) is not None
        long = at_all and _LONG.search(folded.utf8) is not None and any(map(_is_long, words))
        letters = len(words & _LETTERS) + len(words.intersection(folded.others))
        return cls(long, len(words & _HEX_PAIRS) >= 5, letters >= 5, at_all)


def _is_long(word: str) -> bool:
    size = len(word)
    return size >= 20 or (size >= 14 and not word.isalpha()) or (size >= 8 and word.isdecimal())


def hidden(text: str, folded: Folded, odd: Oddities) -> Iterator[tuple[str, int, int, str]]:
    """(way, start, end, what it says) for every piece that decodes to words."""
    if _TAG.search(beyond_ascii(text)) is not None:
        for match in _few(_TAGS, text):
            yield "tag_characters", match.start(), match.end(), "".join(chr(ord(char) - 0xE0000) for char in match[0])
    ways = [("base64", _BASE64, _base64), ("binary", _BITS, _bits)] if odd.long else []
    if (odd.long or odd.pairs) and _HEX_HINT.search(folded.utf8) is not None:
        ways.append(("hexadecimal", _HEX, _hex))
    for way, pattern, decode in ways:
        for match in _few(pattern, text):
            said = _words(decode(match[0]))
            if said:
                yield way, match.start(), match.end(), said
    if ("\\" in text and ("\\x" in text or "\\u" in text)) or ("&" in text and "&#" in text):
        for match in _few(_ESCAPES, text):
            yield "escapes", match.start(), match.end(), _ESCAPE.sub(_unescaped, match[0])
    if text.count("%") >= 4:
        for match in _few(_PERCENT, text):
            yield "percent", match.start(), match.end(), unquote(match[0].replace("+", " "), errors="replace")


def respelled(folded: Folded, odd: Oddities) -> Iterator[tuple[str, str]]:
    """(way, the lower-case text read so): letters spaced out, digits for letters, turned by thirteen, backwards."""
    text = folded.text
    if odd.letters and _SPACED_HINT.search(folded.utf8) is not None and _SPACED.search(text):
        yield "spaced_letters", _SPACED.sub(lambda match: _BETWEEN.sub("", match[0]), text)
    if not odd.respelled:
        return
    short = text[:_LONGEST]
    if _RESPELLED.search(folded.utf8 if len(short) == len(text) else short.encode()) is None:
        return
    if _LEET_HINT.search(short) and sum(1 for _ in zip(range(3), _LEET_WORD.finditer(short), strict=False)) == 3:
        yield "leetspeak", _LEET_WORD.sub(lambda match: match[0].translate(_LEET), short)
    if any(word in short for word in _TURNED):
        yield "rot13", short.translate(_ROT13)
    if any(word in short for word in _BACKWARDS):
        yield "backwards", short[::-1]


def _few(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for _, match in zip(range(_MOST), pattern.finditer(text), strict=False):
        yield match


def _base64(text: str) -> bytes:
    kept = text[:_LONGEST].rstrip("=").replace("-", "+").replace("_", "/")
    if kept.islower() or (kept.isalpha() and not re.search("[a-z][A-Z]", kept)):
        return b""
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    try:
        return base64.b64decode(kept + "=" * (-len(kept) % 4))
    except (binascii.Error, ValueError):
        return b""


def _bits(text: str) -> bytes:
    bits = text.replace(" ", "")[:_LONGEST]
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))


def _hex(text: str) -> bytes:
    digits = re.sub(r"[^0-9A-Fa-f]", "", text[:_LONGEST].removeprefix("0x"))
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _unescaped(match: re.Match[str]) -> str:
    number = int(match[4]) if match[4] else int(match[1] or match[2] or match[3], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else " "


def _words(raw: bytes) -> str:
    """What the bytes say, when they are text; nothing for pictures, keys and hashes."""
    try:
        said = raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if len(said) < 8:
        return ""
    good = sum(char.isalpha() or char in " .,;:!?'\"\n-()" for char in said)
    return said if good >= 0.85 * len(said) else ""
