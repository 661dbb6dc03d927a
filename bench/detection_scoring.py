"""The arithmetic of detection: shares with their intervals, thresholds at a false-positive rate, tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); it stays within 0 and 1 where the usual one does not."""
    if not total:
        return 0.0, 1.0
    share = hits / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def threshold_at(negatives: Sequence[float], rate: float) -> float:
    """The score that no more than that share of the negatives exceeds."""
    ordered = sorted(negatives, reverse=True)
    return ordered[min(len(ordered) - 1, int(len(ordered) * rate))] if ordered else 1.0


def above(scores: Iterable[float], threshold: float) -> int:
    return sum(score > threshold for score in scores)


def precision(recall: float, false_positives: float, prevalence: float) -> float:
    """Of what is held, how much should be, where that share of all traffic should be."""
    held = recall * prevalence + false_positives * (1 - prevalence)
    return recall * prevalence / held if held else 0.0


def share(hits: int, total: int) -> str:
    """`0.912 (0.874–0.940)`: the share and its interval."""
    if not total:
        return "–"
    low, high = wilson(hits, total)
    return f"{hits / total:.3f} ({low:.3f}–{high:.3f})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])
