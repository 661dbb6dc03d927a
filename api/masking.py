"""What reviewers see of personal data that is left in a held answer: stars, as many as there are characters.

The gateway notes with the case where it stands. Places in a text stay what they are, so a redaction may be marked on
what is shown. Where what was noted does not fit what was held, nothing of the document is shown: all of it is stars.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from escalations.completion import places, texts
from policies.applying import personal
from policies.config import PiiDetector
from policies.detectors import pii
from policies.requests import request_texts

_EVERYTHING = PiiDetector(pci_mode=True)
_UNREADABLE: Sequence[Mapping[str, Any]] = ({},)
"""A place that is nowhere: it fits no document."""
_MISFITS = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def hidden_in(finding: Any, document: str) -> Sequence[Mapping[str, Any]]:
    """Where personal data stands in the `request` or the `answer` of a case, by what is kept with it."""
    hidden = finding.get("hidden") if isinstance(finding, dict) else finding
    found = hidden.get(document) if isinstance(hidden, dict) else hidden
    if not found:
        return ()
    readable = isinstance(found, list) and all(isinstance(place, dict) for place in found)
    return found if readable else _UNREADABLE


def texts_of(document: Any, name: str) -> dict[str, str]:
    """The texts of a document, by JSON Pointer; `name` is `request` or `answer`. A request may be any JSON."""
    if isinstance(document, dict):
        return dict(request_texts(document) if name == "request" else texts(document))
    if isinstance(document, list):
        found = (place for number in range(len(document)) for place in places("", document, number))
        return {path: str(holder[key]) for path, holder, key in found}
    return {"": document} if isinstance(document, str) else {}


def masked(document: Any, hidden: Sequence[Mapping[str, Any]]) -> Any:
    """The document with those places starred; the original is left alone."""
    if not hidden:
        return document
    try:
        return _masked_at(document, hidden)
    except _MISFITS:
        return _stars(document)


def _masked_at(document: Any, hidden: Sequence[Mapping[str, Any]]) -> Any:
    """Raises one of _MISFITS where a place is not a stretch of a text."""
    shown = copy.deepcopy(document)
    for place in hidden:
        holder, key = _at(shown, place["path"])
        text, start, end = _stretch(holder[key], place)
        holder[key] = text[:start] + pii.masked(text[start:end], str(place["label"])) + text[end:]
    return shown


def masked_anew(answer: Any, hidden: Sequence[Mapping[str, Any]]) -> Any:
    """An answer in which a reviewer changed something, so that the places no longer fit, as it is where none were."""
    if not hidden:
        return answer
    if hidden is _UNREADABLE or not isinstance(answer, dict):
        return _stars(answer)
    return masked(
        answer,
        [
            {"path": span.path, "start": span.start, "end": span.end, "label": span.label}
            for path, text in texts(answer)
            for span in personal(path, text, _EVERYTHING)
        ],
    )


def values(
    document: Any, name: str, hidden: Sequence[Mapping[str, Any]], tokens: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """What is starred or stands behind a token, each with its place; `name` is `request` or `answer`."""
    found = texts_of(document, name)
    try:
        starred = list(_starred(found, name, hidden))
        if hidden:
            _masked_at(document, hidden)
    except _MISFITS:
        starred = [
            {
                "in": name,
                "path": path,
                "start": 0,
                "end": len(text),
                "label": "TEXT",
                "shown": _stars(text),
                "value": text,
            }
            for path, text in found.items()
        ]
    yield from starred
    for path, text in found.items():
        for token, value in tokens.items():
            start = text.find(token)
            while start >= 0:
                place = {"path": path, "start": start, "end": start + len(token)}
                yield {"in": name, **place, "label": label_of(token), "shown": token, "value": value}
                start = text.find(token, start + len(token))


def label_of(token: str) -> str:
    return token[1:].partition(":")[0]


def _starred(found: Mapping[str, str], name: str, hidden: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for place in hidden:
        whole, start, end = _stretch(found[place["path"]], place)
        text, label = whole[start:end], str(place["label"])
        where = {"path": place["path"], "start": start, "end": end}
        yield {"in": name, **where, "label": label, "shown": pii.masked(text, label), "value": text}


def _stretch(value: Any, place: Mapping[str, Any]) -> tuple[str, int, int]:
    """A text or a long number, and the part of it that is meant. Raises TypeError or ValueError."""
    start, end = place["start"], place["end"]
    if isinstance(value, dict | list | bool | None):
        raise TypeError("not a text")
    text = str(value)
    if not 0 <= start <= end <= len(text):
        raise ValueError("not within the text")
    return text, start, end


def _stars(document: Any) -> Any:
    """All that it says as stars; its shape stays, so that it can still be walked."""
    if isinstance(document, dict):
        return {name: _stars(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_stars(value) for value in document]
    return document if document is None or isinstance(document, bool) else "*" * len(str(document))


def _at(document: Any, pointer: str) -> tuple[Any, Any]:
    *holders, last = (name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:])
    here = document
    for name in holders:
        here = here[int(name)] if isinstance(here, list) else here[name]
    return here, int(last) if isinstance(here, list) else last
