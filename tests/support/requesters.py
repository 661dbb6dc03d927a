"""People whose own requests are held, with the roles and the teams of those who review them, and auditors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.ledger import ledger_entries
from tests.support.stack import Stack, wait_for

ROLES = ("reviewer", "senior", "admin", "auditor")
APPLICATION, THEMSELVES = "by an application of theirs", "by themselves"
CASE = {"answer": "You may terminate.", "policy_rule": "human-oversight", "reason_code": "asked_by_a_reviewer"}


@dataclass(frozen=True)
class Requester:
    """`relations`: the ways in which a case can be theirs. Only admins may bring one themselves. `code` is why they are
    refused: an auditor's role comes first."""

    login: str
    client: httpx.Client
    app: httpx.Client
    relations: tuple[str, ...]
    code: str = "conflict_of_interest"

    @property
    def told(self) -> str:
        """What every refusal says."""
        return "may not" if self.code == "not_allowed" else "made the request"

    @property
    def token(self) -> str:
        return str(self.client.headers["authorization"]).removeprefix("Bearer ")

    def brings(self, relation: str, **more: Any) -> str:
        """Another case that is theirs in that way."""
        client = self.app if relation == APPLICATION else self.client
        answer = client.post("/v1/escalations", json={**CASE, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["escalation_id"])

    def refused(self, stack: Stack, held: str, who: str = "", code: str = "") -> Counter[str]:
        """How often the ledger says that an operation of theirs, or of their application, on a case was refused."""
        found: Counter[str] = Counter()
        for entry in ledger_entries(stack.data_dir / "ledger"):
            if entry["outcome"] != "refused" or entry["data"].get("code") != (code or self.code):
                continue
            if (entry["actor"]["id"], entry["escalation_id"]) == (who or self.login, held):
                # A workflow writes refused signals down one by one; the API counts what is repeated.
                found[entry["data"].get("operation", entry["op"])] += entry["data"].get("count", 1)
        return found

    @contextmanager
    def on_the_record(self, stack: Stack, held: str, operation: str, who: str = "", code: str = "") -> Iterator[None]:
        """What is tried here is one refused operation more in the ledger; repetitions are counted a second later."""
        before = self.refused(stack, held, who, code)[operation]
        yield
        wait_for(
            lambda: self.refused(stack, held, who, code)[operation] > before, f"the refused {operation} on the record"
        )


@dataclass(frozen=True)
class Asked:
    """Somebody, and a case of theirs in each way in which one can be, with a decision proposed."""

    requester: Requester
    cases: tuple[str, ...]


@contextmanager
def having_asked(stack: Stack, role: str, name: str = "asks") -> Iterator[Asked]:
    approvals = [{"match": {"policy_rule": "asked_by_a_reviewer"}, "required": 2}]
    with asking(stack, role, name) as requester:
        with stack.settings(decisions={"approvals": approvals}):
            cases = tuple(requester.brings(relation) for relation in requester.relations)
        for held in cases:
            stack.decide(held, "block", who="reviewer")
            assert stack.escalation(held)["proposal"]["number"] == 3
        yield Asked(requester, cases)


@contextmanager
def asking(stack: Stack, role: str, name: str = "asks") -> Iterator[Requester]:
    """Somebody with that role and every team of the seeded reviewers, and an application of theirs."""
    login, admin = f"{name}-{role}", stack.api("admin")
    person = {
        "login": login,
        "email": f"{login}@example.com",
        "roles": [role],
        "teams": ["legal", "default-reviewers"],
    }
    assert admin.post("/v1/users", json=person).status_code == 201
    assert admin.post("/v1/consumers", json={"consumer_id": f"{login}-app", "owner": login}).status_code == 201

    def client(**who: str) -> httpx.Client:
        token = admin.post("/v1/tokens", json=who).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=stack.info["api_url"], headers=headers, timeout=30, trust_env=False)

    with client(login=login) as own, client(consumer_id=f"{login}-app") as app:
        relations = (APPLICATION, THEMSELVES) if role == "admin" else (APPLICATION,)
        yield Requester(login, own, app, relations, "not_allowed" if role == "auditor" else "conflict_of_interest")
