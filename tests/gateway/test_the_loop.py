"""The loop of a policy on running processes: decided, suggested, tried, promoted, followed, looked at again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.gateways import following_gateway
from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack, running_stack, wait_for

NAME = "the-loop"
DECISIONS = 200


def config(version: str, **policy: Any) -> dict[str, Any]:
    return {
        "pack": {"name": NAME, "version": version},
        "providers": {"targets": [{"id": "m", "provider": "openai"}]},
        "policies": {"chain": ["human-oversight", "audit-logger"]},
        "policy": {
            "human-oversight": {"require_human_for": ["legal_opinions"], "hold": {"mode": "deferred"}, **policy}
        },
    }


def kt(stack: Stack, *arguments: str) -> Any:
    environment = {
        **stack.environment,
        "KT_API_URL": stack.info["api_url"],
        "KEEPTRUSTS_API_TOKEN": stack.token("admin"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "policy", *arguments, "--json"],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def alone(tmp_path: Path, model: FakeModel) -> Iterator[Stack]:
    """A stack where nobody else decides: suggestions go by all decisions of a time."""
    with running_stack(tmp_path / "stack", "--upstream", model.url) as running:
        yield running


def test_two_hundred_decisions_lead_to_a_version_that_acts_without_a_restart(
    alone: Stack, model: FakeModel, tmp_path: Path
) -> None:
    stack = alone
    file, log = tmp_path / "policy-config.yaml", tmp_path / "gateway.log"
    file.write_text(yaml.safe_dump(config("1.0.0")))
    assert kt(stack, "push", "--file", str(file))["version"] == 1
    assert kt(stack, "promote", NAME, "1")["stage"] == "active"
    with following_gateway(stack, NAME, model.url, log) as url:

        def ask(text: str) -> httpx.Response:
            body = {"model": "m", "messages": [{"role": "user", "content": text}]}
            headers = {"authorization": f"Bearer {stack.info['gateway_key']}"}
            return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60)

        def overruled(number: int) -> None:
            held = ask(f"{LEGAL} ({NAME} {number}) ANSWER:You may terminate.").headers["x-escalation-id"]
            stack.decide(held, "allow", category="false_positive", note="advisory training content, allowed")

        stack.api()  # made once, before there are several who want it
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(overruled, range(DECISIONS)))
        look = ("suggest", "--file", str(file), "--since", "1h")
        [one] = wait_for(lambda: kt(stack, *look)["suggestions"], "the events to be in the list")
        assert f"{DECISIONS} of {DECISIONS} decided cases" in one["because"]
        assert one["change"] == {"policy": {"human-oversight": {"actions": {"legal_opinions": "log"}}}}
        assert one["backtest"]["missed_blocks"] == []
        file.write_text(yaml.safe_dump(config("1.1.0", actions={"legal_opinions": "log"})))
        played = kt(stack, "backtest", str(file), "--since", "1h", "--fail-if-missed-blocks", "0")
        assert played["escalations"]["after"] < played["escalations"]["before"]
        assert kt(stack, "push", "--file", str(file))["version"] == 2
        assert kt(stack, "promote", NAME, "2")["stage"] == "active"
        wait_for(lambda: "version 2" in log.read_text(), "the gateway to follow")
        answered = ask(f"{LEGAL} ({NAME} again) ANSWER:You may terminate.")
        assert (answered.status_code, answered.headers["x-policy-verdict"]) == (200, "passed")
        event = stack.api("admin").get(f"/v1/events/{answered.headers['x-event-id']}").json()
        assert (event["config_version"], event["body"]["policies"][0]["action"]) == (f"{NAME}@1.1.0", "log")
        volume = kt(stack, "recheck", NAME, "2", "--window", "1h")
        assert volume["after"]["share"] < volume["before"]["share"]
        assert kt(stack, "rollback", NAME)["version"] == 1
        wait_for(
            lambda: ask(f"{LEGAL} ({NAME} back) ANSWER:You may terminate.").headers.get("x-escalation-id"),
            "the gateway to go back",
        )
