"""YAML with a place for everything in it, so that every complaint can name file, line and column.

Safe by construction: plain data only, duplicate keys are errors (YAML itself would silently keep the last), no
aliases (an alias bomb is a few lines), at most 256 KiB and 30 levels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LARGEST = 256 * 1024
DEEPEST = 30

Place = tuple[int, int]
Trail = tuple[str | int, ...]


class Unreadable(Exception):
    """A document that is not what it should be. `rule` is the number under which `kt policy rule` explains it."""

    def __init__(self, rule: str, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.rule, self.message, self.line, self.column = rule, message, line, column


@dataclass(frozen=True, slots=True)
class Document:
    """The data, and where each key and item of it stands (line and column, from 1); `ends` is where a value ends."""

    name: str
    text: str
    data: Any
    places: dict[Trail, Place]
    ends: dict[Trail, Place] = field(default_factory=dict)

    def place(self, trail: Trail) -> Place:
        """Where a trail of keys and indexes leads; the nearest place above it where it leads nowhere."""
        while trail and trail not in self.places:
            trail = trail[:-1]
        return self.places.get(trail, (1, 1))


def read_document(path: Path) -> Document:
    """Raises Unreadable."""
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise Unreadable("KT001", f"cannot be read: {fault.strerror}") from None
    if len(raw) > LARGEST:
        raise Unreadable("KT003", f"is larger than {LARGEST // 1024} KiB")
    try:
        return parse_document(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise Unreadable("KT001", "is not UTF-8 text") from None


def parse_document(text: str, name: str = "<text>") -> Document:
    """Raises Unreadable."""
    try:
        tokens = yaml.scan(text, Loader=yaml.SafeLoader)
        alias = next((token for token in tokens if isinstance(token, yaml.AliasToken)), None)
        root = None if alias else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise Unreadable("KT001", f"not YAML: {fault.problem or fault.context}", line, column) from None
    except (yaml.YAMLError, RecursionError):
        raise Unreadable("KT001", "not YAML that can be read") from None
    if alias is not None:
        mark = alias.start_mark
        raise Unreadable("KT003", "aliases are not taken; write it out", mark.line + 1, mark.column + 1)
    places: dict[Trail, Place] = {}
    ends: dict[Trail, Place] = {}
    data = _build(root, (), places, ends) if root is not None else None
    return Document(name, text, data, places, ends)


def _build(node: yaml.Node, trail: Trail, places: dict[Trail, Place], ends: dict[Trail, Place]) -> Any:
    places.setdefault(trail, _place(node))
    ends[trail] = (node.end_mark.line + 1, node.end_mark.column + 1)
    if len(trail) > DEEPEST:
        raise Unreadable("KT003", f"nests deeper than {DEEPEST} levels", *_place(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, trail, places, ends)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*trail, index), places, ends) for index, item in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError):
        raise Unreadable("KT001", f"{node.value!r} is not a plain value", *_place(node)) from None


def _mapping(
    node: yaml.MappingNode, trail: Trail, places: dict[Trail, Place], ends: dict[Trail, Place]
) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
            raise Unreadable("KT001", "a key must be a plain word", *_place(key_node))
        key = str(key_node.value)
        if key in built:
            first = places[(*trail, key)][0]
            raise Unreadable("KT002", f"duplicate key {key!r}, first written in line {first}", *_place(key_node))
        places[(*trail, key)] = _place(key_node)
        built[key] = _build(value_node, (*trail, key), places, ends)
    return built


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1
