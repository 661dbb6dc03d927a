"""Nobody looks a second time at what they asked for, by any token of theirs, or had a part in the first time: every
operation of a second review, by every surface, whatever their role; each attempt is on the record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import httpx
import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from escalations.commands import Actor, Claim, Command, Resolve, Role, Unclaim
from escalations.decisions import Resolution
from tests.support.ledger import ledger_entries
from tests.support.requesters import ROLES, asking
from tests.support.stack import Stack, wait_for
from tests.support.temporal import connect_to, operators_signal, signed
from workflows.review_messages import ReviewOutcome

OPERATIONS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "read": ("", None),
    "unclaim": ("/unclaim", {}),
    "allow": ("/resolve", {"resolution": "allow"}),
    "block": ("/resolve", {"resolution": "block"}),
    "redact": ("/resolve", {"resolution": "redact_and_allow"}),
}
KT = {
    "read": ("get",),
    "unclaim": ("unclaim",),
    "allow": ("resolve", "--resolution", "allow"),
    "block": ("resolve", "--resolution", "block"),
    "redact": ("resolve", "--resolution", "redact_and_allow"),
}
COMMANDS: dict[str, Callable[[Actor], Command]] = {
    "claim": Claim,
    "unclaim": Unclaim,
    "allow": lambda actor: Resolve(actor, Resolution.ALLOW),
    "block": lambda actor: Resolve(actor, Resolution.BLOCK),
    "redact": lambda actor: Resolve(actor, Resolution.REDACT_AND_ALLOW),
}


@dataclass(frozen=True)
class Part:
    """Somebody who had a part in a case, the second review of that case, and why it is not theirs."""

    login: str
    token: str
    role: str
    held: str
    review_id: str
    code: str


@pytest.fixture(scope="module", params=ROLES)
def parts(stack: Stack, request: pytest.FixtureRequest) -> Iterator[list[Part]]:
    """Whoever asked, their application, and who handed it on, decided and confirmed, all with the same role."""
    role, rule = request.param, f"seen-twice-{request.param}"
    second = {"share": "100%", "policy_rule": [rule], "wait": "1h"}
    approvals = [{"match": {"policy_rule": rule}, "required": 2}]
    reviewers = ["senior", "reviewer", "reviewer2"]
    with asking(stack, role, "twice") as asked:
        if role != "auditor":
            reviewers = [f"{part}-{role}" for part in ("hands-on", "decides", "confirms")]
            for login in reviewers:
                stack.hire(login, "legal", "default-reviewers", roles=(role,))
        with stack.settings(decisions={"second_review": second, "approvals": approvals}):
            cases = [asked.brings(relation, policy_rule=rule, reason_code=rule) for relation in asked.relations]
            for held in cases:
                blocked_by(stack, held, *reviewers)
        found: list[Part] = []
        for held in cases:
            review_id = wait_for(lambda held=held: waiting(stack, held), "its second review")  # type: ignore[misc]
            code = "not_allowed" if role in ("admin", "auditor") else "not_independent"
            people = {asked.login: asked.token, **{login: stack.token(login) for login in reviewers if role in login}}
            found += [Part(login, token, role, held, review_id, code) for login, token in people.items()]
            key = str(asked.app.headers["authorization"]).removeprefix("Bearer ")
            found.append(Part(f"{asked.login}-app", key, "gateway", held, review_id, "not_allowed"))
        yield found
    while (taken := stack.api("senior").post("/v1/second-reviews/next")).status_code == 200:
        path = f"/v1/second-reviews/{taken.json()['review_id']}/resolve"
        assert stack.api("senior").post(path, json={"resolution": "block"}).status_code == 200


def blocked_by(stack: Stack, held: str, hands_on: str, decides: str, confirms: str) -> None:
    stack.must(held, "claim", who=hands_on)
    stack.must(held, "escalate", {"to": "team:legal"}, hands_on)
    stack.decide(held, "block", decides)
    number = stack.escalation(held)["proposal"]["number"]
    assert stack.must(held, "approve", {"proposal": number}, confirms)["status"] == "resolved"


def waiting(stack: Stack, held: str) -> str | None:
    found = stack.api("admin").get("/v1/second-reviews").json()["second_reviews"]
    return next((str(one["review_id"]) for one in found if one["escalation_id"] == held), None)


def untouched(stack: Stack, part: Part) -> bool:
    found = stack.api("admin").get("/v1/second-reviews").json()["second_reviews"]
    one = next(one for one in found if one["review_id"] == part.review_id)
    return (one["status"], one["reviewer"]) == ("open", None)


def refused(stack: Stack, part: Part, operation: str, code: str | None = None) -> int:
    """How often the ledger says so."""
    return sum(
        entry["data"]["count"]
        for entry in ledger_entries(stack.data_dir / "ledger")
        if (entry["escalation_id"], entry["outcome"]) == (part.held, "refused")
        and (entry["actor"]["id"], entry["op"]) == (part.login, f"second_review.{operation}")
        and entry["data"]["code"] == (code or part.code)
    )


def written(operation: str) -> str:
    return "resolve" if operation in ("allow", "block", "redact") else operation


def client(stack: Stack, part: Part) -> httpx.Client:
    headers = {"authorization": f"Bearer {part.token}"}
    return httpx.Client(base_url=stack.info["api_url"], headers=headers, timeout=30, trust_env=False)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_over_http_it_is_refused_and_recorded(stack: Stack, parts: list[Part], operation: str) -> None:
    path, body = OPERATIONS[operation]
    for part in parts:
        before = refused(stack, part, written(operation))
        with client(stack, part) as http:
            url = f"/v1/second-reviews/{part.review_id}{path}"
            answer = http.get(url) if body is None else http.post(url, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, part.code), answer.text
        wait_for(lambda: refused(stack, part, written(operation)) > before, "it on the record")  # noqa: B023
        assert untouched(stack, part)


@pytest.mark.parametrize("operation", KT)
def test_by_kt_it_is_refused_and_recorded(stack: Stack, parts: list[Part], operation: str) -> None:
    for part in parts:
        before = refused(stack, part, written(operation))
        command, *options = KT[operation]
        stack.kt("second-review", command, part.review_id, *options, token=part.token, code=1)
        wait_for(lambda: refused(stack, part, written(operation)) > before, "it on the record")  # noqa: B023
        assert untouched(stack, part)


def test_the_next_one_is_never_theirs(stack: Stack, parts: list[Part]) -> None:
    for part in parts:
        with client(stack, part) as http:
            assert http.post("/v1/second-reviews/next").json().get("review_id") != part.review_id
            assert part.review_id not in http.get("/v1/second-reviews").text or part.role in ("admin", "auditor")
        told = stack.kt("second-review", "next", "--json", token=part.token, code=None)
        assert part.review_id not in told
        assert untouched(stack, part)


@pytest.mark.parametrize("operation", COMMANDS)
async def test_the_workflow_itself_refuses_what_the_api_would_have_signed(
    stack: Stack, parts: list[Part], operation: str
) -> None:
    temporal = await connect_to(stack)
    for part in parts:
        if part.role == "gateway":
            continue
        for login in (part.login, part.login.upper()):
            command: Any = COMMANDS[operation](Actor(login, roles=(Role(part.role),)))
            instruction = signed(stack, part.review_id, command)
            handle = temporal.get_workflow_handle(part.review_id)
            with pytest.raises(WorkflowUpdateFailedError) as failed:
                await handle.execute_update(command.operation, instruction, result_type=ReviewOutcome)
            assert isinstance(failed.value.cause, ApplicationError)
            assert failed.value.cause.type == "not_independent"
        assert await asyncio.to_thread(untouched, stack, part)


@pytest.mark.parametrize(("operation", "sent"), list(product(COMMANDS, ["unsigned", "signed"])))
async def test_by_signal_it_is_refused_and_recorded(stack: Stack, parts: list[Part], operation: str, sent: str) -> None:
    temporal = await connect_to(stack)
    for part in parts:
        command: Any = COMMANDS[operation](Actor(part.login, roles=(Role(part.role),)))
        code = "not_allowed" if part.role == "gateway" else "not_independent"
        before = refused(stack, part, command.operation, code)
        if sent == "signed":
            handle = temporal.get_workflow_handle(part.review_id)
            await handle.signal(command.operation, signed(stack, part.review_id, command))
        else:
            operators_signal(stack, part.review_id, command.operation, json.dumps({"actor": part.login}))
        wait_for(lambda: refused(stack, part, command.operation, code) > before, "it on the record")  # noqa: B023
        assert untouched(stack, part)


def test_no_operation_is_left_out(stack: Stack) -> None:
    paths = stack.api().get("/openapi.json").json()["paths"]
    prefix = "/v1/second-reviews/{review_id}"
    assert {path.removeprefix(prefix) for path in paths if path.startswith(prefix)} == {
        path for path, _ in OPERATIONS.values()
    }
    assert KT.keys() == OPERATIONS.keys()
