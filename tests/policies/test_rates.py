"""`rate-anomaly`: when a consumer's escalations are above its usual, and what follows when nobody knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policies.chain import Chain, Verdict, Who
from policies.config import PolicyConfig
from policies.given import Given
from policies.rates import Rate

REQUEST = {"messages": [{"role": "user", "content": "What is the capital of France?"}]}
WHO = Who("app", "req_1")


class Told:
    """Knows what it was told."""

    def __init__(self, rate: Rate | None) -> None:
        self.rate = rate
        self.wanted: list[tuple[timedelta, timedelta]] = []

    def want(self, window: timedelta, baseline: timedelta) -> None:
        self.wanted.append((window, baseline))

    def of(self, consumer: str, window: timedelta, baseline: timedelta) -> Rate | None:
        assert consumer == "app"
        return self.rate


def screened(rate: Rate | None, who: Who | None = WHO, **options: Any) -> Any:
    document = {"policies": {"chain": ["rate-anomaly"]}, "policy": {"rate-anomaly": options}}
    return Chain(PolicyConfig.model_validate(document), given=Given(rates=Told(rate))).screen_request(REQUEST, who)


@pytest.mark.parametrize(
    ("recent", "before", "anomalous"),
    [
        (0, 0, False),
        (9, 0, False),  # fewer than at_least
        (10, 0, True),  # no past, and at_least so many
        (30, 1680, False),  # usual is 10 an hour: three times that is no more than three times that
        (31, 1680, True),
        (12, 168 * 3, True),
        (12, 168 * 4, False),
    ],
)
def test_above_usual_is_more_than_the_factor_and_at_least_so_many(recent: int, before: int, anomalous: bool) -> None:
    assert (screened(Rate(recent, before)).verdict is Verdict.ESCALATED) is anomalous


def test_what_it_found_stands_on_the_event() -> None:
    told = screened(Rate(60, 1680)).cause.summary()
    assert (told["policy"], told["reason_code"], told["severity"]) == ("rate-anomaly", "above_usual", "low")
    assert (told["layers"], told["score"]) == ({"recent": 60, "usual": 10}, 500)


@pytest.mark.parametrize(
    ("action", "verdict"),
    [("escalate", Verdict.ESCALATED), ("block", Verdict.BLOCKED), ("log", Verdict.PASSED)],
)
def test_its_action_and_what_is_unknown_are_told_apart(action: str, verdict: Verdict) -> None:
    above, unknown = screened(Rate(50, 0), action=action), screened(None, on_unknown=action)
    assert (above.verdict, above.findings[0].reason_code) == (verdict, "above_usual")
    assert (unknown.verdict, unknown.findings[0].reason_code) == (verdict, "rate_unknown")


def test_what_nobody_knows_holds_the_answer_unless_the_configuration_says_otherwise() -> None:
    assert screened(None).verdict is Verdict.ESCALATED


def test_a_shadow_counts_and_does_nothing() -> None:
    found = screened(Rate(50, 0), mode="shadow")
    assert (found.verdict, found.findings[0].would) == (Verdict.PASSED, Verdict.ESCALATED)


def test_without_a_consumer_or_an_installation_there_is_nothing_to_compare() -> None:
    assert screened(None, who=None).verdict is Verdict.PASSED
    alone = Chain(PolicyConfig.model_validate({"policies": {"chain": ["rate-anomaly"]}}))
    assert alone.screen_request(REQUEST, WHO).verdict is Verdict.PASSED


def test_a_chain_says_beforehand_which_counts_it_will_ask_for() -> None:
    told = Told(Rate())
    document = {"policies": {"chain": ["rate-anomaly"]}, "policy": {"rate-anomaly": {"window": "2h", "baseline": "1d"}}}
    Chain(PolicyConfig.model_validate(document), given=Given(rates=told))
    assert told.wanted == [(timedelta(hours=2), timedelta(days=1))]
