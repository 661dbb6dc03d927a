"""Nobody has a part in the review of what they asked for: every operation, by every surface, whatever their role and
however the request is theirs; each attempt is on the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.requesters import CASE, ROLES, Asked, Requester, having_asked
from tests.support.stack import Stack

REFUSED = 1

OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "claim": ("claim", {}),
    "unclaim": ("unclaim", {}),
    "extend": ("extend", {}),
    "heartbeat": ("heartbeat", {}),
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
    "heartbeat": "extend",
}
"""What the ledger calls an operation, where that is another word."""
KT = {
    "claim": "claim",
    "unclaim": "unclaim",
    "extend": "extend",
    "allow": "resolve --resolution allow",
    "block": "resolve --resolution block",
    "redact": "resolve --resolution redact_and_allow --redact 0:3",
    "approve": "approve --proposal 3",
    "object": "object --note Mine.",
    "undo": "undo",
    "escalate": "escalate --to team:compliance",
    "assign": "assign --assignee reviewer2",
    "assign to oneself": "assign --assignee ONESELF",
    "help": "ask-for-help --ask reviewer2 --note Mine?",
    "wait": "wait-for --reason Asked.",
    "resume": "resume",
    "severity": "severity --severity low",
}
"""The same by `kt escalation`."""
NOT_A_REVIEWER_S = {"withdraw", "comment", "appeal", "recompute", "reveal"}
"""What is the consumer's, an admin's report, or a right of its own."""


@pytest.fixture(scope="module", params=ROLES)
def asked(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Asked]:
    with having_asked(stack, request.param) as made:
        yield made


def by_http(requester: Requester, held: str, operation: str) -> httpx.Response:
    verb, body = OPERATIONS[operation]
    body = {**body, "assignee": requester.login} if operation == "assign to oneself" else body
    return requester.client.post(f"/v1/escalations/{held}/{verb}", json=body)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_over_http_it_is_refused_and_recorded(stack: Stack, asked: Asked, operation: str) -> None:
    for held in asked.cases:
        with asked.requester.on_the_record(stack, held, written(operation)):
            refused = by_http(asked.requester, held, operation)
        assert (refused.status_code, refused.json()["code"]) == (403, asked.requester.code), refused.text
        assert stack.escalation(held)["proposal"]["number"] == 3


@pytest.mark.parametrize("operation", KT)
def test_by_kt_it_is_refused_and_recorded(stack: Stack, asked: Asked, operation: str) -> None:
    for held in asked.cases:
        command, *options = (word.replace("ONESELF", asked.requester.login) for word in KT[operation].split())
        with asked.requester.on_the_record(stack, held, written(operation)):
            told = stack.kt("escalation", command, held, *options, token=asked.requester.token, code=REFUSED)
        assert asked.requester.told in told
        assert stack.escalation(held)["proposal"]["number"] == 3


@pytest.mark.parametrize("assigner", ["senior", "admin"])
def test_nobody_else_gives_it_to_them_and_the_attempt_is_on_the_record(
    stack: Stack, asked: Asked, assigner: str
) -> None:
    requester = asked.requester
    for held in asked.cases:
        if "auditor" in requester.login:
            # Whoever may not review is given nothing, theirs or not.
            assert stack.act(held, "assign", {"assignee": requester.login}, who=assigner).status_code == 422
            continue
        with requester.on_the_record(stack, held, "assign", assigner, "conflict_of_interest"):
            refused = stack.act(held, "assign", {"assignee": requester.login}, who=assigner)
        assert (refused.status_code, refused.json()["code"]) == (403, "conflict_of_interest"), refused.text
        with requester.on_the_record(stack, held, "assign", assigner, "conflict_of_interest"):
            stack.kt("escalation", "assign", held, "--assignee", requester.login, who=assigner, code=REFUSED)
        assert stack.escalation(held)["assignee"] is None


def in_bulk(requester: Requester, held: str, resolution: str = "block") -> httpx.Response:
    items = [{"escalation_id": held, "note": "It is mine."}]
    return requester.client.post("/v1/escalations/bulk", json={"resolution": resolution, "items": items})


def allowed_in_bulk(requester: Requester, held: str) -> httpx.Response:
    return in_bulk(requester, held, "allow")


def by_the_page(requester: Requester, held: str) -> httpx.Response:
    """What a link in a mail leads to."""
    base = str(requester.client.base_url)
    with httpx.Client(base_url=base, timeout=30, trust_env=False) as browser:
        assert browser.post("/sign-in", data={"token": requester.token, "next": "/"}).status_code == 303
        return browser.post(f"/escalations/{held}/claim", headers={"sec-fetch-site": "same-origin"})


@pytest.mark.parametrize(
    "surface",
    [in_bulk, allowed_in_bulk, by_the_page],
    ids=["blocked in bulk", "allowed in bulk", "by the page behind a link"],
)
def test_by_other_surfaces_it_is_too(
    stack: Stack, asked: Asked, surface: Callable[[Requester, str], httpx.Response]
) -> None:
    for held in asked.cases:
        # In bulk, too, a case that nobody has is claimed first.
        with asked.requester.on_the_record(stack, held, "claim"):
            refused = surface(asked.requester, held)
        assert refused.status_code in (403, 409), refused.text
        assert asked.requester.told in refused.text
        assert stack.escalation(held)["assignee"] is None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_key_of_an_application_has_no_part_in_the_review_either(stack: Stack, asked: Asked, operation: str) -> None:
    held, login = asked.cases[0], asked.requester.login
    verb, body = OPERATIONS[operation]
    body = {**body, "assignee": login} if operation == "assign to oneself" else body
    with asked.requester.on_the_record(stack, held, written(operation), f"{login}-app", "conflict_of_interest"):
        refused = asked.requester.app.post(f"/v1/escalations/{held}/{verb}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "conflict_of_interest"), refused.text
    assert stack.escalation(held)["proposal"]["number"] == 3


def test_to_the_key_of_an_application_the_cases_of_others_are_not_there(stack: Stack, asked: Asked) -> None:
    held = stack.create()["escalation_id"]
    for verb in ("claim", "undo", "heartbeat"):
        assert asked.requester.app.post(f"/v1/escalations/{held}/{verb}", json={}).status_code == 404
    items = [{"escalation_id": held, "note": "It is mine."}]
    bulk = asked.requester.app.post("/v1/escalations/bulk", json={"resolution": "allow", "items": items})
    assert bulk.status_code in (403, 404)


@pytest.mark.parametrize("resolution", ["allow", "block"])
def test_by_kt_in_bulk_it_is_refused_and_recorded(stack: Stack, asked: Asked, resolution: str) -> None:
    for held in asked.cases:
        options = ("--resolution", resolution, "--item", f"{held}=It is mine.")
        with asked.requester.on_the_record(stack, held, "claim"):
            told = stack.kt("escalation", "bulk", *options, token=asked.requester.token, code=REFUSED)
        assert asked.requester.told in told
        assert stack.escalation(held)["assignee"] is None


def test_by_kt_the_next_case_is_never_one_s_own(stack: Stack, asked: Asked) -> None:
    told = stack.kt("escalation", "next", "--claim", "--json", token=asked.requester.token, code=None)
    assert not any(told.startswith(f'{{\n  "escalation_id": "{held}"') for held in asked.cases)
    assert {stack.escalation(held)["assignee"] for held in asked.cases} == {None}


def test_the_next_case_is_never_one_s_own(asked: Asked) -> None:
    for _ in range(3):
        answer = asked.requester.client.post("/v1/escalations/next", json={})
        assert answer.json().get("escalation_id") not in asked.cases


def test_no_operation_is_left_out(stack: Stack) -> None:
    paths = stack.api().get("/openapi.json").json()["paths"]
    prefix = "/v1/escalations/{escalation_id}/"
    verbs = {path.removeprefix(prefix) for path, kinds in paths.items() if path.startswith(prefix) and "post" in kinds}
    assert verbs - NOT_A_REVIEWER_S == {verb for verb, _ in OPERATIONS.values()}
    assert KT.keys() == OPERATIONS.keys() - {"heartbeat"}, "kt sends that by itself, for what it has claimed"


def written(operation: str) -> str:
    """What the ledger calls it."""
    verb = OPERATIONS[operation][0]
    return WRITTEN.get(verb, verb)


def test_an_owner_may_be_given_by_address_and_is_kept_apart_all_the_same(stack: Stack) -> None:
    admin, login = stack.api("admin"), "owns-by-address"
    person = {"login": login, "email": f"{login}@example.com", "roles": ["senior"], "teams": ["default-reviewers"]}
    assert admin.post("/v1/users", json=person).status_code == 201
    made = admin.post("/v1/consumers", json={"consumer_id": f"{login}-app", "owner": f"{login}@Example.com"})
    assert (made.status_code, made.json()["owner"]) == (201, login)
    key, token = (
        admin.post("/v1/tokens", json=who).json()["token"]
        for who in ({"consumer_id": f"{login}-app"}, {"login": login})
    )
    held = post(stack, key, "", CASE)
    assert held.status_code == 201, held.text
    for operation, body in (("claim", {}), ("resolve", {"resolution": "allow"})):
        refused = post(stack, token, f"/{held.json()['escalation_id']}/{operation}", body)
        assert (refused.status_code, refused.json()["code"]) == (403, "conflict_of_interest"), refused.text


def test_an_owner_nobody_knows_is_refused(stack: Stack) -> None:
    admin = stack.api("admin")
    refused = admin.post("/v1/consumers", json={"consumer_id": "nobody-s-app", "owner": "reviewer-2"})
    assert (refused.status_code, refused.json()["field"]) == (422, "owner")
    assert refused.json()["detail"] == "there is no user 'reviewer-2'; `kt user list` shows them"
    assert "nobody-s-app" not in admin.get("/v1/consumers").text


def post(stack: Stack, token: str, path: str, body: dict[str, Any]) -> httpx.Response:
    url, headers = f"{stack.info['api_url']}/v1/escalations{path}", {"authorization": f"Bearer {token}"}
    return httpx.post(url, json=body, headers=headers, timeout=30)
