"""What the detectors cost: CPU time for a kilobyte of text, on answers as they come and on long texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from bench.detection_data import Pair, Source
from bench.detection_scoring import table

Run = Callable[[str], object]
LONG_KB = (4, 64, 256)
_MOST = 600
"""Answers of one source; more of them say the same again."""


def cost(general: list[tuple[Source, list[Pair]]], runs: Mapping[str, Run], besides: Mapping[str, Run]) -> list[str]:
    """A table of milliseconds per KB for answers of general traffic, of models and the project's own short ones, and
    for one text of each length. `runs` are added up; those `besides` have the answers only."""
    answers, short = (
        [answer for source, pairs in general if source.name.startswith("own") is own for _, answer in pairs[:_MOST]]
        for own in (False, True)
    )
    if not answers:
        return ["### Cost", "No general traffic was there."]
    joined = " ".join(answers)
    texts = [answers, short, *([joined[: size * 1024]] for size in LONG_KB)]
    taken = {name: [_cpu(run, each) for each in texts] for name, run in runs.items()}
    together = [sum(column) for column in zip(*taken.values(), strict=True)]
    rows = [[name, *(f"{each:.3f}" for each in row)] for name, row in taken.items()]
    rows.append(["together", *(f"**{each:.3f}**" for each in together)])
    rows += [[name, *(f"{_cpu(run, each):.3f}" for each in texts[:2]), "", "", ""] for name, run in besides.items()]
    columns = [
        "detector",
        f"answers of models ({_mean_kb(answers)})",
        f"own general answers ({_mean_kb(short)})",
        *(f"one text of {size} KB" for size in LONG_KB),
    ]
    return [
        "### Cost, ms of CPU per KB",
        "As the chain runs them: of scores that hold nothing only as much is worked out as it takes to know that.",
        table(columns, rows),
    ]


def _mean_kb(texts: list[str]) -> str:
    return f"{sum(map(len, texts)) / 1024 / len(texts):.1f} KB on average" if texts else "none"


def _cpu(run: Run, texts: list[str]) -> float:
    size = sum(map(len, texts)) / 1024
    if not size:
        return 0.0
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        for text in texts:
            run(text)
        best = min(best, time.process_time() - begun)
    return best * 1000 / size
