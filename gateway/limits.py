"""What a consumer may use, counted: requests and tokens per minute in this process, held answers in the store.

A bucket holds a minute's allowance and fills evenly. Tokens are known only when the answer is there, so an answer may
overdraw its bucket, and the next request waits until that is made up for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import GatewayError
from policies.config import Limits

_MOST_REMEMBERED = 10_000
HELD_RETRY_S = 30


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float

    def fill(self, per_minute: float, now: float) -> None:
        self.left = min(per_minute, self.left + (now - self.at) * per_minute / 60)
        self.at = now


class Limiter:
    """`share`: how many gateway processes divide an allowance among them."""

    def __init__(self, share: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = max(1, share)
        self._clock = clock
        self._requests: dict[str, _Bucket] = {}
        self._tokens: dict[str, _Bucket] = {}

    def admit(self, consumer: str, limits: Limits) -> None:
        """Count a request. Raises GatewayError 429, which says when to come again."""
        if limits.tokens_per_minute is not None:
            allowance = limits.tokens_per_minute / self._share
            bucket = self._bucket(self._tokens, consumer, allowance)
            if bucket.left <= 0:
                raise _limited("tokens", limits.tokens_per_minute, (1 - bucket.left) * 60 / allowance)
        if limits.requests_per_minute is not None:
            allowance = max(1.0, limits.requests_per_minute / self._share)
            bucket = self._bucket(self._requests, consumer, allowance)
            if bucket.left < 1:
                raise _limited("requests", limits.requests_per_minute, (1 - bucket.left) * 60 / allowance)
            bucket.left -= 1

    def spend(self, consumer: str, limits: Limits, tokens: int) -> None:
        """Count what an answer cost."""
        if limits.tokens_per_minute is not None:
            self._bucket(self._tokens, consumer, limits.tokens_per_minute / self._share).left -= tokens

    def _bucket(self, buckets: dict[str, _Bucket], consumer: str, allowance: float) -> _Bucket:
        now = self._clock()
        bucket = buckets.get(consumer)
        if bucket is None:
            if len(buckets) >= _MOST_REMEMBERED:
                buckets.clear()
            bucket = buckets[consumer] = _Bucket(allowance, now)
        bucket.fill(allowance, now)
        return bucket


def too_many_held(limit: int) -> GatewayError:
    """The consumer has as many answers waiting for a person as it may."""
    return GatewayError(
        429,
        "held_limit_exceeded",
        f"{limit} answers of this consumer wait for review already, which is its limit; wait for decisions",
        kind="rate_limit_error",
        retry=False,
        headers={"retry-after": str(HELD_RETRY_S)},
    )


def _limited(what: str, limit: int, wait_s: float) -> GatewayError:
    seconds = max(1, math.ceil(wait_s))
    return GatewayError(
        429,
        "rate_limit_exceeded",
        f"this consumer may use {limit} {what} per minute; come again in {seconds} s",
        kind=what,
        headers={
            "retry-after": str(seconds),
            f"x-ratelimit-limit-{what}": str(limit),
            f"x-ratelimit-remaining-{what}": "0",
            f"x-ratelimit-reset-{what}": f"{seconds}s",
        },
    )
