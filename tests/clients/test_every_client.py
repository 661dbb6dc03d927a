"""Every cell of the table in docs/gateway.md: each stock client, against each way an answer can go.

No client crashes, none repeats what was decided, and none is told a word that was not approved.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.clients.conftest import CLIENTS, Client
from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack

_numbers = iter(range(10**6))
STOPS = {"stop", "completed", "end_turn"}
WITHHELD = {"content_filter", "incomplete", "refusal"}
HELD = "Jane Roe, in our opinion you may lawfully terminate."


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    return str(stack.info["gateway_key"])


@pytest.fixture(scope="module")
def deferred_key(stack: Stack) -> str:
    """The key of a consumer whose group does not wait."""
    admin = stack.api("admin")
    assert admin.post("/v1/consumers", json={"consumer_id": "batch"}).status_code in (201, 409)
    assert admin.put("/v1/consumers/batch/group", json={"consumer_group": "deferred"}).status_code == 200
    return str(admin.post("/v1/tokens", json={"consumer_id": "batch"}).json()["token"])


def asked(client: Client, stack: Stack, stream: bool, decide: Callable[[str], Any]) -> tuple[dict[str, Any], str]:
    """(what the application is told, the request's marker) of an answer that is held and then decided."""
    marker = f"every-{next(_numbers)}-{client.name.replace(' ', '-')}"
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.ask, f"{marker} {LEGAL} ANSWER: {HELD}", stream=stream)
        decide(stack.case_about(marker)["escalation_id"])
        return asking.result(60), marker


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
every_client = pytest.mark.parametrize("name", CLIENTS)


@both
@every_client
def test_a_harmless_answer_passes(client_of: Any, stack: Stack, key: str, name: str, stream: bool) -> None:
    told = client_of(name, key).ask(f"every-{next(_numbers)} What is the capital of France?", stream=stream)
    assert told.get("error") is None
    assert (told["text"].strip(), told["stopped"] in STOPS) == ("Paris.", True)


@both
@every_client
def test_an_allowed_answer_is_the_answer(
    client_of: Any, stack: Stack, model: FakeModel, key: str, name: str, stream: bool
) -> None:
    told, marker = asked(client_of(name, key), stack, stream, lambda held: stack.decide(held, "allow"))
    assert (told.get("error"), told.get("text")) == (None, HELD)
    assert model.asked(marker) == 1


@both
@every_client
def test_a_redacted_answer_has_lost_what_was_stripped(
    client_of: Any, stack: Stack, key: str, name: str, stream: bool
) -> None:
    def strip(held: str) -> None:
        context = stack.escalation(held, include="context")["context"]
        [path] = [text["path"] for text in context["texts"] if text["text"] == HELD]
        redactions = [{"path": path, "start": 0, "end": 8, "label": "PERSON"}]
        stack.decide(held, "redact_and_allow", redactions=redactions)

    told, _ = asked(client_of(name, key), stack, stream, strip)
    assert (told.get("error"), told.get("text")) == (None, HELD.replace("Jane Roe", "[PERSON]"))


@both
@every_client
def test_a_blocked_answer_is_one_clear_error_or_a_refusal(
    client_of: Any, stack: Stack, model: FakeModel, key: str, name: str, stream: bool
) -> None:
    told, marker = asked(client_of(name, key), stack, stream, lambda held: stack.decide(held, "block"))
    _nothing_left(told, stream, status=403, code="human_review_blocked")
    assert model.asked(marker) == 1


@both
@every_client
def test_an_expired_answer_is_one_clear_error_or_a_refusal(
    client_of: Any, stack: Stack, model: FakeModel, key: str, name: str, stream: bool
) -> None:
    with stack.settings(sla={"high": "1s", "expire_after": "1s"}):
        marker = f"every-{next(_numbers)}-{name.replace(' ', '-')}"
        told = client_of(name, key).ask(f"{marker} {LEGAL} ANSWER: {HELD}", stream=stream)
    _nothing_left(told, stream, status=410, code="escalation_expired")
    assert model.asked(marker) == 1


@both
@every_client
def test_a_deferred_answer_says_so_at_once(
    client_of: Any, stack: Stack, model: FakeModel, deferred_key: str, name: str, stream: bool
) -> None:
    marker = f"every-{next(_numbers)}-{name.replace(' ', '-')}"
    told = client_of(name, deferred_key).ask(f"{marker} {LEGAL} ANSWER: {HELD}", stream=stream)
    assert told.get("error") is None
    assert "terminate" not in str(told)
    assert told["stopped"] in WITHHELD
    stack.act(stack.case_about(marker)["escalation_id"], "withdraw", who="admin")
    assert model.asked(marker) == 1


def _nothing_left(told: dict[str, Any], stream: bool, *, status: int, code: str) -> None:
    """A whole answer that was withheld in time is an exception with a status; a stream ends with a refusal."""
    assert "terminate" not in str(told)
    if stream:
        assert told.get("error") is None
        assert told["stopped"] in WITHHELD
    else:
        assert (told["error"]["status"], told["error"]["code"]) == (status, code)
