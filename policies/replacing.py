"""What is put in place of what policies find, in a request or in an answer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from escalations.redaction import drop_repetitions
from policies.detectors import Span, pii
from policies.detectors.entities import SECURITY_CODE
from policies.findings import Screened
from policies.json_texts import ARGUMENTS, is_json, replaced_in_json
from policies.options import PiiDetector
from policies.requests import rewrite

Replacement = Callable[[str, Span], str]


def labelled(_found: str, span: Span) -> str:
    return f"[{span.label}]"


REPLACING = frozenset({"redact", "mask", "hash", "tokenize"})
"""What `pii-detector` does about text by putting something else there."""


class Replacing:
    """What stands for personal data, by action. `tokens` fills with what may be told again to who has the right."""

    def __init__(self, options: PiiDetector, key: bytes) -> None:
        # Where an action replaces nothing, PCI mode still masks cards.
        self._action = options.action if options.action in REPLACING else "mask"
        self._pci = options.pci_mode
        self._key = key
        self.tokens: dict[str, str] = {}

    def __call__(self, found: str, span: Span) -> str:
        # Not even a digest of a security code may be kept (PCI DSS 4.0, requirement 3.3.1).
        if self._action == "redact" or span.label == SECURITY_CODE:
            return labelled(found, span)
        if self._action == "mask":
            return pii.masked(found, span.label)
        name = pii.hashed(found, span.label, self._key)
        if self._action == "tokenize":
            card = self._pci and span.label == "CREDIT_CARD"
            self.tokens[name] = pii.masked(found, span.label) if card else found
        return name


def cards_of(spans: tuple[Span, ...], options: PiiDetector) -> tuple[Span, ...]:
    """The payment cards and security codes among what was found, where PCI mode is on."""
    return tuple(span for span in spans if options.pci_mode and span.label in ("CREDIT_CARD", SECURITY_CODE))


def replaced(text: str, spans: list[Span], put: Replacement, path: str = "") -> str:
    """The text with every span replaced. A tool's arguments that were JSON still are."""
    if path.endswith(ARGUMENTS) and spans and is_json(text):
        return replaced_in_json(text, spans, put)
    return _replaced(text, spans, put)


def _replaced(text: str, spans: list[Span], put: Replacement) -> str:
    pieces, done = [], 0
    for span in sorted(spans, key=lambda span: span.start):
        if span.start < done:
            continue
        pieces += [text[done : span.start], put(text[span.start : span.end], span)]
        done = span.end
    return "".join(pieces) + text[done:]


def redacted(screened: Screened, stage: str, spans: tuple[Span, ...], put: Replacement) -> Screened:
    """The document with every span replaced, wherever it stands."""
    if stage == "input":
        changed = rewrite(
            screened.document, lambda path, text: replaced(text, [s for s in spans if s.path == path], put, path)
        )
        return replace(screened, document=changed)
    completion = copy.deepcopy(screened.document)
    for path in {span.path for span in spans}:
        _rewrite_at(completion, path, [span for span in spans if span.path == path], put)
    drop_repetitions(completion)
    return replace(screened, document=completion)


def _rewrite_at(document: Any, pointer: str, spans: list[Span], put: Replacement) -> None:
    *holders, last = (name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:])
    here = document
    for name in holders:
        here = here[int(name)] if isinstance(here, list) else here[name]
    key: Any = int(last) if isinstance(here, list) else last
    here[key] = replaced(str(here[key]), spans, put, pointer)
