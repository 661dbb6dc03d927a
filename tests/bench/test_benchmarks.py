"""The benchmarks run, and their numbers are numbers. What they must reach is not tested: a busy machine is no bug."""

from __future__ import annotations

from bench.lifecycle import measure


def test_the_lifecycle_benchmark_compares_both() -> None:
    found = measure(count=3, together=2, rounds=1)
    assert all(float(str(found[name])) > 0 for name in ("rate_ratio_median", "claim_ratio_of_medians"))
