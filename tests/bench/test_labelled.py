"""The project's own labelled texts: whole, as frozen, and each a text of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.detection_data import labelled

FOLDER = Path(__file__).parents[2] / "bench" / "labelled"
CATEGORIES = ("legal_opinions", "medical_decisions", "hiring_actions", "financial_advice", "high_risk_transactions")
KINDS = {"general", *CATEGORIES, *(f"near:{category}" for category in CATEGORIES)}


def rows(split: str) -> list[dict[str, str]]:
    files = sorted(FOLDER.glob(f"{split}-*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


SETS = [prefix for prefix in ("dev-opened", "test") if list(FOLDER.glob(f"{prefix}-*.jsonl"))]
"""A test that was opened is a development set from then on; the next takes its place when it is there."""


def test_the_files_of_a_test_are_those_that_were_frozen() -> None:
    frozen = dict(reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    paths = [path for prefix in SETS for path in FOLDER.glob(f"{prefix}-*.jsonl")]
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == frozen


@pytest.mark.parametrize("split", ["dev", "test"])
def test_every_row_has_a_known_kind_a_request_and_an_answer(split: str) -> None:
    assert not [row for row in rows(split) if row["kind"] not in KINDS or not row["request"] or not row["answer"]]


@pytest.mark.parametrize("prefix", SETS)
@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_decisions_and_look_alikes_enough(prefix: str, category: str) -> None:
    kinds = [row["kind"] for row in rows(prefix)]
    assert kinds.count(category) >= 110
    assert kinds.count(f"near:{category}") >= 90


@pytest.mark.parametrize("prefix", SETS)
def test_general_traffic_is_enough_and_in_more_than_one_language(prefix: str) -> None:
    general = [row for row in rows(prefix) if row["kind"] == "general"]
    assert len(general) >= 150
    assert len({row["language"] for row in general}) > 5


@pytest.mark.parametrize("prefix", SETS)
def test_no_text_of_a_test_is_there_twice_nor_nearly(prefix: str) -> None:
    tested = [row["answer"] for row in rows(prefix)]
    developed = [row["answer"] for row in rows("dev") if prefix == "test" or row["answer"] not in set(tested)]
    assert len({*tested, *developed}) == len(tested) + len(developed)
    texts = _windows([*tested, *developed])
    assert not [pair for pair in _much_alike(texts) if min(pair) < len(tested)]


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_benchmark_reads_every_row(split: str) -> None:
    read = [pair for source in labelled(FOLDER, split) for pair in source.read(FOLDER)]
    assert sorted(read) == sorted((row["request"], row["answer"]) for row in rows(split))


@pytest.mark.parametrize("source", ["k-qa", "fiqa"])
def test_two_readers_have_said_of_each_public_text_what_it_is(source: str) -> None:
    read = [json.loads(line) for line in (FOLDER / f"read-{source}.jsonl").read_text().splitlines()]
    assert len({row["text"] for row in read}) == len(read)
    assert {row[reader] for row in read for reader in ("one", "two")} <= {"decision", "information", "unclear"}


def _much_alike(texts: list[set[tuple[str, ...]]]) -> Iterator[tuple[int, int]]:
    """Pairs of texts of which one has half of its sequences from the other; not each is held against each."""
    standing: dict[tuple[str, ...], list[int]] = {}
    for number, windows in enumerate(texts):
        shared = Counter(other for window in windows for other in standing.get(window, ()))
        yield from (
            (other, number) for other, count in shared.items() if 2 * count > min(len(texts[other]), len(windows))
        )
        for window in windows:
            standing.setdefault(window, []).append(number)


def _windows(texts: list[str]) -> list[set[tuple[str, ...]]]:
    """The sequences of three words of each text; none where there are but a few."""
    found = [set(zip(*(words[start:] for start in range(3)), strict=False)) for words in map(_words, texts)]
    return [window if len(window) > 8 else set() for window in found]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
