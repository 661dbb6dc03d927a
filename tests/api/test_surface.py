"""The rest of the API's surface: errors, directory, settings, events, live stream, codec, sign-in, health, OpenAPI."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payload

from tests.support.stack import Stack, wait_for
from vault.codec import EncryptionCodec
from vault.keyring import load_keyring
from vault.tokens import new_token


def raw(stack: Stack, method: str, path: str, **options: Any) -> httpx.Response:
    return httpx.request(method, stack.info["api_url"] + path, timeout=30, **options)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nonsense"},
        {"authorization": f"Bearer {new_token('user')}"},
        {"authorization": "Basic eDp5"},
        {"X-User": "admin"},
    ],
)
def test_without_a_valid_token_nothing_is_told(stack: Stack, headers: dict[str, str]) -> None:
    for path in ("/v1/escalations", "/v1/events", "/v1/users", "/v1/settings", "/v1/stream", "/v1/me"):
        answer = raw(stack, "GET", path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert "Bearer" in answer.headers["www-authenticate"]


def test_two_authorization_headers_are_refused(stack: Stack) -> None:
    headers = [
        ("authorization", f"Bearer {stack.token('auditor')}"),
        ("authorization", f"Bearer {stack.token('admin')}"),
    ]
    assert raw(stack, "GET", "/v1/me", headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b"[1]", "application/json", 422, "invalid"),
        (b'{"text": "x"}', "text/plain", 415, "unsupported_content_type"),
        (b'{"text": 7}', "application/json", 422, "invalid"),
        (b'{"text": "x", "more": 1}', "application/json", 422, "invalid"),
        (b"[" * 100 + b"]" * 100, "application/json", 400, "too_deep"),
        (b'{"text": "' + b"x" * 1_100_000 + b'"}', "application/json", 413, "too_large"),
    ],
)
def test_a_bad_body_is_refused_with_its_field(stack: Stack, content: bytes, kind: str, status: int, code: str) -> None:
    held = stack.create()["escalation_id"]
    headers = {"content-type": kind, "authorization": f"Bearer {stack.token('reviewer')}"}
    answer = raw(stack, "POST", f"/v1/escalations/{held}/comment", content=content, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert problem["field"]


def test_unknown_paths_and_methods_are_problems_too(stack: Stack) -> None:
    for method, path, status in (("GET", "/v1/nothing", 404), ("DELETE", "/v1/escalations", 405)):
        answer = raw(stack, method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_teams_users_and_tokens(stack: Stack) -> None:
    admin, name = stack.api("admin"), f"t{uuid.uuid4().hex[:8]}"
    assert admin.post("/v1/teams", json={"team_id": name}).status_code == 201
    assert admin.post("/v1/teams", json={"team_id": name}).status_code == 409
    assert admin.post("/v1/teams", json={"team_id": "Not A Name"}).json()["field"] == "team_id"
    user = {"login": f"u-{name}", "email": f"{name}@x.example", "roles": ["reviewer"], "teams": [name]}
    assert admin.post("/v1/users", json=user).status_code == 201
    assert admin.post("/v1/users", json={**user, "login": "other"}).status_code == 409
    assert admin.post("/v1/users", json={**user, "login": "z", "teams": ["ghosts"]}).json()["field"] == "teams"
    assert admin.post("/v1/users", json={**user, "login": "z", "roles": ["gateway"]}).status_code == 422
    made = admin.post("/v1/tokens", json={"login": user["login"]}).json()
    me = raw(stack, "GET", "/v1/me", headers={"authorization": f"Bearer {made['token']}"}).json()
    assert (me["login"], me["teams"], me["roles"]) == (user["login"], [name], ["reviewer"])
    shown = next(t for t in admin.get("/v1/teams").json()["teams"] if t["team_id"] == name)
    assert shown["members"] == [user["login"]]
    assert made["token"] not in admin.get("/v1/tokens").text
    assert admin.delete(f"/v1/tokens/{made['token_id']}").status_code == 204
    gone = lambda: raw(stack, "GET", "/v1/me", headers={"authorization": f"Bearer {made['token']}"}).status_code == 401  # noqa: E731
    wait_for(gone, "the revocation", 5)


@pytest.mark.parametrize("who", ["reviewer", "senior", "auditor"])
def test_only_admins_change_people_tokens_and_settings(stack: Stack, who: str) -> None:
    client = stack.api(who)
    answers = [
        client.post("/v1/teams", json={"team_id": "mine"}),
        client.post("/v1/users", json={"login": "mine"}),
        client.post("/v1/consumers", json={"consumer_id": "mine"}),
        client.post("/v1/tokens", json={"login": "admin"}),
        client.get("/v1/tokens"),
        client.delete("/v1/tokens/tok_x"),
        client.put("/v1/settings", json={}),
        client.post("/v1/escalations", json={"answer": "x", "policy_rule": "p", "reason_code": "r"}),
    ]
    assert {answer.status_code for answer in answers} == {403}


def test_settings_are_versioned_and_refused_when_wrong(stack: Stack) -> None:
    before = stack.api("admin").get("/v1/settings").json()
    assert before["severities"]["critical"] == "Immediate safety or compliance risk"
    with stack.settings(sla={"critical": "90s"}):
        now = stack.api().get("/v1/settings").json()
        assert (now["version"], now["created_by"], now["settings"]["sla"]["critical"]) == (
            before["version"] + 1,
            "admin",
            "1m30s",
        )
        assert (
            stack.api().get("/v1/settings", params={"version": before["version"]}).json()["settings"]
            == before["settings"]
        )
    wrong = stack.api("admin").put("/v1/settings", json={"sla": {"critical": "soon"}})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "sla.critical")
    assert stack.api().get("/v1/settings").json()["settings"] == before["settings"]


def test_events_are_filtered_by_verdict_reason_and_configuration(stack: Stack) -> None:
    stack.openai().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello events"}])
    stack.create()
    escalated = stack.api().get("/v1/events", params={"verdict": "escalated", "since": "1h"}).json()["events"]
    assert escalated
    assert {event["verdict"] for event in escalated} == {"escalated"}
    passed = (
        stack.api()
        .get("/v1/events", params={"verdict": "passed", "config_version": "oversight-demo@0.1.0"})
        .json()["events"]
    )
    assert passed
    assert all(event["body"]["chain"] for event in passed)
    assert stack.api().get("/v1/events", params={"reason_code": "nothing"}).json()["events"] == []
    for wrong in ({"verdict": "maybe"}, {"since": "yesterday"}):
        assert stack.api().get("/v1/events", params=wrong).status_code == 422


def test_the_live_stream_tells_of_changes_and_replays_what_was_missed_however_much(stack: Stack) -> None:
    listening = threading.Event()

    def listen(until: str, last: str | None = None, who: str = "reviewer") -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {stack.token(who)}", **({"last-event-id": last} if last else {})}
        found = []
        with httpx.stream("GET", stack.info["api_url"] + "/v1/stream", headers=headers, timeout=30) as answer:
            listening.set()
            event: dict[str, Any] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                event[name] = value
                if not line and "data" in event:
                    found.append({"id": event["id"], **json.loads(event["data"])})
                    if found[-1]["escalation_id"] == until and found[-1]["status"] == "claimed":
                        return found
                    event = {}
        return found

    before = [("default", "nothing", str(number), 1, 0) for number in range(1100)]
    with closing(sqlite3.connect(stack.data_dir / "keeptrusts.db", timeout=30)) as connection, connection:
        connection.executemany("INSERT INTO changes (tenant, kind, ref, version, at) VALUES (?, ?, ?, ?, ?)", before)
    first = stack.create()["escalation_id"]
    with ThreadPoolExecutor(1) as pool:
        live = pool.submit(listen, first)
        assert listening.wait(30)
        stack.must(first, "claim")
        told = live.result(30)
    assert told[-1]["escalation_id"] == first
    assert set(told[-1]) == {"id", "escalation_id", "version", "status", "sla_state", "team"}
    replayed = listen(first, last="0")
    assert (first, "claimed") in [(event["escalation_id"], event["status"]) for event in replayed]


def test_the_codec_endpoint_shows_operators_what_temporal_holds(stack: Stack) -> None:
    codec = EncryptionCodec(load_keyring(stack.data_dir / "keyring.json").codec)
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')
    sealed = codec._encrypt(plain)
    wire = {
        "metadata": {name: base64.b64encode(value).decode() for name, value in sealed.metadata.items()},
        "data": base64.b64encode(sealed.data).decode(),
    }
    for who in ("admin", "auditor"):
        answer = stack.api(who).post("/codec/decode", json={"payloads": [wire]})
        assert base64.b64decode(answer.json()["payloads"][0]["data"]) == b'"hello"'
    assert stack.api("reviewer").post("/codec/decode", json={"payloads": [wire]}).status_code == 403
    assert raw(stack, "POST", "/codec/decode", json={"payloads": [wire]}).status_code == 401
    encoded = stack.api("admin").post("/codec/encode", json={"payloads": [wire]}).json()["payloads"][0]
    assert base64.b64decode(encoded["metadata"]["encoding"]) == b"binary/encrypted"
    assert stack.api("admin").post("/codec/decode", json={"payloads": 7}).status_code == 422


def test_a_browser_signs_in_and_reads_the_temporal_ui(stack: Stack) -> None:
    held = stack.create()
    with httpx.Client(base_url=stack.info["api_url"], follow_redirects=False, timeout=30) as browser:
        away = browser.get(held["temporal_url"], headers={"accept": "text/html"})
        assert (away.status_code, away.headers["location"].startswith("/sign-in?next=/temporal/")) == (303, True)
        wrong = browser.post("/sign-in", data={"token": "nonsense"})
        assert (wrong.status_code, "not a valid token" in wrong.text) == (401, True)
        inside = browser.post("/sign-in", data={"token": stack.token("admin"), "next": "/temporal/"})
        assert (inside.status_code, inside.headers["location"]) == (303, "/temporal/")
        cookie = inside.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        page = browser.get(held["temporal_url"], headers={"accept": "text/html"})
        assert (page.status_code, "<html" in page.text.lower()) == (200, True)
        settings = browser.get("/temporal/api/v1/settings").json()
        assert settings["Codec"]["Endpoint"] == f"{stack.info['api_url']}/codec"
        cross = browser.post("/codec/decode", json={"payloads": []}, headers={"sec-fetch-site": "cross-site"})
        assert cross.status_code == 403
        browser.post("/sign-out")
        assert browser.get("/temporal/", headers={"accept": "text/html"}).status_code == 303
    assert httpx.get(stack.info["temporal_ui_url"], follow_redirects=True).status_code == 200


def test_the_sign_in_page_sends_nobody_elsewhere(stack: Stack) -> None:
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        answer = raw(stack, "POST", "/sign-in", data={"token": stack.token("admin"), "next": target})
        assert answer.headers["location"] == "/"


def test_a_reviewer_may_not_open_the_temporal_ui(stack: Stack) -> None:
    assert stack.api("reviewer").get("/temporal/").status_code == 403
    assert stack.api("auditor").get("/temporal/").status_code == 200
    assert stack.api("auditor").post("/temporal/api/v1/x").status_code == 403


def test_health(stack: Stack) -> None:
    assert raw(stack, "GET", "/livez").json() == {"status": "ok"}
    assert raw(stack, "GET", "/readyz").json()["checks"] == {"store": "ok", "temporal": "ok"}
    gateway = httpx.get(stack.info["gateway_url"] + "/readyz")
    assert (gateway.status_code, gateway.json()["status"]) == (200, "ready")


def test_the_openapi_document_describes_every_operation_of_the_contract(stack: Stack) -> None:
    document = raw(stack, "GET", "/openapi.json").json()
    paths = set(document["paths"])
    verbs = (
        "claim",
        "unclaim",
        "resolve",
        "escalate",
        "assign",
        "extend",
        "comment",
        "withdraw",
        "history",
        "explain",
        "response",
    )
    assert {f"/v1/escalations/{{escalation_id}}/{verb}" for verb in verbs} <= paths
    assert {
        "/v1/escalations",
        "/v1/events",
        "/v1/teams",
        "/v1/users",
        "/v1/tokens",
        "/v1/settings",
        "/v1/stream",
        "/livez",
        "/readyz",
    } <= paths
    assert document["security"] == [{"bearer": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), f"{method} {path} has no summary"
    assert document["components"]["schemas"]["ResolveBody"]["examples"]


def test_the_documentation_names_every_path(stack: Stack, root: Path) -> None:
    """By each of its words: the table puts together what belongs together."""
    written = (root / "docs/api.md").read_text(encoding="utf-8")
    paths = [path for path in raw(stack, "GET", "/openapi.json").json()["paths"] if path.startswith("/v1/")]
    words = {word for path in paths for word in path.split("/") if word and not word.startswith("{")}
    assert sorted(word for word in words if word not in written) == []
