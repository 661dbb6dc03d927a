"""The measurement of assignment runs, and what it must never find it does not find."""

from __future__ import annotations

from bench.assigning import LIMIT, measure


def test_the_measurement_gives_every_case_out_once_and_nobody_too_many() -> None:
    rows = measure(arrivals=60, seeds=1)
    assert len(rows) == 4
    assert all(row["given_out"] == row["arrivals"] == 60 for row in rows)
    assert all(row["most_held"] <= LIMIT for row in rows)
