"""Settings and what became of them: who changed what, and cases that keep what they were opened under."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx

from tests.support.gateways import following_gateway
from tests.support.ledger import ledger_entries
from tests.support.model import FakeModel
from tests.support.stack import LEGAL, Stack, wait_for

POLICY = "edited"


def calendar(minute: int) -> dict[str, Any]:
    """Open around the clock but for one minute of each night."""
    return {"zone": "UTC", "hours": {"mon-sun": [f"00:00-03:{minute:02}", f"03:{minute + 1:02}-24:00"]}}


def policy(number: int) -> str:
    """A policy that holds legal opinions, another version each time."""
    return f"""\
pack: {{name: {POLICY}, version: 1.0.{number}}}
providers: {{targets: [{{id: m, provider: openai}}]}}
policies: {{chain: [human-oversight, audit-logger]}}
policy:
  human-oversight: {{require_human_for: [legal_opinions], threshold: 0.{300 + number}, hold: {{mode: deferred}}}}
"""


def push(stack: Stack, number: int) -> None:
    pushed = stack.api("admin").post("/v1/policies", json={"text": policy(number)})
    assert pushed.status_code == 200, pushed.text
    moved = stack.api("admin").post(f"/v1/policies/{POLICY}/promote", json={"version": pushed.json()["version"]})
    assert moved.json()["stage"] == "active", moved.text


def kept(stack: Stack, escalation_id: str) -> dict[str, Any]:
    """What a case says of its clock and of what it was opened under."""
    case = stack.escalation(escalation_id)
    told = stack.api("admin").get(f"/v1/escalations/{escalation_id}/explain").json()
    names = ("config_version", "config_digest", "severity", "sla_deadline", "sla_state", "version", "status")
    return {name: case[name] for name in names} | {
        name: told["deadline"][name] for name in ("settings_version", "target", "amber_at", "expires_at", "calendar")
    }


def test_open_cases_keep_their_policy_settings_and_calendar_while_all_are_edited_fifty_times(
    stack: Stack, model: FakeModel, tmp_path: Path
) -> None:
    push(stack, 0)
    with (
        stack.settings(sla={"high": "90m", "calendar": "nights"}, calendars={"nights": calendar(0)}),
        following_gateway(stack, POLICY, model.url, tmp_path / "gateway.log") as url,
    ):

        def hold(marker: str) -> str:
            body = {"model": "m", "messages": [{"role": "user", "content": f"{LEGAL} ({marker})"}]}
            headers = {"authorization": f"Bearer {stack.info['gateway_key']}"}
            answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60)
            return answer.headers["x-escalation-id"]

        cases = [hold(f"kept {number}") for number in range(3)]
        for case in cases:
            wait_for(lambda case=case: stack.events(case), "the workflow's own account of the case")
        before = [kept(stack, case) for case in cases]
        assert {one["config_version"] for one in before} == {f"{POLICY}@1.0.0"}
        assert all(one["calendar"]["settings_version"] == one["settings_version"] for one in before)
        for number in range(1, 51):
            changed = {
                "sla": {"high": f"{90 + number}m", "calendar": "nights"},
                "calendars": {"nights": calendar(number)},
            }
            done = stack.api("admin").put("/v1/settings", json=changed)
            assert done.status_code == 200, done.text
            push(stack, number)
        newest = f"{POLICY}@1.0.50"
        newer = wait_for(
            lambda: next((one for one in [kept(stack, hold("newer"))] if one["config_version"] == newest), None),
            "the gateway to follow the policy",
        )
        assert [kept(stack, case) for case in cases] == before
        assert newer["config_digest"] == hashlib.sha256(policy(50).encode()).hexdigest()
        assert newer["settings_version"] == before[0]["settings_version"] + 50
        assert (before[0]["target"], newer["target"]) == ("1h30m", "2h20m")
        stack.decide(cases[0], "allow")
        decided = stack.escalation(cases[0])
        assert (decided["config_version"], decided["sla_deadline"]) == (f"{POLICY}@1.0.0", before[0]["sla_deadline"])


def test_the_ledger_the_history_and_each_version_agree_on_who_changed_what(stack: Stack) -> None:
    with stack.settings(sla={"high": "71m"}), stack.settings(sla={"high": "72m"}):
        pass
    written = [entry for entry in ledger_entries(stack.data_dir / "ledger") if entry["type"] == "settings.changed"]
    on_record = {entry["data"]["version"]: (entry["actor"]["id"], entry["data"]["digest"]) for entry in written}
    history = stack.api("admin").get("/v1/settings/history", params={"limit": 1000}).json()["versions"]
    assert len(written) == len(history)
    assert {one["version"]: (one["created_by"], one["digest"]) for one in history} == on_record
    assert on_record[1][0] == "kt dev"
    for one in history[:4]:
        found = stack.api("admin").get("/v1/settings", params={"version": one["version"]}).json()
        canonical = json.dumps(found["settings"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == one["digest"] == found["digest"]


def test_what_changes_nothing_is_no_change(stack: Stack) -> None:
    before = stack.api("admin").get("/v1/settings").json()
    again = stack.api("admin").put("/v1/settings", json=before["settings"])
    assert (again.status_code, {**again.json(), "warnings": []}) == (200, {**before, "warnings": []})


def test_a_claim_lease_that_is_off_stays_off_and_one_that_nobody_gave_is_not_written_down(stack: Stack) -> None:
    for sla, shown in (({"claim_lease": "off"}, "off"), ({"claim_lease": "9m"}, "9m"), ({}, None)):
        with stack.settings(sla=sla):
            found = stack.api("admin").get("/v1/settings").json()["settings"]["sla"]
            assert found.get("claim_lease") == shown
            lease = stack.must(stack.create()["escalation_id"], "claim")["lease_until"]
            assert (lease is None) == (shown == "off")


def test_history_names_who_changed_the_settings_and_diff_says_what(stack: Stack) -> None:
    with stack.settings(sla={"high": "77m"}):
        newest = json.loads(stack.kt("settings", "history", "--limit", "1", "--json"))["versions"]
        assert [one["created_by"] for one in newest] == ["admin"]
        lines = stack.kt("settings", "diff").splitlines()
        assert lines[0].endswith(f"version {newest[0]['version'] - 1}")
        assert any(line.startswith("+") and "1h17m" in line for line in lines)
        same = str(newest[0]["version"])
        assert json.loads(stack.kt("settings", "diff", same, same, "--json"))["diff"] == []
        assert "VERSION" in stack.kt("settings", "history")
