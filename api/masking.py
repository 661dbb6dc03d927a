"""What reviewers see of personal data that is left in a held answer: stars, as many as there are characters.

The gateway notes with the case where it stands. Places in a text stay what they are, so a redaction may be marked on
what is shown.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from escalations.completion import texts
from policies.applying import personal
from policies.config import PiiDetector
from policies.detectors import pii
from policies.requests import request_texts

_EVERYTHING = PiiDetector(pci_mode=True)


def hidden_in(finding: Mapping[str, Any], document: str) -> Sequence[Mapping[str, Any]]:
    """Where personal data stands in the `request` or the `answer` of a case, by what is kept with it."""
    places: Sequence[Mapping[str, Any]] = (finding.get("hidden") or {}).get(document) or ()
    return places


def masked(document: Any, hidden: Sequence[Mapping[str, Any]]) -> Any:
    """The document with those places starred; the original is left alone."""
    if not hidden or not isinstance(document, dict):
        return document
    shown = copy.deepcopy(document)
    for place in hidden:
        holder, key = _at(shown, str(place["path"]))
        text = str(holder[key])
        start, end = int(place["start"]), int(place["end"])
        holder[key] = text[:start] + pii.masked(text[start:end], str(place["label"])) + text[end:]
    return shown


def masked_anew(answer: dict[str, Any]) -> Any:
    """An answer in which a reviewer changed something, so that the places no longer fit."""
    return masked(
        answer,
        [
            {"path": span.path, "start": span.start, "end": span.end, "label": span.label}
            for path, text in texts(answer)
            for span in personal(path, text, _EVERYTHING)
        ],
    )


def values(
    document: dict[str, Any], name: str, hidden: Sequence[Mapping[str, Any]], tokens: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """What is starred or stands behind a token, each with its place; `name` is `request` or `answer`."""
    found = dict(request_texts(document) if name == "request" else texts(document))
    for place in hidden:
        text = found.get(str(place["path"]), "")[place["start"] : place["end"]]
        shown = pii.masked(text, str(place["label"]))
        yield {"in": name, **_place(place), "label": place["label"], "shown": shown, "value": text}
    for path, text in found.items():
        for token, value in tokens.items():
            start = text.find(token)
            while start >= 0:
                place = {"path": path, "start": start, "end": start + len(token)}
                yield {"in": name, **place, "label": label_of(token), "shown": token, "value": value}
                start = text.find(token, start + len(token))


def label_of(token: str) -> str:
    return token[1:].partition(":")[0]


def _place(place: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": place["path"], "start": place["start"], "end": place["end"]}


def _at(document: Any, pointer: str) -> tuple[Any, Any]:
    *holders, last = (name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:])
    here = document
    for name in holders:
        here = here[int(name)] if isinstance(here, list) else here[name]
    return here, int(last) if isinstance(here, list) else last
