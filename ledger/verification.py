"""Checking a chain: every entry hashes to what it says, points to its predecessor, and no number is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.canonical import NotCanonical
from ledger.entries import GENESIS, VERSION, Entry, hash_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `first_bad` is the number of the first entry that does not hold, None when all do.

    A chain proves that nothing before its head was changed. It cannot prove that its tail was not cut off: compare
    `count` and `head` with a checkpoint that was kept elsewhere.
    """

    chain: str
    count: int
    head: str
    first_bad: int | None = None
    reason: str | None = None

    @property
    def ok(self) -> bool:
        return self.first_bad is None


def verify_chain(chain: str, entries: Iterable[Entry]) -> Verdict:
    """Check entries in the order in which they stand."""
    prev, count, epoch = GENESIS, 0, 0
    for expected, entry in enumerate(entries, start=1):
        reason = _fault(entry, chain, expected, prev, epoch)
        if reason is not None:
            return Verdict(chain, count, prev, expected, reason)
        prev, count, epoch = entry["hash"], expected, entry["epoch"]
    return Verdict(chain, count, prev)


def _fault(entry: Entry, chain: str, expected: int, prev: str, epoch: int) -> str | None:
    if entry.get("v") != VERSION:
        return f"version {entry.get('v')!r} is not {VERSION}"
    if entry.get("chain") != chain:
        return f"it belongs to chain {entry.get('chain')!r}"
    if entry.get("seq") != expected:
        return f"number {entry.get('seq')!r} stands where {expected} should"
    if entry.get("prev") != prev:
        return "it does not point to the entry before it"
    try:
        found = hash_of(entry)
    except NotCanonical as fault:
        return str(fault)
    if entry.get("hash") != found:
        return "its content does not match its hash"
    if not isinstance(entry["epoch"], int) or entry["epoch"] < epoch:
        return f"epoch {entry['epoch']!r} comes after epoch {epoch}"
    return None
