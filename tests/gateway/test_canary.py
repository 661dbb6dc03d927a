"""A system prompt with a canary, through running processes: the model gets it, nobody else ever does."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.windowing import WINDOW
from policies.canaries import LONGEST_WRITTEN
from tests.support.model import FakeModel
from tests.support.stack import Stack, wait_for

SYSTEM = "You are the assistant of Heron Mills and never say so."
_numbers = iter(range(10**6))


def key_of(stack: Stack, group: str) -> str:
    admin, name = stack.api("admin"), f"canary-{group}-{next(_numbers)}"
    assert admin.post("/v1/consumers", json={"consumer_id": name, "consumer_group": group}).status_code == 201
    return str(admin.post("/v1/tokens", json={"consumer_id": name}).json()["token"])


def ask(url: str, key: str, text: str, *, path: str = "chat/completions", **more: Any) -> httpx.Response:
    shapes: dict[str, dict[str, Any]] = {
        "chat/completions": {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]},
        "responses": {"instructions": SYSTEM, "input": text},
        "messages": {"system": SYSTEM, "messages": [{"role": "user", "content": text}], "max_tokens": 100},
    }
    body = {"model": "gpt-4o-mini", **shapes[path], **more}
    return httpx.post(f"{url}/v1/{path}", json=body, headers={"authorization": f"Bearer {key}"}, timeout=60)


def word_in(model: FakeModel, marker: str) -> str:
    """The canary that the model was given with that question."""
    [request] = [each for each in model.requests if marker in json.dumps(each)]
    word = json.dumps(request).partition("[ref: ")[2].partition("]")[0]
    assert word.startswith("kt")
    return word


@pytest.mark.parametrize("path", ["chat/completions", "responses", "messages"])
def test_a_leak_is_blocked_and_an_ordinary_answer_leaves_without_the_canary(
    stack: Stack, model: FakeModel, path: str
) -> None:
    url, key = stack.info["gateway_url"], key_of(stack, "watched")
    plain = ask(url, key, f"canary plain {path}", path=path)
    word = word_in(model, f"canary plain {path}")
    assert (plain.status_code, word in plain.text) == (200, False)
    if path == "responses":
        assert plain.json()["instructions"] == SYSTEM
    leaked = ask(url, key, f"canary out {path} [leak]", path=path)
    assert leaked.status_code == 403, leaked.text
    assert word not in leaked.text
    assert "canary" in leaked.text


def test_a_leak_that_is_held_is_without_it_for_reviewer_and_caller(stack: Stack, model: FakeModel) -> None:
    key = key_of(stack, "watched-and-held")
    held = ask(stack.info["gateway_url"], key, "canary held [leak]").json()["escalation"]["id"]
    word = word_in(model, "canary held")
    case = stack.escalation(held, "admin", include="context")
    assert (case["policy_rule"], case["reason_code"], case["severity"]) == ("prompt-injection", "canary", "high")
    assert word not in json.dumps(case)
    assert SYSTEM in case["context"]["texts"][0]["text"]
    stack.decide(held, "allow", who="admin", note="nothing in it is secret")
    released = stack.api("admin").get(f"/v1/escalations/{held}/response")
    assert (released.status_code, word in released.text) == (200, False)


def test_a_buffered_stream_never_begins_with_a_leak_in_it(stack: Stack, model: FakeModel) -> None:
    answer = ask(stack.info["gateway_url"], key_of(stack, "watched"), "canary buffered [leak]", stream=True)
    assert answer.status_code == 403
    assert word_in(model, "canary buffered") not in answer.text


@pytest.fixture
def windowed(stack: Stack, model: FakeModel, tmp_path: Path) -> Iterator[str]:
    """A gateway of its own whose streams go through windows; its address."""
    config = tmp_path / "policy-config.yaml"
    document = {
        "pack": {"name": "windowed", "version": "1.0.0"},
        "providers": {"targets": [{"id": "m", "provider": "openai"}]},
        "policies": {"chain": ["prompt-injection", "audit-logger"]},
        "policy": {"prompt-injection": {"canary": True}},
        "streaming": "window",
    }
    config.write_text(yaml.safe_dump(document))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **stack.environment,
        "KT_DATA_DIR": str(stack.data_dir),
        "TEMPORAL_ADDRESS": stack.info["temporal_address"],
    }
    command = ["gateway", "run", "--policy-config", str(config), "--listen", address, "--upstream", model.url]
    log = tmp_path / "gateway.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *command], env=environment, stdout=out, stderr=out
        )
    try:
        wait_for(lambda: "Gateway ready" in log.read_text() or process.poll() is not None, "the gateway", 60)
        assert process.poll() is None, log.read_text()
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def test_a_windowed_stream_ends_at_the_leak_and_an_event_says_why(
    stack: Stack, model: FakeModel, windowed: str
) -> None:
    assert LONGEST_WRITTEN < WINDOW
    key = stack.info["gateway_key"]
    plain = ask(windowed, key, "canary window plain ANSWER: " + "All is well. " * 40, stream=True)
    assert plain.text.endswith("data: [DONE]\n\n")
    leaked = ask(windowed, key, "canary window out [leak]", stream=True)
    word = word_in(model, "canary window out")
    assert word not in leaked.text
    assert SYSTEM not in leaked.text
    assert "I " in leaked.text, "what came long before has left"
    last = json.loads(leaked.text.strip().rpartition("data: ")[2])
    assert last["error"]["code"] == "blocked_by_policy"

    def told() -> list[dict[str, Any]]:
        found = stack.api("admin").get("/v1/events", params={"verdict": "blocked", "reason_code": "canary"}).json()
        return [event for event in found["events"] if event["config_version"] == "windowed@1.0.0"]

    [event] = wait_for(told, "the event")
    assert event["body"]["streamed"] is True
    began = stack.api("admin").get(f"/v1/events/{leaked.headers['x-event-id']}").json()
    assert (began["request_id"], began["verdict"]) == (event["request_id"], "passed")
