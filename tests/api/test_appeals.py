"""Contesting a block over HTTP and with kt."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack import Stack, wait_for

WHY = "It quotes a published ruling."


@pytest.fixture
def key(stack: Stack) -> str:
    """The key of a consumer whose owner is reviewer2."""
    admin, name = stack.api("admin"), f"appellant-{uuid4().hex[:8]}"
    assert admin.post("/v1/consumers", json={"consumer_id": name, "owner": "reviewer2"}).status_code == 201
    return str(admin.post("/v1/tokens", json={"consumer_id": name}).json()["token"])


def create(stack: Stack, key: str) -> str:
    body = {"answer": "You may.", "policy_rule": "human-oversight", "reason_code": "legal_opinions", "severity": "high"}
    made = post(stack, "/v1/escalations", key, body)
    assert made.status_code == 201, made.text
    return str(made.json()["escalation_id"])


def post(stack: Stack, path: str, key: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(stack.info["api_url"] + path, json=body, headers={"authorization": f"Bearer {key}"}, timeout=30)


def test_a_block_is_contested_once_and_another_senior_decides(stack: Stack, key: str) -> None:
    first = create(stack, key)
    early = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY})
    assert (early.status_code, early.json()["code"]) == (409, "not_appealable")
    stack.decide(first, "block", who="senior")
    made = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY})
    assert made.status_code == 201, made.text
    appeal = made.json()["escalation_id"]
    assert (made.json()["appeal_of"], made.json()["status"]) == (first, "open")
    assert stack.escalation(first)["appealed_as"] == appeal
    again = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY})
    assert (again.status_code, again.json()["code"], again.json()["appeal"]) == (409, "already_appealed", appeal)
    context = stack.escalation(appeal, "admin", include="context")["context"]
    assert context["policy_match"]["appeal"] == {"escalation_id": first, "reason": WHY}
    assert context["held_answer"]["choices"][0]["message"]["content"] == "You may."
    for who, code in (("senior", "not_independent"), ("reviewer", "not_allowed"), ("reviewer2", "not_allowed")):
        refused = stack.act(appeal, "claim", who=who)
        assert (refused.status_code, refused.json()["code"]) == (403, code)
    stack.decide(appeal, "allow", who="admin")
    released = httpx.get(
        f"{stack.info['api_url']}/v1/escalations/{appeal}/response",
        headers={"authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert released.json()["choices"][0]["message"]["content"] == "You may."
    final = post(stack, f"/v1/escalations/{appeal}/appeal", key, {"reason": WHY})
    assert final.json()["code"] == "not_appealable"
    ledger = b"".join(path.read_bytes() for path in (stack.data_dir / "ledger").glob("*") if path.is_file())
    assert b"escalation.appealed" in ledger
    assert WHY.encode() not in ledger


def test_only_the_consumer_or_the_person_behind_it_contests(stack: Stack, key: str) -> None:
    first = create(stack, key)
    stack.decide(first, "block")
    other = post(stack, f"/v1/escalations/{first}/appeal", str(stack.info["gateway_key2"]), {"reason": WHY})
    assert (other.status_code, other.json()["code"]) == (404, "not_found")
    assert stack.act(first, "appeal", {"reason": WHY}, "senior").json()["code"] == "not_allowed"
    assert stack.act(first, "appeal", {}, "reviewer2").json()["field"] == "reason"
    told = stack.kt("escalation", "appeal", first, "--reason", WHY, who="reviewer2")
    appeal = stack.escalation(first)["appealed_as"]
    assert told == f"contested escalation {first} as {appeal}\n"
    stack.decide(appeal, "block", who="senior")


def test_what_was_allowed_cannot_be_contested(stack: Stack, key: str) -> None:
    first = create(stack, key)
    stack.decide(first, "allow")
    refused = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_appealable")


def test_many_who_contest_at_once_make_one_appeal_and_the_others_are_told_so(stack: Stack, key: str) -> None:
    first = create(stack, key)
    stack.decide(first, "block")
    with ThreadPoolExecutor(8) as people:
        path = f"/v1/escalations/{first}/appeal"
        answers = list(people.map(lambda _: post(stack, path, key, {"reason": WHY}), range(8)))
    appeal = stack.escalation(first)["appealed_as"]
    assert {answer.status_code for answer in answers} <= {201, 409}, [answer.text for answer in answers]
    told = [answer.json() for answer in answers]
    assert {one.get("appeal") or one["escalation_id"] for one in told} == {appeal}
    assert 201 in [answer.status_code for answer in answers]
    assert stack.escalation(appeal)["status"] == "open"


def test_an_appeal_that_never_came_to_be_is_made_anew(stack: Stack, key: str) -> None:
    first = create(stack, key)
    stack.decide(first, "block")
    lost = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY}).json()["escalation_id"]
    # As the sweep leaves it when Temporal never heard of it.
    with closing(sqlite3.connect(stack.data_dir / "keeptrusts.db", timeout=30)) as connection, connection:
        connection.execute("UPDATE holds SET state = 'withdrawn' WHERE escalation_id = ?", (lost,))
    made = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY})
    assert made.status_code == 201, made.text
    assert made.json()["escalation_id"] == stack.escalation(first)["appealed_as"] != lost
    again = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY})
    assert (again.status_code, again.json()["appeal"]) == (409, made.json()["escalation_id"])


@pytest.mark.parametrize("strategy", ["round_robin", "least_loaded", "sticky"])
def test_an_appeal_is_given_out_to_nobody_whatever_the_strategy(stack: Stack, key: str, strategy: str) -> None:
    name = f"appealed-{strategy.replace('_', '-')}"
    admin = stack.api("admin")
    assert admin.post("/v1/teams", json={"team_id": name}).status_code == 201
    assert admin.post("/v1/users", json={"login": f"{name}-1", "teams": [name]}).status_code == 201
    rules = [
        {"name": "first", "match": {"severity": ["high", "medium"]}, "route_to": f"team:{name}"},
        {"name": "then", "match": {"any": True}, "route_to": f"user:{name}-1"},
    ]
    first = create(stack, key)
    stack.decide(first, "block", who="senior")
    parts = {"teams": {name: {"strategy": strategy}}}
    with stack.settings(
        sla={"high": "2s", "expire_after": "1h"}, escalation_routing={"rules": rules}, assignment=parts
    ):
        appeal = post(stack, f"/v1/escalations/{first}/appeal", key, {"reason": WHY}).json()["escalation_id"]
        given = stack.create(severity="high")["escalation_id"]
        wait_for(lambda: "assigned" in stack.events(given), "a plain case to be given out")
        wait_for(lambda: "unrouted" in stack.events(appeal), "the appeal to pass over who may not decide it")
    assert "assigned" not in stack.events(appeal)
    refused = stack.act(appeal, "assign", {"assignee": f"{name}-1"}, who="admin")
    assert (refused.status_code, refused.json()["field"]) == (422, "assignee")
    stack.decide(appeal, "block", who="admin")
