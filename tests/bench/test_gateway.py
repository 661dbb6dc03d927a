"""The gateway's benchmark runs, and its numbers are numbers. What they must reach is not tested here."""

from __future__ import annotations

from bench.gateway import measure


def test_the_gateway_benchmark_compares_with_a_direct_call() -> None:
    found = measure(quick=True, with_rival=False)
    rates = found["rates"]
    assert isinstance(rates, dict)
    assert all(rate > 0 for row in rates.values() for rate in row.values())
    added = found["added_ms"]
    assert isinstance(added, dict)
    assert all(row["p50"] > 0 for row in added.values())
