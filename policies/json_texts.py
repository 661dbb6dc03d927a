"""Texts that are JSON themselves, as the arguments of a tool are: what their strings say, and other words in place of
some of it, so that the whole is JSON still.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from policies.detectors import Span

ARGUMENTS = ("/arguments", "/input")
"""How the JSON Pointers of such texts end."""

_PART = re.compile(r'"(?>(?:[^"\\]|\\.)*)"|-?\d[\d.eE+-]*+', re.DOTALL)
_CHARACTER = re.compile(r"\\u[0-9A-Fa-f]{4}|\\.|[^\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """A string or a number: where it stands, what it says, and where each of its characters is written.

    `places` has one entry more than there are characters, the end of the last.
    """

    start: int
    end: int
    said: str
    places: tuple[int, ...]
    quoted: bool


def is_json(text: str) -> bool:
    """Whether this is an object or a list in JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def parts(text: str) -> Iterator[Part]:
    """Every string and number of a JSON text, names included."""
    for match in _PART.finditer(text):
        start, end = match.span()
        if text[start] != '"':
            yield Part(start, end, match[0], tuple(range(start, end + 1)), quoted=False)
            continue
        said: list[str] = []
        places: list[int] = []
        high = ""
        for one in _CHARACTER.finditer(text, start + 1, end - 1):
            char = json.loads(f'"{one[0]}"') if one[0].startswith("\\") else one[0]
            if high and "\udc00" <= char <= "\udfff":
                said[-1] = (high + char).encode("utf-16", "surrogatepass").decode("utf-16")
                high = ""
                continue
            high = char if "\ud800" <= char <= "\udbff" else ""
            said.append(char)
            places.append(one.start())
        yield Part(start, end, "".join(said), (*places, end - 1), quoted=True)


def find_in_json(text: str, find: Callable[[str], Sequence[Span]]) -> list[Span]:
    """What is found in what its strings say, however that is written, and in its numbers; offsets are of the text."""
    found: list[Span] = []
    for part in parts(text):
        for span in find(part.said):
            start, end = part.places[span.start], part.places[span.end]
            found.append(Span(span.path, start, end, span.label, span.pattern))
    return found


def find_written(path: str, text: str, find: Callable[[str], list[Span]]) -> list[Span]:
    """What is found in the text at a JSON Pointer; in a tool's arguments also what is written with escapes."""
    found = find(text)
    if "\\" not in text or not path.endswith(ARGUMENTS) or not is_json(text):
        return found
    read = find_in_json(text, find)
    return read + [span for span in found if all(span.end <= one.start or span.start >= one.end for one in read)]


def _written(said: str) -> str:
    """As a JSON string; a lone surrogate has no form but its escape."""
    try:
        said.encode()
    except UnicodeEncodeError:
        return json.dumps(said)
    return json.dumps(said, ensure_ascii=False)


def replaced_in_json(text: str, spans: Sequence[Span], put: Callable[[str, Span], str]) -> str:
    """The text with every span replaced. A number of which a stretch is replaced becomes a string."""
    pieces: list[str] = []
    done = 0
    ordered = sorted(spans, key=lambda span: span.start)
    for part in parts(text):
        inside = [span for span in ordered if span.start < part.end and span.end > part.start]
        if not inside:
            continue
        said, at = [], 0
        for span in inside:
            start = sum(place < span.start for place in part.places[:-1])
            end = sum(place < span.end for place in part.places[:-1])
            if start < at or start >= end:
                continue
            # Of what goes on in the next string, no piece may be taken for the whole.
            whole = part.start <= span.start and span.end <= part.end
            said += [part.said[at:start], put(part.said[start:end], span) if whole else f"[{span.label}]"]
            at = end
        told = "".join(said) + part.said[at:]
        pieces += [text[done : part.start], _written(told)]
        done = part.end
    return "".join(pieces) + text[done:]
