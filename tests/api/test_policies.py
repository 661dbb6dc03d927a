"""Policies over HTTP: pushed, compared, promoted by one or by two, rolled back, and each of it on the record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest_asyncio
from fastapi import FastAPI

from api import policies, problems
from api.authentication import authenticate
from escalations.commands import Role
from store.tokens import Principal
from tests.support.stores import new_store

TEXT = """\
pack: {name: demo, version: 0.1.0}
providers: {targets: [{id: a, provider: openai}]}
policies: {chain: [prompt-injection, audit-logger]}
policy: {prompt-injection: {response: {action: block}}}
"""
SECOND = TEXT.replace("0.1.0", "0.2.0").replace("block", "log")


class Ledger:
    """What would have been written."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    async def append(self, draft: Any) -> None:
        self.entries.append(draft)


class Office:
    """An API with nothing but policies, and somebody who calls it."""

    def __init__(self, client: httpx.AsyncClient, ledger: Ledger) -> None:
        self.client, self.ledger = client, ledger
        self.caller = principal("ana", Role.ADMIN)

    async def push(self, text: str) -> httpx.Response:
        return await self.client.post("/v1/policies", json={"text": text})

    async def promote(self, version: int, to: str = "active") -> httpx.Response:
        return await self.client.post("/v1/policies/demo/promote", json={"version": version, "to": to})


def principal(login: str, *roles: Role) -> Principal:
    return Principal("default", "tok", "user", login, login, frozenset(roles), frozenset())


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    app, ledger = FastAPI(), Ledger()
    problems.install(app)
    app.include_router(policies.router)
    async with new_store("sqlite", tmp_path, None) as database:
        app.state.services = SimpleNamespace(database=database, ledger=ledger)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            made = Office(client, ledger)
            app.dependency_overrides[authenticate] = lambda: made.caller
            yield made


async def test_what_is_pushed_is_a_draft_under_the_name_of_its_pack_and_on_the_record(office: Office) -> None:
    pushed = (await office.push(TEXT)).json()
    assert (pushed["name"], pushed["version"], pushed["stage"], pushed["new"]) == ("demo", 1, "draft", True)
    assert (await office.push(TEXT)).json()["new"] is False
    [first, _] = office.ledger.entries
    assert (first.type, first.actor["id"], first.data["config_digest"]) == ("policy.pushed", "ana", pushed["digest"])
    read = (await office.client.get("/v1/policies/demo/versions/1")).json()
    assert read["text"] == TEXT


async def test_what_cannot_run_is_refused_with_its_place_and_its_rule(office: Office) -> None:
    for text, told in (
        (TEXT.replace("prompt-injection,", "prompt-injektion,"), "3:20: KT102"),
        ("pack: [", "KT001"),
        ("policies: {chain: [audit-logger]}", "there is no pack"),
    ):
        answer = await office.push(text)
        assert answer.status_code == 422
        assert told in answer.json()["detail"]
    await office.push(TEXT.replace("version: 0.1.0", "version: 0.1.0, enabled: false"))
    refused = await office.promote(1)
    assert (refused.status_code, "KT107" in refused.json()["detail"]) == (422, True)


async def test_a_pack_version_means_one_content(office: Office) -> None:
    await office.push(TEXT)
    answer = await office.push(TEXT.replace("block", "log"))
    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
    assert "raise pack.version" in answer.json()["detail"]


async def test_from_draft_to_shadow_to_active_and_back(office: Office) -> None:
    await office.push(TEXT)
    await office.push(SECOND)
    assert (await office.promote(1)).json()["stage"] == "active"
    assert (await office.promote(2, "shadow")).json()["stage"] == "shadow"
    listed = (await office.client.get("/v1/policies")).json()["policies"]
    assert listed == [{"name": "demo", "active": 1, "shadow": 2, "proposed": None, "proposed_by": None}]
    assert (await office.promote(1, "draft")).status_code == 422
    assert (await office.promote(2)).json()["stage"] == "active"
    back = await office.client.post("/v1/policies/demo/rollback")
    assert (back.json()["version"], back.json()["stage"]) == (1, "active")
    assert office.ledger.entries[-1].data["back_from"] == 2
    told = (await office.client.get("/v1/policies/demo")).json()
    assert [one["stage"] for one in told["moves"]] == ["active", "shadow", "active", "active"]
    difference = (await office.client.get("/v1/policies/demo/diff", params={"before": 1, "after": 2})).json()["diff"]
    assert "-pack: {name: demo, version: 0.1.0}" in difference


async def test_where_two_people_are_asked_for_one_alone_changes_nothing(office: Office) -> None:
    strict = TEXT.replace("0.1.0", "0.1.0, two_person: true")
    await office.push(strict)
    assert (await office.promote(1)).json()["stage"] == "proposed"
    alone = await office.promote(1)
    assert (alone.status_code, alone.json()["code"]) == (403, "not_allowed")
    office.caller = principal("ben", Role.ADMIN)
    assert (await office.promote(1)).json()["stage"] == "active"
    assert office.ledger.entries[-1].data["proposed_by"] == "ana"
    # A version that no longer asks for two does not get past the one that does.
    await office.push(SECOND)
    assert (await office.promote(2)).json()["stage"] == "proposed"
    office.caller = principal("ana", Role.ADMIN)
    assert (await office.promote(2)).json()["stage"] == "active"


async def test_only_admins_write_and_unknown_ones_are_not_found(office: Office) -> None:
    await office.push(TEXT)
    assert (await office.promote(9)).status_code == 404
    assert (await office.client.post("/v1/policies/demo/rollback")).status_code == 404
    assert (await office.client.get("/v1/policies/nothing")).status_code == 404
    office.caller = principal("rita", Role.REVIEWER)
    assert (await office.client.get("/v1/policies/demo")).status_code == 200
    for answer in (await office.push(SECOND), await office.promote(1)):
        assert answer.status_code == 403
