"""What a consumer may use, counted with a clock of the test's own."""

from __future__ import annotations

import pytest

from gateway.errors import GatewayError
from gateway.limits import Limiter
from policies.config import Limits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused(limiter: Limiter, consumer: str, limits: Limits) -> GatewayError:
    with pytest.raises(GatewayError) as told:
        limiter.admit(consumer, limits)
    return told.value


def test_requests_beyond_the_allowance_are_429_and_say_when_to_come_again(clock: Clock) -> None:
    limiter, limits = Limiter(clock=clock), Limits(requests_per_minute=2)
    limiter.admit("a", limits)
    limiter.admit("a", limits)
    fault = refused(limiter, "a", limits)
    assert (fault.status, fault.code) == (429, "rate_limit_exceeded")
    assert fault.headers["retry-after"] == "30"
    clock.now = 30
    limiter.admit("a", limits)


def test_each_consumer_has_an_allowance_of_its_own(clock: Clock) -> None:
    limiter, limits = Limiter(clock=clock), Limits(requests_per_minute=1)
    limiter.admit("a", limits)
    limiter.admit("b", limits)
    assert refused(limiter, "a", limits).status == 429


def test_tokens_are_counted_when_the_answer_is_there_and_may_overdraw_once(clock: Clock) -> None:
    limiter, limits = Limiter(clock=clock), Limits(tokens_per_minute=600)
    limiter.admit("a", limits)
    limiter.spend("a", limits, 700)
    fault = refused(limiter, "a", limits)
    assert fault.headers["x-ratelimit-limit-tokens"] == "600"
    clock.now = 11
    limiter.admit("a", limits)


def test_several_processes_share_an_allowance(clock: Clock) -> None:
    limiter, limits = Limiter(share=2, clock=clock), Limits(requests_per_minute=4)
    limiter.admit("a", limits)
    limiter.admit("a", limits)
    assert refused(limiter, "a", limits).status == 429


def test_without_limits_nothing_is_counted(clock: Clock) -> None:
    limiter = Limiter(clock=clock)
    for _ in range(1000):
        limiter.admit("a", Limits())
    limiter.spend("a", Limits(), 10**9)
    limiter.admit("a", Limits())
