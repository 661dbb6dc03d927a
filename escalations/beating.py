"""Heartbeats: while somebody has a case open, their claim does not run out, up to a bound.

A beat renews the claim for a lease from now, once a third of a lease is gone; most beats change nothing. Beats alone
keep it for four leases at most: a page that somebody left open is not somebody who reviews. What people do themselves
(a comment, `extend`, asking for help) is not bounded by that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

MOST_LEASES = 4
SOONEST = timedelta(seconds=5)
LATEST = timedelta(minutes=1)


def beats_end(since: datetime, lease: timedelta) -> datetime:
    """Until when beats alone keep a claim that was made at `since`."""
    return since + MOST_LEASES * lease


def renewed_until(since: datetime, lease_until: datetime, lease: timedelta, now: datetime) -> datetime | None:
    """Until when a claim that was made at `since` lasts by a beat at `now`; None where the beat changes nothing."""
    if lease_until - now > lease * 2 / 3:
        return None
    until = min(now + lease, beats_end(since, lease))
    return until if until > lease_until else None


def next_beat(lease: timedelta) -> timedelta:
    """How long to wait for the next one: several in each third, so that one that is lost does no harm."""
    return min(max(lease / 12, SOONEST), LATEST)
