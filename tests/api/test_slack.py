"""Clicks in Slack, against a whole running product and a fake workspace that signs, posts and checks like Slack."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from api.slack_clicks import is_slacks
from tests.support.ledger import ledger_entries
from tests.support.stack import wait_for
from tests.support.workspace import Workspace

HOSTILE = "You may sue <!channel> & <https://evil.example|log in>. Card 4111 1111 1111 1111."


def test_a_click_claims_as_the_user_whose_address_slack_confirmed(workspace: Workspace) -> None:
    held = workspace.case()
    assert workspace.buttons(held) == {"kt_claim", "kt_open"}
    workspace.claimed("UREVIEWER", held, "reviewer")
    assert workspace.stack.escalation(held)["assignee"] == "reviewer"
    assert workspace.buttons(held) == {"kt_decide", "kt_open"}
    entries = ledger_entries(workspace.stack.data_dir / "ledger")
    acted = [e for e in entries if e["type"] == "slack.clicked" and e["escalation_id"] == held]
    assert [(e["actor"]["id"], e["data"]["slack"]) for e in acted] == [("reviewer", "slack:T0:UREVIEWER")]


def test_a_stale_click_is_told_who_holds_it(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.stack.must(held, "claim", who="reviewer2")
    workspace.click("UREVIEWER", "kt_claim", held)
    workspace.told("UREVIEWER", "reviewer2 holds this escalation since")
    refused = [r for r in workspace.refusals("already_claimed") if r["escalation_id"] == held]
    assert [r["actor"]["id"] for r in refused] == ["reviewer"]


def test_a_click_on_what_was_decided_is_told_how(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.stack.decide(held, "block", who="reviewer2")
    workspace.click("UREVIEWER", "kt_claim", held)
    workspace.told("UREVIEWER", "already resolved: block by reviewer2")


def test_a_change_from_another_surface_is_on_the_card(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.stack.must(held, "claim", who="reviewer2")
    workspace.shows(held, "Claimed by reviewer2")
    workspace.stack.must(held, "unclaim", who="reviewer2")
    workspace.shows(held, "Open, in the queue of legal")
    assert workspace.buttons(held) == {"kt_claim", "kt_open"}
    workspace.stack.must(held, "withdraw", who="admin")
    workspace.shows(held, "Withdrawn")
    assert workspace.buttons(held) == {"kt_open"}


def test_the_same_click_twice_is_one_claim(workspace: Workspace) -> None:
    held = workspace.case()
    for _ in range(2):
        workspace.click("UREVIEWER", "kt_claim", held, trigger="777.1.once")
    workspace.shows(held, "Claimed by reviewer")
    assert workspace.stack.events(held).count("claimed") == 1


@pytest.mark.parametrize(
    ("user", "account"),
    [
        ("UUNKNOWN", {"email": "nobody@example.com"}),
        ("UNOEMAIL", {"email": None}),
        ("UUNCONFIRMED", {"email": "reviewer@example.com", "is_email_confirmed": False}),
        ("UBOT", {"email": "reviewer@example.com", "is_bot": True}),
        ("UGONE", {"email": "reviewer@example.com", "deleted": True}),
        ("USTRANGER", {"email": "reviewer@example.com", "team_id": "T0OTHER"}),
        ("ULOGIN", {"email": "reviewer"}),
    ],
)
def test_whom_slack_does_not_vouch_for_is_nobody_here(workspace: Workspace, user: str, account: dict[str, Any]) -> None:
    held = workspace.case()
    workspace.slack.joins(user, **account)
    workspace.click(user, "kt_claim", held)
    workspace.told(user, "You are not known here")
    assert workspace.stack.escalation(held)["assignee"] is None
    (refused,) = [r for r in workspace.refusals("not_linked") if r["escalation_id"] == held]
    assert refused["actor"] == {"id": f"slack:T0:{user}", "kind": "operator", "roles": []}


def test_a_role_that_may_not_review_may_not_in_slack(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.click("UAUDITOR", "kt_claim", held)
    workspace.told("UAUDITOR", "auditor may not claim")
    assert workspace.stack.escalation(held)["status"] == "open"


def test_another_teams_case_is_not_there_in_slack_either(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.click("UOTHER_TEAM_REVIEWER", "kt_claim", held)
    workspace.told("UOTHER_TEAM_REVIEWER", "there is no escalation")
    assert workspace.stack.escalation(held)["status"] == "open"


def test_whose_request_it_is_may_not_claim_it_in_slack_admins_included(workspace: Workspace) -> None:
    held = workspace.case(who="admin")
    workspace.click("UADMIN", "kt_claim", held)
    workspace.told("UADMIN", "admin made the request")
    assert held in [refused["escalation_id"] for refused in workspace.refusals("conflict_of_interest")]


def test_a_decision_needs_the_claim(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.click("UREVIEWER", "kt_decide", held)
    workspace.told("UREVIEWER", "nobody holds this escalation; claim it first")


def test_a_decision_is_made_in_a_window_with_category_and_note(workspace: Workspace) -> None:
    held = workspace.case(answer="You may terminate them.")
    workspace.claimed("UREVIEWER", held, "reviewer")
    window = workspace.window("UREVIEWER", held)
    assert "You may terminate them." in json.dumps(window["blocks"])
    inputs = [block for block in window["blocks"] if block["type"] == "input"]
    assert [(block["block_id"], block["optional"]) for block in inputs] == [
        ("kt_outcome", False), ("kt_category", False), ("kt_note", False),
    ]  # fmt: skip
    empty = workspace.slack.submit(workspace.api, window, "allow", None, "  ").json()
    assert set(empty["errors"]) == {"kt_category", "kt_note"}
    done = workspace.slack.submit(workspace.api, window, "allow", "false_positive", "General remarks, no advice.")
    assert (done.status_code, done.content) == (200, b"")
    workspace.shows(held, "Allowed by reviewer")
    case = workspace.stack.escalation(held)
    assert (case["resolution"], case["category"], case["note"]) == (
        "allow", "false_positive", "General remarks, no advice.",
    )  # fmt: skip


def test_a_window_that_was_opened_under_an_earlier_claim_decides_nothing(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.claimed("UREVIEWER", held, "reviewer")
    window = workspace.window("UREVIEWER", held)
    workspace.stack.must(held, "unclaim")
    workspace.stack.must(held, "claim")
    workspace.slack.submit(workspace.api, window, "block", "other", "It is advice.")
    workspace.told("UREVIEWER", "claim")
    assert workspace.stack.escalation(held)["status"] == "claimed"


def test_a_window_is_of_use_to_nobody_else(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.claimed("UREVIEWER", held, "reviewer")
    window = workspace.window("UREVIEWER", held)
    workspace.slack.submit(workspace.api, window, "block", "other", "It is advice.", by="UREVIEWER2")
    workspace.told("UREVIEWER", "reviewer holds this escalation")
    assert workspace.stack.escalation(held)["status"] == "claimed"


def test_what_is_missing_by_the_rules_is_said_in_the_window(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.claimed("UREVIEWER", held, "reviewer")
    window = workspace.window("UREVIEWER", held)
    answer = workspace.slack.submit(workspace.api, window, "block", "no_such_category", "It is advice.").json()
    assert set(answer["errors"]) == {"kt_category"}
    assert workspace.slack.submit(workspace.api, window, "block", "other", "It is advice.").content == b""
    workspace.shows(held, "Blocked by reviewer")


def test_only_what_was_seen_whole_can_be_released_from_slack(workspace: Workspace) -> None:
    held = workspace.case(answer=HOSTILE)
    card = workspace.shows(held, "You may sue")
    shown = json.dumps(card["blocks"])
    assert "4111" not in shown
    assert "[CREDIT_CARD]" in shown
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|log in&gt;" in shown
    workspace.claimed("UREVIEWER", held, "reviewer")
    window = workspace.window("UREVIEWER", held)
    (outcome,) = [block for block in window["blocks"] if block.get("block_id") == "kt_outcome"]
    assert [option["value"] for option in outcome["element"]["options"]] == ["block", "redact_and_allow"]
    forged = workspace.slack.submit(workspace.api, window, "allow", "other", "I want to.").json()
    assert set(forged["errors"]) == {"kt_outcome"}
    workspace.slack.submit(workspace.api, window, "redact_and_allow", "true_positive", "Without the card number.")
    gone = workspace.shows(held, "Redacted and allowed by reviewer")
    assert "You may sue" not in json.dumps(gone["blocks"])


def test_cases_of_other_policies_are_not_decided_in_slack(workspace: Workspace) -> None:
    held = workspace.case(reason_code="medical_decisions")
    workspace.claimed("UREVIEWER", held, "reviewer")
    assert workspace.buttons(held) == {"kt_open"}
    workspace.click("UREVIEWER", "kt_decide", held)
    workspace.told("UREVIEWER", "not decided in Slack")


def test_a_bad_or_old_signature_is_refused_and_recorded(workspace: Workspace) -> None:
    held, slack, api = workspace.case(), workspace.slack, workspace.api
    before = len(workspace.refusals("bad_signature"))
    body = urlencode({"payload": json.dumps({"type": "block_actions", "user": {"id": "UREVIEWER"}, "actions": []})})
    bad = [
        slack.posts(api, body, secret="guessed"),
        slack.posts(api, body, at=time.time() - 301),
        slack.posts(api, body, at=time.time() + 900),
        slack.posts(api, body, **{"x-slack-signature": "v0="}),
        slack.posts(api, body, **{"x-slack-request-timestamp": "now"}),
        slack.posts(api, body, **{"x-slack-request-timestamp": ""}),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in bad} == {(401, "bad_signature")}
    wait_for(lambda: sum(r["data"]["count"] for r in workspace.refusals("bad_signature")) >= before + len(bad), "it")
    assert workspace.stack.escalation(held)["status"] == "open"


@pytest.mark.parametrize(
    "body",
    [
        "payload=%7B",
        "payload=%5B1%5D",
        "nothing=1",
        urlencode({"payload": json.dumps({"type": "block_actions", "actions": 7, "user": {"id": "U"}})}),
        urlencode({"payload": json.dumps({"type": "block_actions", "actions": [{"action_id": "kt_claim"}]})}),
        urlencode({"payload": json.dumps({"type": "view_submission", "view": {"callback_id": "kt_decide"}})}),
    ],
)
def test_what_slack_would_not_send_is_refused(workspace: Workspace, body: str) -> None:
    answer = workspace.slack.posts(workspace.api, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_what_is_no_click_of_ours_is_taken_and_does_nothing(workspace: Workspace) -> None:
    held = workspace.case()
    for payload in ({"type": "shortcut"}, {"type": "view_submission", "view": {"callback_id": "another"}}):
        assert workspace.slack.sends(workspace.api, payload).status_code == 200
    workspace.click("UREVIEWER", "kt_open", held)
    assert workspace.stack.escalation(held)["status"] == "open"


def test_an_answer_elsewhere_than_at_slack_is_not_given() -> None:
    assert is_slacks("https://hooks.slack.com/actions/T/1/x", "https://slack.com/api")
    for url in ("http://hooks.slack.com/x", "https://hooks.slack.com.evil.example/x", "http://169.254.169.254/", "x:["):
        assert not is_slacks(url, "https://slack.com/api")


def test_clicks_come_by_socket_mode_too_and_over_a_connection_that_was_made_again(workspace: Workspace) -> None:
    socket = workspace.slack.socket
    wait_for(lambda: socket.connections, "the API to connect")
    for _ in range(2):
        held = workspace.case()
        assert socket.send(workspace.slack.click_payload("UREVIEWER", "kt_claim", held)) is None
        workspace.shows(held, "Claimed by reviewer")
        before = socket.connections
        socket.ask_to_reconnect()
        wait_for(lambda before=before: socket.connections > before, "another connection")  # type: ignore[misc]


def test_what_a_window_lacks_is_said_by_socket_mode_too(workspace: Workspace) -> None:
    held = workspace.case()
    workspace.claimed("UREVIEWER", held, "reviewer")
    window = workspace.window("UREVIEWER", held)
    view = {**window, "state": {"values": {}}}
    payload = {"type": "view_submission", "user": {"id": "UREVIEWER", "team_id": "T0"}, "view": view}
    wait_for(lambda: workspace.slack.socket.connections, "the API to connect")
    assert set(workspace.slack.socket.send(payload)["errors"]) == {"kt_outcome", "kt_category", "kt_note"}


def test_an_app_token_that_slack_refuses_is_no_hindrance_to_other_entries(workspace: Workspace) -> None:
    stack, socket = workspace.stack, workspace.slack.socket
    wait_for(lambda: socket.connections, "the API to connect")
    channels = stack.api("admin").get("/v1/settings").json()["settings"]["notification_channels"]
    astray = {**channels["slack"], "app_token_ref": {"env": "ASTRAY_APP_TOKEN"}}
    before = socket.connections
    with stack.settings(notification_channels={"astray": astray, "slack": {**channels["slack"], "content": "none"}}):
        wait_for(lambda: socket.connections > before, "the other entry to connect")
        wait_for(lambda: "Socket Mode of astray could not connect" in stack.logs(), "the refusal in the log")
        before = socket.connections
    wait_for(lambda: socket.connections > before, "the settings to be looked at again")
