"""Stripping stretches of text from a held completion, exactly as a reviewer marked them.

A redaction's path is a JSON Pointer into the completion and its offsets are Unicode code points. Overlaps are
refused: they would make the order of application matter. Tool arguments must still be JSON afterwards, or the
consumer's program would receive something that no model could have said.
"""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from escalations.decisions import Redaction
from escalations.errors import InvalidRedaction

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}\Z")
_ARGUMENTS = re.compile(r"/arguments\Z")


def redact(completion: dict[str, Any], redactions: Sequence[Redaction]) -> dict[str, Any]:
    """The completion with every redaction applied; the original is left alone. Raises InvalidRedaction.

    Token log-probabilities are dropped from the result: they spell the text that was stripped.
    """
    if not redactions:
        raise InvalidRedaction("redact_and_allow needs at least one redaction", field="redactions")
    released = copy.deepcopy(completion)
    by_path: dict[str, list[Redaction]] = defaultdict(list)
    for redaction in redactions:
        by_path[redaction.path].append(redaction)
    for path, spans in by_path.items():
        holder, key = _find(released, path)
        holder[key] = _strip(path, holder[key], spans)
    _drop_logprobs(released)
    return released


def _strip(path: str, text: str, spans: Iterable[Redaction]) -> str:
    pieces, done = [], 0
    for span in sorted(spans, key=lambda s: s.start):
        if not 0 <= span.start < span.end <= len(text):
            raise InvalidRedaction(
                f"{path}: {span.start}:{span.end} is outside of the text, which has {len(text)} characters",
                field="redactions",
            )
        if span.start < done:
            raise InvalidRedaction(f"{path}: {span.start}:{span.end} overlaps another redaction", field="redactions")
        if not _LABEL.match(span.label):
            raise InvalidRedaction(
                f"{path}: a label has 1 to 40 letters, digits, spaces, hyphens or underscores", field="redactions"
            )
        pieces += [text[done : span.start], f"[{span.label}]"]
        done = span.end
    stripped = "".join(pieces) + text[done:]
    if _ARGUMENTS.search(path):
        try:
            json.loads(stripped)
        except ValueError:
            raise InvalidRedaction(
                f"{path}: after this redaction the tool arguments are no longer JSON; mark text inside one string",
                field="redactions",
            ) from None
    return stripped


def _find(document: Any, path: str) -> tuple[Any, Any]:
    """The container and key of the string that a JSON Pointer names."""
    holder: Any = None
    key: Any = None
    here = document
    if not path.startswith("/"):
        raise InvalidRedaction(f"{path!r} is not a JSON Pointer; it begins with '/'", field="redactions")
    for raw in path.split("/")[1:]:
        name = raw.replace("~1", "/").replace("~0", "~")
        holder = here
        if isinstance(here, dict) and name in here:
            key = name
        elif isinstance(here, list) and name.isdigit() and int(name) < len(here):
            key = int(name)
        else:
            raise InvalidRedaction(f"{path}: there is nothing at {raw!r} in the held answer", field="redactions")
        here = holder[key]
    if not isinstance(here, str):
        raise InvalidRedaction(f"{path}: that is not a text of the held answer", field="redactions")
    return holder, key


def _drop_logprobs(completion: dict[str, Any]) -> None:
    for choice in completion.get("choices") or ():
        if isinstance(choice, dict) and choice.get("logprobs") is not None:
            choice["logprobs"] = None
