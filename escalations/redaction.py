"""Stripping stretches of text from a held answer, exactly as a reviewer marked them.

A redaction's path is a JSON Pointer into the answer, whichever API it is of, and its offsets are Unicode code points.
Overlaps are refused: they would make the order of application matter. Tool arguments must still be JSON afterwards, or
the consumer's program would receive something that no model could have said.
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
_ARGUMENTS = re.compile(r"(?:/function|/function_call|\A/output/\d+)/arguments\Z")
_INPUT = re.compile(r"/(?:input|arguments|parameters)(?:/|\Z)")


def redact(completion: dict[str, Any], redactions: Sequence[Redaction]) -> dict[str, Any]:
    """The answer with every redaction applied; the original is left alone. Raises InvalidRedaction.

    What would spell the stripped text once more is dropped from the result, such as token log-probabilities.
    """
    if not redactions:
        raise InvalidRedaction("redact_and_allow needs at least one redaction", field="redactions")
    released = copy.deepcopy(completion)
    by_path: dict[str, list[Redaction]] = defaultdict(list)
    for redaction in redactions:
        by_path[redaction.path].append(redaction)
    for path, spans in by_path.items():
        holder, key = _find(released, path)
        holder[key] = _strip(path, str(holder[key]), spans)
    drop_repetitions(released)
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
    if _ARGUMENTS.search(path) and _is_json(text) and not _is_json(stripped):
        raise InvalidRedaction(
            f"{path}: after this redaction the tool arguments are no longer JSON; mark text inside one string",
            field="redactions",
        )
    return stripped


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


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
    if not isinstance(here, str) and not _is_input_number(path, here):
        raise InvalidRedaction(f"{path}: that is not a text of the held answer", field="redactions")
    return holder, key


def _is_input_number(path: str, value: Any) -> bool:
    """Numbers in a tool's input can be marked like text; the label that takes their place is a string."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(_INPUT.search(path))


def drop_repetitions(document: dict[str, Any]) -> None:
    """Take out, in place, what repeats the text of an answer elsewhere in it: log-probabilities, speech, a summary."""
    for choice in document.get("choices") or ():
        if not isinstance(choice, dict):
            continue
        if choice.get("logprobs") is not None:
            choice["logprobs"] = None
        message = choice.get("message")
        audio = message.get("audio") if isinstance(message, dict) else None
        if isinstance(audio, dict) and "data" in audio:
            audio["data"] = ""
    document.pop("output_text", None)
    for item in document.get("output") or ():
        content = item.get("content") if isinstance(item, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("logprobs"):
                part["logprobs"] = []
