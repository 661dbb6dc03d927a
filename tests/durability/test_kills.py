"""kill -9 of any process in the middle of a hold: nothing lost, nothing released, and the work goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack, running_stack, wait_for

_numbers = iter(range(10**6))


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory, model: FakeModel) -> Iterator[Stack]:
    """A stack whose processes may be killed."""
    with running_stack(tmp_path_factory.mktemp("mortal"), "--upstream", model.url) as running:
        yield running


def hold(stack: Stack) -> tuple[Future[Any], str, str]:
    """(the waiting client, escalation id, marker) of a fresh hold."""
    marker = f"mortal-{next(_numbers)}"
    text = f"{marker} {LEGAL} ANSWER: You may terminate."
    client = stack.openai(max_retries=8)
    asking = ThreadPoolExecutor(1).submit(
        lambda: client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}])
    )
    return asking, stack.case_about(marker)["escalation_id"], marker


def eventually(act: Callable[[], httpx.Response], what: str) -> httpx.Response:
    """Repeat while the outcome is unknown or the server is away: what a careful client does."""

    def look() -> httpx.Response | None:
        try:
            answer = act()
        except httpx.TransportError:
            return None
        return answer if answer.status_code < 500 else None

    return wait_for(look, what)


def post(
    stack: Stack, held: str, verb: str, body: dict[str, Any] | None = None, who: str = "reviewer"
) -> httpx.Response:
    headers = {"Idempotency-Key": f"{held}-{verb}"}
    return eventually(
        lambda: stack.api(who).post(f"/v1/escalations/{held}/{verb}", json=body or {}, headers=headers),
        f"{verb} to succeed",
    )


@pytest.mark.parametrize("part", ["worker", "api", "gateway", "temporal"])
def test_a_hold_survives_the_death_of_any_process(mortal: Stack, model: FakeModel, part: str) -> None:
    asking, held, marker = hold(mortal)
    before = mortal.kill(part)
    mortal.back(part, before)
    assert not asking.done(), "nothing was released by the death of a process"
    assert post(mortal, held, "claim").status_code == 200
    assert (
        post(mortal, held, "resolve", {"resolution": "allow", "note": "Approved after the outage."}).status_code == 200
    )
    answer = asking.result(60)
    assert answer.choices[0].message.content == "You may terminate."
    assert model.asked(marker) == 1, "nobody asked the model again"
    kinds = mortal.events(held)
    assert (kinds.count("claimed"), kinds.count("resolved")) == (1, 1)


def test_a_worker_that_dies_between_claim_and_resolve_forgets_nothing(mortal: Stack) -> None:
    held = mortal.create()["escalation_id"]
    mortal.must(held, "claim")
    mortal.back("worker", mortal.kill("worker"))
    other = eventually(lambda: mortal.act(held, "claim", who="reviewer2"), "an answer")
    assert (other.status_code, other.json()["assignee"]) == (409, "reviewer")
    assert post(mortal, held, "resolve", {"resolution": "block"}).status_code == 200


def test_every_acknowledged_case_is_there_after_the_server_died(mortal: Stack) -> None:
    opened = [mortal.create()["escalation_id"] for _ in range(10)]
    before = mortal.kill("temporal")
    mortal.back("temporal", before)
    for held in opened:
        assert post(mortal, held, "claim").status_code == 200


def test_a_decision_during_an_outage_of_temporal_is_unknown_and_then_true(mortal: Stack) -> None:
    held = mortal.create()["escalation_id"]
    mortal.must(held, "claim")
    pid = mortal.pid("temporal")
    os.kill(pid, signal.SIGSTOP)
    headers = {"Idempotency-Key": "during-outage"}
    path = f"/v1/escalations/{held}/resolve"
    try:
        unknown = mortal.api().post(path, json={"resolution": "allow"}, headers=headers)
        assert (unknown.status_code, unknown.json()["code"]) == (503, "outcome_unknown")
        assert unknown.headers["retry-after"]
    finally:
        os.kill(pid, signal.SIGCONT)
    done = eventually(lambda: mortal.api().post(path, json={"resolution": "allow"}, headers=headers), "the decision")
    assert (done.status_code, done.json()["resolution"]) == (200, "allow")


def test_an_appeal_during_an_outage_of_temporal_is_there_after_a_retry(mortal: Stack) -> None:
    admin = mortal.api("admin")
    assert admin.post("/v1/consumers", json={"consumer_id": "patient-appellant"}).status_code == 201
    key = admin.post("/v1/tokens", json={"consumer_id": "patient-appellant"}).json()["token"]
    ask: dict[str, Any] = {"headers": {"authorization": f"Bearer {key}"}, "timeout": 30}
    body = {"answer": "You may.", "policy_rule": "human-oversight", "reason_code": "legal_opinions"}
    url = f"{mortal.info['api_url']}/v1/escalations"
    held = httpx.post(url, json=body, **ask).json()["escalation_id"]
    mortal.decide(held, "block")
    pid = mortal.pid("temporal")
    os.kill(pid, signal.SIGSTOP)
    try:
        unknown = httpx.post(f"{url}/{held}/appeal", json={"reason": "It is public."}, **ask)
        assert (unknown.status_code, unknown.json()["code"]) == (503, "unavailable")
    finally:
        os.kill(pid, signal.SIGCONT)
    done = httpx.post(f"{url}/{held}/appeal", json={"reason": "It is public."}, **ask)
    assert (done.status_code, done.json()["appeal_of"]) == (201, held), done.text


def test_what_must_be_held_gets_an_error_while_temporal_is_frozen_and_the_rest_goes_on(mortal: Stack) -> None:
    pid = mortal.pid("temporal")
    client = mortal.openai(max_retries=0)

    def ask(text: str) -> Any:
        return client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}])

    import openai

    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(openai.InternalServerError) as failed:
            ask(f"frozen {LEGAL} ANSWER: You may terminate.")
        assert (failed.value.status_code, failed.value.code) == (503, "review_unavailable")
        assert "terminate" not in str(failed.value)
        assert ask("What is the capital of France?").choices[0].message.content == "Paris."
    finally:
        os.kill(pid, signal.SIGCONT)


def test_everything_is_there_after_a_restart_of_everything(tmp_path: Path, model: FakeModel) -> None:
    with running_stack(tmp_path, "--upstream", model.url) as first:
        opened, claimed = (first.create()["escalation_id"] for _ in range(2))
        first.must(claimed, "claim")
        tokens = first.info["tokens"]
        pids = list(first.info["pids"].values())
        first.process.kill()
        first.process.wait()
        wait_for(lambda: not any(alive(pid) for pid in pids), "the children to end with their parent")
    with running_stack(tmp_path, "--upstream", model.url) as second:
        assert second.info["tokens"] == tokens
        assert second.escalation(opened)["status"] == "open"
        assert (second.escalation(claimed)["status"], second.escalation(claimed)["assignee"]) == ("claimed", "reviewer")
        assert post(second, claimed, "resolve", {"resolution": "block"}).status_code == 200


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
