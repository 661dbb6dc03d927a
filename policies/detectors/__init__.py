"""What looks at text. A detector finds spans; what follows from them is the chain's business."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one text: `path` is its JSON Pointer, the offsets are code points."""

    path: str
    start: int
    end: int
    label: str
    pattern: str
