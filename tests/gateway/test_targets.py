"""Several providers behind one gateway: each spoken to in its own protocol, the next one behind it when one fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.targets import Targets
from policies.config import PolicyConfig
from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack, running_stack

_numbers = iter(range(10**6))

CONFIG = """
pack: {name: many, version: 1.0.0}
providers:
  targets:
    - {id: claude, provider: anthropic, model: claude-x, base_url: "URL", secret_key_ref: {env: SECRET}}
    - {id: gemini, provider: gemini, model: gemini-x, base_url: "URL", secret_key_ref: {env: SECRET}}
    - id: azure
      provider: azure
      base_url: "URL/openai"
      secret_key_ref: {env: SECRET}
      models: [{model: alias-x, upstream_model: deployment-x}]
    - {id: gone, model: shared-x, base_url: "GONE"}
    - {id: failing, model: shared-x, base_url: "FAILING"}
    - {id: chat-only, provider: vllm, model: shared-x, base_url: "URL"}
policies: {chain: [prompt-injection, pii-detector, human-oversight, audit-logger]}
policy:
  human-oversight: {require_human_for: [legal_opinions], hold: {grace: 60s, keepalive: 1s}}
consumer_groups: {bare: {chain: [audit-logger]}}
"""


@pytest.fixture(scope="module")
def failing() -> Iterator[FakeModel]:
    """A model that answers 500 to everything."""

    class Failing(FakeModel):
        fails = True

    with Failing().running() as running:
        yield running


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, model: FakeModel, failing: FakeModel) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("many")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{probe.getsockname()[1]}"
        config = directory / "policy-config.yaml"
        config.write_text(CONFIG.replace("URL", model.url).replace("GONE", gone).replace("FAILING", failing.url))
        with running_stack(directory, "--policy-config", str(config), environment={"SECRET": "s3cret"}) as running:
            yield running


def said(stack: Stack, model: str, text: str) -> Any:
    return stack.openai().chat.completions.create(model=model, messages=[{"role": "user", "content": text}])


@pytest.mark.parametrize("name", ["claude-x", "gemini-x", "alias-x", "shared-x"])
def test_a_chat_client_is_answered_by_every_provider(many: Stack, name: str) -> None:
    answer = said(many, name, "What is the capital of France?")
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Paris.", "stop")
    assert answer.usage.total_tokens == 12


def test_each_provider_gets_the_secret_in_its_own_header_and_never_the_callers_key(
    many: Stack, model: FakeModel
) -> None:
    for name, header, value in (
        ("claude-x", "x-api-key", "s3cret"),
        ("gemini-x", "x-goog-api-key", "s3cret"),
        ("alias-x", "api-key", "s3cret"),
    ):
        marker = f"secret-{next(_numbers)}"
        said(many, name, marker)
        [sent] = [request for request in model.requests if marker in str(request)]
        headers = {key.lower(): told for key, told in sent["_headers"].items()}
        assert headers[header] == value
        assert many.info["gateway_key"] not in str(headers)


def test_an_alias_is_sent_under_the_models_own_name(many: Stack, model: FakeModel) -> None:
    marker = f"alias-{next(_numbers)}"
    said(many, "alias-x", marker)
    assert [r["model"] for r in model.requests if marker in str(r)] == ["deployment-x"]


def test_what_cannot_be_reached_or_fails_gives_way_to_the_next_target(
    many: Stack, model: FakeModel, failing: FakeModel
) -> None:
    marker = f"fallback-{next(_numbers)}"
    said(many, "shared-x", marker)
    assert (failing.asked(marker), model.asked(marker)) == (1, 1)


@pytest.fixture(scope="module")
def bare_key(many: Stack) -> str:
    """Of a consumer whose chain only records."""
    admin = many.api("admin")
    admin.post("/v1/consumers", json={"consumer_id": "bare", "consumer_group": "bare"})
    return str(admin.post("/v1/tokens", json={"consumer_id": "bare"}).json()["token"])


@pytest.mark.parametrize("name", ["claude-x", "gemini-x"])
def test_a_stream_of_another_provider_comes_as_it_is_made(many: Stack, bare_key: str, name: str) -> None:
    client = openai.OpenAI(base_url=many.info["gateway_url"] + "/v1", api_key=bare_key)
    asked: Any = [{"role": "user", "content": "What is the capital of France?"}]
    options: Any = {"include_usage": True}
    with (
        client,
        client.chat.completions.create(model=name, messages=asked, stream=True, stream_options=options) as stream,
    ):
        chunks = list(stream)
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert pieces == ["Par", "is."]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12


def test_a_stream_that_passes_through_gives_way_before_its_first_piece(
    many: Stack, model: FakeModel, failing: FakeModel, bare_key: str
) -> None:
    admin, key = many.api("admin"), bare_key
    marker = f"stream-{next(_numbers)}"
    body = {"model": "shared-x", "stream": True, "messages": [{"role": "user", "content": marker}]}
    url, headers = many.info["gateway_url"] + "/v1/chat/completions", {"authorization": f"Bearer {key}"}
    answer = httpx.post(url, json=body, headers=headers, timeout=60)
    assert (answer.status_code, answer.text.rstrip().endswith("[DONE]")) == (200, True)
    assert (failing.asked(marker), model.asked(marker)) == (1, 1)
    assert answer.headers["x-ratelimit-remaining-requests"] == "41"
    assert float(answer.headers["x-gateway-overhead-ms"]) >= 0
    assert admin.get(f"/v1/events/{answer.headers['x-event-id']}").json()["target"] == "chat-only"


@pytest.mark.parametrize("name", ["claude-x", "gemini-x"])
def test_an_answer_of_another_provider_is_held_and_released_all_the_same(many: Stack, name: str) -> None:
    marker = f"held-{next(_numbers)}"
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(said, many, name, f"{marker} {LEGAL} ANSWER: You may lawfully terminate.")
        case = many.case_about(marker)
        many.decide(case["escalation_id"], "allow")
        answer = asking.result(60)
    assert answer.choices[0].message.content == "You may lawfully terminate."


@pytest.mark.parametrize("name", ["claude-x", "gemini-x", "shared-x"])
def test_the_responses_api_is_answered_by_models_that_do_not_speak_it(many: Stack, name: str) -> None:
    answer = many.openai().responses.create(model=name, input="What is the capital of France?")
    assert (answer.output_text, answer.status) == ("Paris.", "completed")


def test_what_a_provider_cannot_do_is_a_400_that_names_it(many: Stack) -> None:
    with pytest.raises(openai.BadRequestError) as told:
        many.openai().chat.completions.create(model="claude-x", messages=[{"role": "user", "content": "hi"}], n=3)
    assert (told.value.code, told.value.param) == ("unsupported_by_provider", "n")


def test_an_event_names_the_target_that_answered(many: Stack) -> None:
    answer = httpx.post(
        many.info["gateway_url"] + "/v1/chat/completions",
        json={"model": "shared-x", "messages": [{"role": "user", "content": "hello"}]},
        timeout=60,
    )
    event = many.api("admin").get(f"/v1/events/{answer.headers['x-event-id']}").json()
    assert (event["target"], event["provider"]) == ("chat-only", "vllm")
    assert float(answer.headers["x-gateway-overhead-ms"]) >= 0


def test_weights_decide_who_is_asked_first_and_nobody_is_left_out() -> None:
    targets = [
        {"id": "a", "model": "m", "weight": 1},
        {"id": "b", "model": "m", "weight": 3},
        {"id": "c", "model": "m"},
    ]
    config = PolicyConfig.model_validate({"providers": {"targets": targets}})
    drawn = [Targets.candidates(config, "m") for _ in range(4000)]
    first = [order[0].id for order in drawn]
    assert 0.65 < first.count("b") / 4000 < 0.85
    assert first.count("c") == 0
    assert {len(order) for order in drawn} == {3}


def test_a_provider_without_an_address_of_its_own_needs_one(tmp_path: Path) -> None:
    from policies.lint import lint

    file = tmp_path / "policy-config.yaml"
    file.write_text("providers: {targets: [{id: a, provider: azure, model: m}]}\n")
    [complaint] = lint(file)
    assert "set base_url" in str(complaint)
