"""Entries, their hashes, and what a check of a chain finds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import NotCanonical, canonical
from ledger.entries import GENESIS, Draft, Entry, hash_of, seal
from ledger.verification import verify_chain

NOW = datetime(2026, 5, 7, 10, 0, 0, 123, tzinfo=UTC)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = st.text(st.characters(max_codepoint=127), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def chain(length: int = 5) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(1, length + 1):
        prev = entries[-1]["hash"] if entries else GENESIS
        draft = Draft(f"e{number}", "test", NOW, "test", data={"n": number})
        entries.append(seal(draft, "api", 1, number, prev))
    return entries


@given(VALUES)
def test_the_fast_serializer_writes_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (1.5, r"\$ is a float"),
        ({"a": [2**53]}, r"\$\.a\[0\]"),
        ({"ä": 1}, "not ASCII"),
        ("\ud800", "surrogate"),
        (b"x", "bytes"),
        ({1: 2}, "not ASCII"),
    ],
)
def test_what_could_be_spelled_in_two_ways_is_refused_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(NotCanonical, match=path):
        canonical(value)


def test_a_hash_can_be_recomputed_by_anybody() -> None:
    entry = chain(1)[0]
    bare = {key: value for key, value in entry.items() if key != "hash"}
    assert entry["hash"] == hashlib.sha256(b"kt.audit.event.v1\0" + rfc8785.dumps(bare)).hexdigest()


def test_an_entry_has_the_fields_of_version_one() -> None:
    assert set(chain(1)[0]) == {
        "v", "chain", "epoch", "seq", "prev", "ts", "ts_source", "event_id", "tenant", "type", "op", "outcome",
        "actor", "escalation_id", "request_id", "data", "hash",
    }  # fmt: skip
    assert chain(1)[0]["ts"] == "2026-05-07T10:00:00.000123Z"


def test_lone_surrogates_of_a_model_do_not_stop_the_ledger() -> None:
    entry = seal(Draft("e", "t", NOW, "test", data={"name": "a\ud800b"}), "api", 1, 1, GENESIS)
    assert entry["data"] == {"name": "a\ufffdb"}


def test_a_true_chain_verifies() -> None:
    verdict = verify_chain("api", chain())
    assert (verdict.ok, verdict.count, verdict.head) == (True, 5, chain()[-1]["hash"])


def _edit(entries: list[Entry]) -> None:
    entries[2]["data"] = {"n": 99}


def _edit_and_rehash(entries: list[Entry]) -> None:
    entries[2]["data"] = {"n": 99}
    entries[2]["hash"] = hash_of(entries[2])


def _delete(entries: list[Entry]) -> None:
    del entries[2]


def _delete_and_renumber(entries: list[Entry]) -> None:
    del entries[2]
    for number, entry in enumerate(entries, 1):
        entry["seq"] = number


def _swap(entries: list[Entry]) -> None:
    entries[1], entries[2] = entries[2], entries[1]


def _insert(entries: list[Entry]) -> None:
    entries.insert(2, seal(Draft("new", "t", NOW, "test"), "api", 1, 3, entries[1]["hash"]))


def _other_chain(entries: list[Entry]) -> None:
    entries[2] = seal(Draft("e3", "test", NOW, "test"), "worker", 1, 3, entries[1]["hash"])


def _older_epoch(entries: list[Entry]) -> None:
    entries[2:] = [seal(Draft("e3", "test", NOW, "test"), "api", 0, 3, entries[1]["hash"])]


def _float(entries: list[Entry]) -> None:
    entries[2]["data"] = {"n": 1.5}


@pytest.mark.parametrize(
    "tamper",
    [_edit, _edit_and_rehash, _delete, _delete_and_renumber, _swap, _insert, _other_chain, _older_epoch, _float],
)
def test_every_kind_of_tampering_is_found(tamper: Callable[[list[Entry]], None]) -> None:
    entries = chain()
    tamper(entries)
    verdict = verify_chain("api", entries)
    assert not verdict.ok
    assert verdict.first_bad is not None
    assert 2 <= verdict.first_bad <= 4
    assert verdict.reason


def test_a_cut_tail_shows_only_against_a_head_that_was_kept_elsewhere() -> None:
    verdict = verify_chain("api", chain()[:3])
    assert verdict.ok
    assert (verdict.count, verdict.head) != (5, chain()[-1]["hash"])
