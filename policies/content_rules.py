"""Rules in the user's own words: phrases in any case and with any spacing, and RE2 patterns, all linear in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors import Span
from policies.normalising import normalise, origins, readable_by_re2
from policies.options import ContentRule, compile_pattern

VERSION = "content-rules/1"
_STAGES = {"request": ("input",), "answer": ("output",), "both": ("input", "output")}


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """One rule, compiled. Phrases are looked for in normalised text, patterns in the text as it stands."""

    name: str
    stages: tuple[str, ...]
    action: str
    severity: Any
    phrases: Any
    patterns: tuple[Any, ...]


def ready(rule: ContentRule) -> ReadyRule:
    """Raises ValueError for a pattern that does not compile."""
    words = [r"\s+".join(map(re2.escape, _folded(phrase).split())) for phrase in rule.phrases]
    joined = "|".join(words)
    phrases = compile_pattern(rf"(?:^|[^\pL\pN_])({joined})(?:$|[^\pL\pN_])") if words else None
    patterns = tuple(compile_pattern(pattern) for pattern in rule.patterns)
    return ReadyRule(rule.name, _STAGES[rule.on], rule.action, rule.severity, phrases, patterns)


def find(path: str, text: str, rule: ReadyRule) -> list[Span]:
    """Where one rule fires in one text; `pattern` says by which phrase or pattern, by number."""
    label = rule.name.upper().replace("-", "_")
    found: list[Span] = []
    if rule.phrases is not None:
        places = None
        folded = _folded(text)
        start = 0
        while (match := rule.phrases.search(folded, start)) is not None:
            places = places if found else origins(text)
            begin, end = match.span(1)
            start = max(end, start + 1)
            if places is not None:
                begin, end = places[min(begin, len(places) - 1)], places[min(end, len(places) - 1)]
            found.append(Span(path, begin, end, label, f"{rule.name}.phrase"))
    if rule.patterns:
        readable = readable_by_re2(text)
        for number, pattern in enumerate(rule.patterns):
            found += [
                Span(path, match.start(), match.end(), label, f"{rule.name}.pattern{number + 1}")
                for match in pattern.finditer(readable)
                if match.end() > match.start()
            ]
    return found


def _folded(text: str) -> str:
    """As phrases are compared. Letters whose lower case is longer stay, so that places still fit."""
    folded = normalise(text)
    lowered = folded.lower()
    if len(lowered) != len(folded):
        lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in folded)
    return readable_by_re2(lowered)
