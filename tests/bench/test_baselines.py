"""The comparison with others: its arithmetic, and what it says when the other is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.detection_baselines import recall_and_precision, run
from bench.detection_scoring import share


def test_a_hit_overlaps_and_a_find_beside_every_label_is_wrong() -> None:
    wanted = [[{"start_position": 0, "end_position": 10}], [{"start_position": 5, "end_position": 9}], []]
    found = [[("PHONE_NUMBER", 8, 14)], [], [("PHONE_NUMBER", 0, 3)]]
    assert recall_and_precision(wanted, found) == [share(1, 2), share(1, 2)]


@pytest.mark.parametrize("script", ["baseline_litellm.py", "baseline_presidio.py"])
def test_an_environment_without_the_other_ends_in_one_line_that_names_it(script: str) -> None:
    with pytest.raises(SystemExit, match=f"error: {script} failed under .*No module named"):
        run(Path(sys.executable), script, {"categories": [], "texts": [], "entities": []})
