"""Nobody has a part in the review of what they asked for: every operation, by every surface, whatever their role and
however the request is theirs; each attempt is on the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.ledger import ledger_entries
from tests.support.stack import Stack

ROLES = ("reviewer", "senior", "admin")
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "claim": ("claim", {}),
    "unclaim": ("unclaim", {}),
    "extend": ("extend", {}),
    "allow": ("resolve", {"resolution": "allow"}),
    "block": ("resolve", {"resolution": "block"}),
    "redact": ("resolve", {"resolution": "redact_and_allow", "redactions": [{"start": 0, "end": 3}]}),
    "approve": ("approve", {"proposal": 3}),
    "object": ("object", {"note": "It is mine."}),
    "undo": ("undo", {}),
    "escalate": ("escalate", {"to": "team:compliance"}),
    "assign": ("assign", {"assignee": "reviewer2"}),
    "assign to oneself": ("assign", {"assignee": ""}),
    "help": ("help", {"ask": "reviewer2", "note": "Is it?"}),
    "wait": ("wait", {"reason": "They are asked."}),
    "resume": ("resume", {}),
    "severity": ("severity", {"severity": "low"}),
}
WRITTEN = {
    "escalate": "escalate_further",
    "wait": "wait_on_requester",
    "severity": "set_severity",
    "help": "ask_for_help",
}
"""What the ledger calls an operation, where that is another word."""
NOT_A_REVIEWER_S = {"withdraw", "comment", "appeal", "recompute", "reveal"}
"""What is the consumer's, an admin's report, or a right of its own."""


@dataclass(frozen=True)
class Requester:
    login: str
    client: httpx.Client
    cases: tuple[str, ...]
    """One that a consumer of theirs brought, and, where they may, one that they brought themselves."""


@pytest.fixture(scope="module", params=ROLES)
def requester(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Requester]:
    """Somebody with every team of the seeded reviewers, and cases that they asked for, with a decision proposed."""
    login, admin = f"asks-{request.param}", stack.api("admin")
    teams = ["legal", "default-reviewers"]
    assert admin.post("/v1/users", json={"login": login, "roles": [request.param], "teams": teams}).status_code == 201
    assert admin.post("/v1/consumers", json={"consumer_id": f"{login}-app", "owner": login}).status_code == 201

    def client(**who: str) -> httpx.Client:
        token = admin.post("/v1/tokens", json=who).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=stack.info["api_url"], headers=headers, timeout=30, trust_env=False)

    body = {"answer": "You may terminate.", "policy_rule": "human-oversight", "reason_code": "asked_by_a_reviewer"}
    approvals = [{"match": {"policy_rule": "asked_by_a_reviewer"}, "required": 2}]
    with (
        client(login=login) as own,
        client(consumer_id=f"{login}-app") as app,
        stack.settings(decisions={"approvals": approvals}),
    ):
        brought = [app.post("/v1/escalations", json=body)]
        if request.param == "admin":
            brought.append(own.post("/v1/escalations", json=body))
        cases = tuple(str(answer.json()["escalation_id"]) for answer in brought)
        for held in cases:
            stack.decide(held, "block", who="reviewer")
            assert stack.escalation(held)["proposal"]["number"] == 3
        yield Requester(login, own, cases)


def by_http(requester: Requester, held: str, operation: str) -> httpx.Response:
    verb, body = OPERATIONS[operation]
    body = {**body, "assignee": requester.login} if operation == "assign to oneself" else body
    return requester.client.post(f"/v1/escalations/{held}/{verb}", json=body)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_over_http_it_is_refused_and_recorded(stack: Stack, requester: Requester, operation: str) -> None:
    for held in requester.cases:
        before = recorded(stack, requester, held)
        refused = by_http(requester, held, operation)
        assert (refused.status_code, refused.json()["code"]) == (403, "conflict_of_interest"), refused.text
        verb = OPERATIONS[operation][0]
        assert (WRITTEN.get(verb, verb), held) in recorded(stack, requester, held) | before
        assert stack.escalation(held)["proposal"]["number"] == 3


def in_bulk(requester: Requester, held: str) -> httpx.Response:
    items = [{"escalation_id": held, "note": "It is mine."}]
    return requester.client.post("/v1/escalations/bulk", json={"resolution": "block", "items": items})


def by_the_page(requester: Requester, held: str) -> httpx.Response:
    """What a link in a mail leads to."""
    token = requester.client.headers["authorization"].removeprefix("Bearer ")
    base = str(requester.client.base_url)
    with httpx.Client(base_url=base, timeout=30, trust_env=False) as browser:
        assert browser.post("/sign-in", data={"token": token, "next": "/"}).status_code == 303
        return browser.post(f"/escalations/{held}/claim", headers={"sec-fetch-site": "same-origin"})


@pytest.mark.parametrize("surface", [in_bulk, by_the_page], ids=["in bulk", "by the page behind a link"])
def test_by_other_surfaces_it_is_too(
    stack: Stack, requester: Requester, surface: Callable[[Requester, str], httpx.Response]
) -> None:
    for held in requester.cases:
        refused = surface(requester, held)
        assert refused.status_code in (403, 409), refused.text
        assert "made the request" in refused.text
        assert any(case == held for _, case in recorded(stack, requester, held))
        assert stack.escalation(held)["assignee"] is None


def test_the_next_case_is_never_one_s_own(requester: Requester) -> None:
    for _ in range(3):
        answer = requester.client.post("/v1/escalations/next", json={})
        assert answer.json().get("escalation_id") not in requester.cases


def test_no_operation_is_left_out(stack: Stack) -> None:
    paths = stack.api().get("/openapi.json").json()["paths"]
    prefix = "/v1/escalations/{escalation_id}/"
    verbs = {path.removeprefix(prefix) for path, kinds in paths.items() if path.startswith(prefix) and "post" in kinds}
    assert verbs - NOT_A_REVIEWER_S == {verb for verb, _ in OPERATIONS.values()}


def recorded(stack: Stack, requester: Requester, held: str) -> set[tuple[str, str]]:
    """The refused operations of this person on a case."""
    return {
        (entry["op"], entry["escalation_id"])
        for entry in ledger_entries(stack.data_dir / "ledger")
        if entry["outcome"] == "refused"
        and entry["data"].get("code") == "conflict_of_interest"
        and (entry["actor"]["id"], entry["escalation_id"]) == (requester.login, held)
    }
