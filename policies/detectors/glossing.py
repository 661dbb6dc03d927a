"""Words of other languages as the English words that the detectors of language know.

`glosses.txt` holds, for each language, English words and what they are called there; a star stands for any ending.
A gloss is no translation: it takes word for word and leaves what it does not know, which is enough to see who is told to
do what. English is left as it is, seen by its small words; so is a text whose language is not in the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.normalising import beyond_ascii

TABLE = Path(__file__).with_name("glosses.txt")
ENGLISH = frozenset(
    [
        "the",
        "of",
        "and",
        "that",
        "with",
        "are",
        "this",
        "from",
        "your",
        "you",
        "have",
        "will",
        "should",
        "was",
        "which",
        "their",
        "they",
        "it's",
        "don't",
        "not",
        "it",
        "be",
        "been",
        "has",
        "were",
        "would",
        "there",
        "what",
        "when",
        "for",
        "by",
        "or",
        "an",
    ]
)
"""Small words of which any English text of some length has several."""
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("fa", re.compile("[\u067e\u0686\u0698\u06af\u06a9\u06cc]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("el", re.compile("[\u0370-\u03ff\u1f00-\u1fff]")),
    ("uk", re.compile("[\u0456\u0457\u0454\u0491]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
)
_UNSPACED = frozenset({"ja", "ko", "zh", "th"})
_LATIN = re.compile("[a-z]")
_STEMS = range(3, 13)
_JOINED = {"ar": ("وال", "بال", "فال", "ال", "لل", "و", "ف", "ب", "ل"), "he": ("ו", "ה", "ל", "ב", "ש", "מ", "כ")}
"""What is written together with the word that follows."""
_LOOKED_AT = 4000
"""Characters of the beginning by which a script is told."""
_WORDS_LOOKED_AT = 120
"""Distinct words by which a language in Latin letters is told."""


@dataclass(frozen=True, slots=True)
class _Language:
    whole: dict[str, str]
    stems: dict[str, str]
    pieces: Any

    def gloss(self, word: str) -> str | None:
        found = self.whole.get(word)
        if found is not None:
            return found
        for end in range(min(len(word), _STEMS.stop - 1), _STEMS.start - 2, -1):
            found = self.stems.get(word[:end])
            if found is not None:
                return found
        return None


def glossed(text: str, words: list[str], distinct: set[str]) -> tuple[list[str], list[tuple[int, int]] | None] | None:
    """The tokens of a folded text with their glosses in place, or None where it is left as it is.

    Of scripts that do not part words there are other tokens than before, and where each of them stands.
    """
    name = _language(text, distinct)
    if name is None:
        return None
    language = _languages()[name]
    if language.pieces is not None:
        return _cut(text, language)
    known: dict[str, str] = {}
    for word in distinct:
        known[word] = language.gloss(word) or _unjoined(word, name, language) or word
    return [known[word] for word in words], None


def _language(text: str, distinct: set[str]) -> str | None:
    english = len(distinct & ENGLISH)
    if english >= 3 or english * 8 > len(distinct):
        return None
    beginning = text[:_LOOKED_AT]
    others = beyond_ascii(beginning)
    if others:
        for name, script in _SCRIPTS:
            found = len(script.findall(others))
            if found and found * (8 if name == "fa" else 3) > len(_LATIN.findall(beginning)):
                return name
    sample = [word for word in distinct if len(word) > 1 and word not in _shared()]
    if len(sample) > _WORDS_LOOKED_AT:
        sample = sorted(sample)[:_WORDS_LOOKED_AT]
    hits = _latin().hits(sample)
    most = max(hits)
    if most > english and (most >= 2 or not text.isascii()):
        return _latin().names[hits.index(most)]
    return None


@dataclass(frozen=True, slots=True)
class _Known:
    """Which of several languages know a word, for all of them at once.

    Each language has a byte of a whole number, in which its words are counted. `begun` has every beginning of a stem
    too, so that a word is left where no stem goes on.
    """

    names: tuple[str, ...]
    whole: dict[str, int]
    begun: dict[str, int]

    def hits(self, words: list[str]) -> bytes:
        """How many of the words each language knows; of no more than 255 words."""
        total = 0
        for word in words:
            found = self.whole.get(word, 0)
            for end in range(1, min(len(word), _STEMS.stop - 1) + 1):
                known = self.begun.get(word[:end])
                if known is None:
                    break
                found |= known
            total += found
        return total.to_bytes(len(self.names), "little")


def _unjoined(word: str, name: str, language: _Language) -> str | None:
    for start in _JOINED.get(name, ()):
        if word.startswith(start) and len(word) > len(start) + 1:
            found = language.gloss(word[len(start) :])
            if found is not None:
                return found
    return None


def _cut(text: str, language: _Language) -> tuple[list[str], list[tuple[int, int]]]:
    words, places = [], []
    for match in language.pieces.finditer(text):
        found = match.group()
        words.append("." if found in _ENDS else language.whole.get(found, found))
        places.append(match.span())
    return words, places


_ENDS = frozenset("。.!?！？;；:：\n")


@cache
def _languages() -> dict[str, _Language]:
    read: dict[str, _Language] = {}
    name = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            read[name] = _Language({}, {}, None)
            continue
        for entry in line.split():
            gloss, _, said = entry.partition("=")
            for word in said.split(","):
                stem = word.endswith("*")
                (read[name].stems if stem else read[name].whole)[word.rstrip("*").replace("-", " ")] = gloss
    for code in _UNSPACED:
        known = {**read[code].stems, **read[code].whole}
        # The longest first: an alternation takes the first that fits.
        either = "|".join(map(re2.escape, sorted(known, key=len, reverse=True)))
        ends = "".join(map(re2.escape, sorted(_ENDS)))
        read[code] = _Language(known, {}, re2.compile(rf"{either}|[a-z0-9]+|[{ends}]"))
    return read


@cache
def _latin() -> _Known:
    others = {code for code, _ in _SCRIPTS}
    languages = {name: language for name, language in _languages().items() if name not in others}
    whole: dict[str, int] = {}
    begun: dict[str, int] = {}
    for place, language in enumerate(languages.values()):
        bit = 1 << (8 * place)
        for word in language.whole:
            whole[word] = whole.get(word, 0) | bit
        for stem in language.stems:
            # `gloss` looks for no shorter or longer ones.
            if _STEMS.start - 1 <= len(stem) < _STEMS.stop:
                for end in range(1, len(stem)):
                    begun.setdefault(stem[:end], 0)
                begun[stem] = begun.get(stem, 0) | bit
    return _Known(tuple(languages), whole, begun)


@cache
def _shared() -> frozenset[str]:
    """What is a word of English too, and so tells no language."""
    return ENGLISH | {gloss for language in _languages().values() for gloss in language.whole.values()}
