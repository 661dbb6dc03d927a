"""Which rules hold for whom."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.rules import RuleBook
from policies.config import PolicyConfig

COMMON: dict[str, Any] = {
    "pack": {"name": "demo", "version": "1.0.0"},
    "policies": {"chain": ["prompt-injection", "human-oversight", "audit-logger"]},
    "policy": {"human-oversight": {"require_human_for": ["legal_opinions"], "hold": {"grace": "5s"}}},
    "limits": {"requests_per_minute": 100},
}


def book(**groups: Any) -> RuleBook:
    return RuleBook(PolicyConfig.model_validate({**COMMON, "consumer_groups": groups}), "digest")


def test_a_consumer_without_a_group_has_the_common_rules() -> None:
    assert book(trial={}).rules_for(None).chain.names == ("prompt-injection", "human-oversight", "audit-logger")


def test_a_group_nobody_configured_has_the_common_rules() -> None:
    made = book(trial={})
    assert made.rules_for("unknown") is made.common


def test_a_group_may_have_a_chain_of_its_own() -> None:
    assert book(internal={"chain": ["audit-logger"]}).rules_for("internal").chain.names == ("audit-logger",)


def test_options_of_a_group_lie_over_the_common_ones() -> None:
    rules = book(vip={"policy": {"human-oversight": {"action": "log", "threshold": 0.9}}}).rules_for("vip")
    oversight = rules.chain.oversight
    assert oversight is not None
    assert (oversight.action, oversight.threshold) == ("log", 0.9)
    assert oversight.require_human_for == ("legal_opinions",)
    assert rules.hold.grace.total_seconds() == 5


def test_a_group_waits_in_its_own_way() -> None:
    rules = book(batch={"policy": {"human-oversight": {"hold": {"mode": "deferred"}}}}).rules_for("batch")
    assert rules.hold.mode == "deferred"


def test_limits_of_a_group_replace_the_common_ones() -> None:
    made = book(trial={"limits": {"held": 3}}, other={})
    assert (made.rules_for("trial").limits.held, made.rules_for("trial").limits.requests_per_minute) == (3, None)
    assert made.rules_for("other").limits.requests_per_minute == 100


def test_a_group_with_a_mistake_is_refused_with_its_name() -> None:
    with pytest.raises(ValidationError, match=r"consumer_groups\.vip"):
        book(vip={"policy": {"human-oversight": {"threshold": 7}}})
