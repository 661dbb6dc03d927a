"""The arithmetic of the benchmark, and that its sources keep apart."""

from __future__ import annotations

from pathlib import Path

from bench.detection_data import SOURCES, load
from bench.detection_scoring import above, precision, threshold_at, wilson


def test_the_interval_holds_the_share_and_stays_inside() -> None:
    low, high = wilson(95, 100)
    assert 0.88 < low < 0.95 < high < 0.99
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == 1.0


def test_no_more_than_the_rate_exceed_the_threshold() -> None:
    scores = [index / 1000 for index in range(1000)]
    assert above(scores, threshold_at(scores, 0.01)) == 10


def test_precision_follows_prevalence() -> None:
    assert precision(1.0, 0.01, 0.01) < 0.51
    assert precision(1.0, 0.01, 0.1) > 0.9


def test_no_place_serves_both_development_and_test_with_the_same_texts(tmp_path: Path) -> None:
    names = [source.name for source in SOURCES]
    assert len(names) == len(set(names))
    found, missing = load(tmp_path, tmp_path, "test")
    assert found == []
    assert set(missing) == {source.name for source in SOURCES if source.split == "test"}
