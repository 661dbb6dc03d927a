"""Golden cases in a running product: sent by a Schedule, hidden among the others, released to nobody, counted apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.api.test_taking import desk, made
from tests.support.ledger import ledger_entries
from tests.support.stack import LEGAL, Stack, wait_for

RHYTHM = {"every": "1s"}


def keep(stack: Stack, **body: Any) -> str:
    answer = stack.api("admin").post("/v1/golden-cases", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["golden_id"])


def retire(stack: Stack, golden_id: str) -> None:
    assert stack.api("admin").delete(f"/v1/golden-cases/{golden_id}").status_code == 204


@contextmanager
def sent(stack: Stack, golden_id: str) -> Iterator[str]:
    """As which escalation it was sent; afterwards it is retired."""
    try:
        with stack.settings(golden_cases=RHYTHM):
            wait_for(lambda: sends(stack, golden_id), "the schedule to send it")
        yield wait_for(lambda: escalation_of(stack, golden_id), "its case")
    finally:
        retire(stack, golden_id)


def sends(stack: Stack, golden_id: str) -> int:
    found = stack.api("auditor").get("/v1/golden-cases").json()["golden_cases"]
    return next(int(one["sent"]) for one in found if one["golden_id"] == golden_id)


def escalation_of(stack: Stack, golden_id: str) -> str | None:
    """By the ledger, which auditors read."""
    entries = ledger_entries(stack.data_dir / "ledger")
    mine = [
        str(entry["escalation_id"])
        for entry in entries
        if entry["type"] == "golden.sent" and entry["data"]["golden_id"] == golden_id
    ]
    seen = mine and stack.api("admin").get(f"/v1/escalations/{mine[0]}").status_code == 200
    return mine[0] if seen else None


def report(stack: Stack, who: str = "auditor") -> dict[str, Any]:
    found: dict[str, Any] = stack.api(who).get("/v1/golden-cases/report").json()
    return found


def held_by_gateway(stack: Stack, marker: str) -> str:
    """A case of the gateway's own consumer, whose caller does not wait."""
    asked = {"model": "gpt-4o-mini", "input": f"{LEGAL} {marker}", "background": True}
    answer = stack.gateway().post("/v1/responses", json=asked)
    assert answer.status_code in (200, 202), answer.text
    return str(stack.case_about(marker)["escalation_id"])


def test_it_is_sent_by_the_schedule_and_looks_like_any_other(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        real = made(stack, kind, answer="Terminate at once.", request={"prompt": "may we?"}, consumer="shop")
        before = stack.escalation(real, ana, include="context")
        stack.decide(real, "block", ana)
        golden = keep(stack, **{"from": real}, resolution="block", category="true_positive")
        with sent(stack, golden) as held:
            shown = stack.escalation(held, ana, include="context")
            seen = [stack.api(ana).get(f"/v1/escalations/{held}{path}").text for path in ("", "/explain", "/history")]
            seen += [stack.api(ana).get(f"/v1/events/{shown['event_id']}").text]
            assert "gold" not in "".join([json.dumps(shown), *seen])
            assert shown.keys() == before.keys()
            assert shown["context"].keys() == before["context"].keys()
            for name in ("policy_rule", "reason_code", "severity", "consumer", "gateway", "model", "config_version"):
                assert shown[name] == before[name], name
            assert shown["context"]["texts"] == before["context"]["texts"]
            assert shown["context"]["held_answer"]["id"] != before["context"]["held_answer"]["id"]
            assert stack.api(ana).post("/v1/escalations/next", json={}).json()["escalation_id"] == held


def test_nothing_of_it_is_released_to_the_consumer_that_it_looks_like(stack: Stack) -> None:
    marker = f"golden {uuid4().hex[:8]}"
    real = held_by_gateway(stack, marker)
    consumer = stack.escalation(real)["consumer"]
    stack.decide(real, "block")
    golden = keep(stack, **{"from": real}, resolution="block")
    for word in ("allow", "block"):
        if word == "block":
            golden = keep(stack, **{"from": real}, resolution="block")
        with sent(stack, golden) as held:
            assert stack.escalation(held)["consumer"] == consumer
            stack.decide(held, word, "reviewer2")
            for path in ("/response", "/response?content=false"):
                assert stack.gateway().get(f"/v1/escalations/{held}{path}").status_code == 404
                theirs = stack.api("admin").get(
                    f"/v1/escalations/{held}{path}", headers={"authorization": f"Bearer {stack.info['gateway_key']}"}
                )
                assert theirs.status_code == 404, theirs.text
            contested = stack.api("admin").post(
                f"/v1/escalations/{held}/appeal",
                json={"reason": "It is mine."},
                headers={"authorization": f"Bearer {stack.info['gateway_key']}"},
            )
            assert contested.status_code == 404
            mine = stack.act(held, "appeal", {"reason": "I made it."}, "admin")
            assert (mine.status_code, mine.json()["code"]) == (409, "not_appealable")


def test_its_decision_is_told_to_admins_and_auditors_and_counted_nowhere_else(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        team = kind["policy_rule"].removesuffix("-rule")
        real = made(stack, kind)
        stack.decide(real, "block", ana)
        golden = keep(stack, **{"from": real}, resolution="block")
        second = {"share": "100%", "policy_rule": [kind["policy_rule"]], "wait": "1h"}
        with stack.settings(decisions={"second_review": second}), sent(stack, golden) as held:
            event = stack.escalation(held)["event_id"]
            stack.decide(held, "allow", ana)
        found = report(stack)
        mine = next(one for one in found["results"] if one["golden_id"] == golden)
        assert (mine["escalation_id"], mine["reviewer"], mine["right"], mine["let_through"]) == (held, ana, False, True)
        assert found["by_reviewer"][ana] == {"count": 1, "right": 0, "let_through": 1, "rate": 0.0}
        assert found["by_policy"][kind["policy_rule"]]["count"] == 1
        counted = stack.api("admin").get("/v1/sla/report").json()["by_team"][team]
        assert (counted["met"], counted["breached"], counted["time_to_resolve"]["count"]) == (1, 0, 1)
        stack.hire(f"{ana}-second", team)
        review = wait_for(lambda: _taken(stack, f"{ana}-second"), "its second review")
        done = stack.api(f"{ana}-second").post(f"/v1/second-reviews/{review}/resolve", json={"resolution": "block"})
        assert done.json()["escalation_id"] == held
        assert kind["policy_rule"] not in stack.api("admin").get("/v1/second-reviews/report").json()["by_policy"]
        listed = {
            who: {one["event_id"] for one in stack.api(who).get("/v1/events", params=query).json()["events"]}
            for who, query in ((ana, {"policy": kind["policy_rule"]}), ("admin", {"policy": kind["policy_rule"]}))
        }
        assert event in listed[ana]
        assert event not in listed["admin"]
        blind = stack.api(ana).get("/v1/sla/report").json()["by_team"][team]
        queue = stack.api(ana).get("/v1/escalations", params={"policy": kind["policy_rule"]}).json()["escalations"]
        assert blind["met"] == len(queue) == 2, "who is not to know finds none missing"
        stack.hire(f"{ana}-lead", team, roles=("senior",))
        agreed = stack.api(f"{ana}-lead").get("/v1/second-reviews/report").json()["by_policy"]
        assert agreed[kind["policy_rule"]]["count"] == 1
        assert stack.escalation(real)["event_id"] in listed["admin"]


def _taken(stack: Stack, who: str) -> str | None:
    answer = stack.api(who).post("/v1/second-reviews/next")
    return str(answer.json()["review_id"]) if answer.status_code == 200 else None


def test_what_somebody_decides_who_may_look_it_up_does_not_count(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        team = kind["policy_rule"].removesuffix("-rule")
        stack.hire(f"{ana}-lead", team, roles=("admin",))
        golden = keep(stack, resolution="block", answer="Yes.", reason_code="x", policy_rule=kind["policy_rule"])
        with sent(stack, golden) as held:
            own = stack.act(held, "claim", who="admin")
            assert (own.status_code, own.json()["code"]) == (403, "conflict_of_interest")
            stack.decide(held, "allow", f"{ana}-lead")
        found = next(one for one in report(stack)["results"] if one["escalation_id"] == held)
        assert (found["blind"], found["right"], found["let_through"]) == (False, None, False)


def test_reviewers_learn_nothing_of_them_and_auditors_change_nothing(stack: Stack) -> None:
    for who in ("reviewer", "senior"):
        for path in ("", "/report"):
            assert stack.api(who).get(f"/v1/golden-cases{path}").status_code == 403
    for who in ("reviewer", "senior", "auditor"):
        assert stack.api(who).post("/v1/golden-cases", json={}).status_code in (403, 422)
        assert stack.api(who).delete("/v1/golden-cases/gold_1").status_code == 403
    assert stack.api("auditor").get("/v1/golden-cases").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"resolution": "block"}, 422, "give the case to copy"),
        ({"resolution": "maybe", "from": "esc_1"}, 422, "maybe"),
        ({"resolution": "block", "from": "esc_none"}, 404, "esc_none"),
        ({"resolution": "block", "from": "esc_1", "answer": "x"}, 422, "leave it out"),
        ({"resolution": "block", "category": "odd", "answer": "x", "policy_rule": "p", "reason_code": "r"}, 422, "odd"),
    ],
    ids=["nothing", "resolution", "unknown", "both", "category"],
)
def test_what_is_wrong_with_one_is_said_in_one_line(stack: Stack, body: Any, status: int, told: str) -> None:
    answer = stack.api("admin").post("/v1/golden-cases", json=body)
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text


def test_a_case_that_is_still_open_cannot_be_copied(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    answer = stack.api("admin").post("/v1/golden-cases", json={"from": held, "resolution": "block"})
    assert (answer.status_code, answer.json()["field"]) == (422, "from")


def test_the_schedule_is_there_as_long_as_the_settings_want_it(stack: Stack) -> None:
    def every() -> float | None:
        async def look() -> float | None:
            client = await Client.connect(stack.info["temporal_address"])
            try:
                found = await client.get_schedule_handle("golden-cases-default").describe()
            except RPCError as fault:
                if fault.status is RPCStatusCode.NOT_FOUND:
                    return None
                raise
            return found.schedule.spec.intervals[0].every.total_seconds()

        return asyncio.run(look())

    with stack.settings(golden_cases={"every": "7h"}):
        wait_for(lambda: every() == 7 * 3600, "the schedule")
        with stack.settings(golden_cases={"every": "9h"}):
            wait_for(lambda: every() == 9 * 3600, "its new rhythm")
    wait_for(lambda: every() is None, "its end")


def test_kt_keeps_lists_reports_and_retires_and_content_is_sealed(stack: Stack) -> None:
    canary = f"zebra-{uuid4().hex}"
    made_of = {"answer": canary, "request": {"prompt": canary}, "policy_rule": "golden-kt", "reason_code": "legal"}
    asked = ("golden", "add", "--resolution", "blocked", "--file", "-")
    told = stack.kt(*asked, who="admin", stdin=json.dumps(made_of))
    golden = told.split()[3].removesuffix(":")
    assert told == f"kept golden case {golden}: block is right\n"
    assert f"{golden}\tgolden-kt\tmedium\tblock\t0\t-\tkept" in stack.kt("golden", "list", who="auditor")
    files = [path for path in stack.data_dir.rglob("*") if path.is_file()]
    assert [path for path in files if canary.encode() in path.read_bytes()] == []
    assert stack.kt("golden", "retire", golden, who="admin") == f"retired golden case {golden}\n"
    assert f"{golden}\tgolden-kt\tmedium\tblock\t0\t-\tretired" in stack.kt("golden", "list", who="auditor")
    assert "WHICH\tDECIDED\tRIGHT" in stack.kt("golden", "report", who="auditor")
    assert stack.kt("golden", "retire", "gold_none", who="admin", code=5)
    assert "--from" in stack.kt("golden", "add", "--resolution", "block", who="admin", code=2)
