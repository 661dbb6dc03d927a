"""The same request again: what was blocked is blocked again, and what waits already is decided once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack import LEGAL, Stack, wait_for


@pytest.fixture
def text() -> str:
    return f"repeats {uuid4().hex[:8]} {LEGAL} ANSWER: You may terminate."


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as running:
        yield running


def ask(stack: Stack, text: str, key: str = "gateway_key") -> httpx.Response:
    """A first attempt, as a client without any retries makes it."""
    return httpx.post(
        f"{stack.info['gateway_url']}/v1/chat/completions",
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]},
        headers={"authorization": f"Bearer {stack.info[key]}", "prefer": "respond-async"},
        timeout=60,
    )


def held_as(answer: httpx.Response) -> str:
    assert answer.status_code == 202, answer.text
    return str(answer.headers["x-escalation-id"])


def received(stack: Stack, escalation_id: str, key: str = "gateway_key") -> httpx.Response:
    return httpx.get(
        f"{stack.info['gateway_url']}/v1/escalations/{escalation_id}/response",
        headers={"authorization": f"Bearer {stack.info[key]}"},
        params={"wait": "30"},
        timeout=60,
    )


def ended(stack: Stack, escalation_id: str) -> dict[str, Any]:
    return wait_for(
        lambda: (found := stack.escalation(escalation_id))["status"] in ("resolved", "expired") and found,
        f"the end of {escalation_id}",
    )


def followers(stack: Stack, leader: str) -> list[str]:
    page = stack.api("admin").get("/v1/escalations", params={"leader": leader}).json()
    return [item["escalation_id"] for item in page["escalations"]]


def test_without_the_settings_every_first_request_is_a_case_of_its_own(stack: Stack, text: str) -> None:
    first, second = held_as(ask(stack, text)), held_as(ask(stack, text))
    assert first != second
    stack.decide(first, "block")
    assert stack.escalation(second)["leader"] is None
    third = held_as(ask(stack, text))
    assert stack.escalation(third)["status"] == "open"
    for held in (second, third):
        stack.decide(held, "block")


def test_a_blocked_request_is_blocked_again_within_its_window_on_the_record(stack: Stack, text: str) -> None:
    with stack.settings(decisions={"sticky_rejection": "1h"}):
        first = held_as(ask(stack, text))
        stack.decide(first, "block", category="true_positive")
        second = held_as(ask(stack, text))
        done = ended(stack, second)
        assert (done["resolution"], done["category"], done["reviewer"], done["precedent"]) == (
            "block", "true_positive", "system", first,
        )  # fmt: skip
        assert stack.history(second)[-1]["data"]["precedent"] == first
        refused = received(stack, second)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "human_review_blocked")
        others = held_as(ask(stack, text, "gateway_key2"))
        assert stack.escalation(others)["status"] == "open", "another consumer was refused nothing"
        stack.decide(others, "block")
    third = held_as(ask(stack, text))
    assert stack.escalation(third)["status"] == "open", "the setting is off again"
    stack.decide(third, "allow")
    with stack.settings(decisions={"sticky_rejection": "1h"}):
        fourth = held_as(ask(stack, text))
        assert stack.escalation(fourth)["status"] == "open", "people allowed it since"
        stack.decide(fourth, "block")
    with stack.settings(decisions={"sticky_rejection": "1s"}):
        wait_for(lambda: stack.escalation(held_as(ask(stack, text)))["precedent"] is None, "the window to pass")


@pytest.mark.parametrize(
    ("resolution", "told"),
    [
        ({"resolution": "redact_and_allow", "redactions": [{"start": 0, "end": 3}]}, "[REDACTED] may terminate."),
        ({"resolution": "allow"}, "You may terminate."),
    ],
    ids=["redacted", "allowed"],
)
def test_identical_requests_follow_one_leader_and_receive_exactly_what_it_released(
    stack: Stack, text: str, pool: ThreadPoolExecutor, resolution: dict[str, Any], told: str
) -> None:
    with stack.settings(decisions={"follow_leader": True}):
        asking: list[Future[httpx.Response]] = [pool.submit(ask, stack, text) for _ in range(4)]
        cases = [held_as(answer.result(60)) for answer in asking]
        [leader] = [held for held in cases if stack.escalation(held)["leader"] is None]
        wait_for(lambda: len(followers(stack, leader)) == 3, "the followers")
        other = held_as(ask(stack, text, "gateway_key2"))
        assert stack.escalation(other)["leader"] is None, "another consumer's request is another one"
        stack.must(other, "withdraw", who="admin")
    follower = next(held for held in cases if held != leader)
    refused = stack.act(follower, "claim")
    assert (refused.status_code, refused.json()["code"], refused.json()["leader"]) == (409, "follows_leader", leader)
    queue = stack.api().get("/v1/escalations", params={"status": "open", "limit": "200"}).json()["escalations"]
    assert follower not in [item["escalation_id"] for item in queue]
    stack.decide(leader, **resolution)
    texts = [received(stack, held).json()["choices"][0]["message"]["content"] for held in cases]
    assert texts == [told] * 4
    done = ended(stack, follower)
    assert (done["resolution"], done["reviewer"]) == (resolution["resolution"], "reviewer")
    entry = stack.history(follower)[-1]
    assert (entry["type"], entry["actor"], entry["data"]["leader"]) == ("resolved", "system", leader)


def test_followers_of_a_leader_that_was_withdrawn_are_cases_of_their_own(stack: Stack, text: str) -> None:
    with stack.settings(decisions={"follow_leader": True}):
        leader, follower = held_as(ask(stack, text)), held_as(ask(stack, text))
    assert stack.escalation(follower)["leader"] == leader
    stack.must(leader, "withdraw", who="admin")
    wait_for(lambda: stack.escalation(follower)["leader"] is None, "the follower to be free")
    assert "leader_left" in stack.events(follower)
    stack.decide(follower, "block")
    assert received(stack, follower).status_code == 403


def test_an_appeal_that_releases_the_answer_ends_the_rejection(stack: Stack, text: str) -> None:
    with stack.settings(decisions={"sticky_rejection": "1h"}):
        first = held_as(ask(stack, text))
        stack.decide(first, "block")
        contested = httpx.post(
            f"{stack.info['api_url']}/v1/escalations/{first}/appeal",
            json={"reason": "It is for a training."},
            headers={"authorization": f"Bearer {stack.info['gateway_key']}"},
            timeout=30,
        )
        assert contested.status_code == 201, contested.text
        assert stack.escalation(held_as(ask(stack, text)))["precedent"] == first, "nothing is decided yet"
        stack.decide(contested.json()["escalation_id"], "allow", who="senior")
        later = held_as(ask(stack, text))
        assert stack.escalation(later)["precedent"] is None
        stack.decide(later, "block")


def test_what_a_chain_released_unseen_takes_no_block_back(stack: Stack, text: str) -> None:
    blocked = held_as(ask(stack, text))
    stack.decide(blocked, "block")
    chain = {"legs": [{"to": "team:legal", "ack_timeout": "1s"}], "on_exhausted": "allow"}
    rule = {"name": "in turn", "match": {"any": True}, "route_to": "chain:asked"}
    with stack.settings(chains={"asked": chain}, escalation_routing={"rules": [rule]}):
        unseen = held_as(ask(stack, text))
        assert ended(stack, unseen)["resolution"] == "allow"
    before = stack.api("admin").get("/v1/settings").json()["settings"]["decisions"]
    with stack.settings(decisions={**before, "sticky_rejection": "1h"}):
        again = ended(stack, held_as(ask(stack, text)))
    assert (again["resolution"], again["precedent"]) == ("block", blocked)
