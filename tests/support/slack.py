"""A Slack workspace with people in it, who click: the Web API's fake, and what Slack sends when somebody does."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
import time
from typing import Any
from urllib.parse import urlencode

import httpx
from slack_sdk.models.views import View as SlackView

from tests.activities.receivers import Answer, FakeSlack, Request, as_json
from tests.support.slack_socket import SlackSocket

TEAM = "T0"


class LivingSlack(FakeSlack):
    """`people` are the answers of `users.info`. What is told to one person alone is in `told`, windows in `windows`."""

    SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"

    def __init__(self) -> None:
        super().__init__(time.time())
        self.step = 0.001
        self.base = ""
        self.people: dict[str, dict[str, Any]] = {}
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.windows: list[dict[str, Any]] = []
        self._triggers = itertools.count(1)
        self._of_trigger: dict[str, str] = {}
        self._talking = threading.Lock()
        self.socket = SlackSocket()

    def joins(self, user: str, email: str | None, **more: Any) -> str:
        profile = {"email": email} if email else {}
        self.people[user] = {
            "id": user,
            "team_id": TEAM,
            "deleted": False,
            "is_bot": False,
            "is_email_confirmed": True,
            "profile": profile,
            **more,
        }
        return user

    def answer(self, request: Request) -> Answer:
        if request.path == "/api/apps.connections.open":
            known = request.headers.get("authorization") == f"Bearer {SlackSocket.APP_TOKEN}"
            return as_json({"ok": True, "url": self.socket.url} if known else {"ok": False, "error": "invalid_auth"})
        if request.path.startswith("/actions/"):
            said = json.loads(request.body)
            assert (said["response_type"], said["replace_original"]) == ("ephemeral", False)
            with self._talking:
                self.told.append((request.path.rpartition("/")[2], said))
            return as_json({"ok": True})
        return super().answer(request)

    def do_users_info(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = self.people.get(arguments["user"])
        return {"ok": True, "user": found} if found else {"ok": False, "error": "user_not_found"}

    def do_views_open(self, arguments: dict[str, Any]) -> dict[str, Any]:
        user = self._of_trigger.pop(arguments["trigger_id"], None)
        if user is None:
            return {"ok": False, "error": "expired_trigger_id"}
        view = arguments["view"]
        if len(view["private_metadata"]) > 3000 or len(view["blocks"]) > 100 or len(view["title"]["text"]) > 24:
            return {"ok": False, "error": "invalid_arguments"}
        SlackView(**view).validate_json()
        opened = {**view, "id": f"V{len(self.windows):09}", "hash": "156772938.1827394", "for": user}
        self.windows.append(opened)
        return {"ok": True, "view": opened}

    # What Slack sends

    def click(
        self, api: str, user: str, action: str, escalation_id: str, *, trigger: str | None = None
    ) -> httpx.Response:
        """The click on a button of a card."""
        return self.sends(api, self.click_payload(user, action, escalation_id, trigger=trigger))

    def click_payload(
        self, user: str, action: str, escalation_id: str, *, trigger: str | None = None
    ) -> dict[str, Any]:
        if trigger is None:
            trigger = f"{next(self._triggers)}.98765.abcd2358fdea"
            self._of_trigger[trigger] = user
        return {
            "type": "block_actions",
            "user": {"id": user, "username": user.lower(), "name": user.lower(), "team_id": TEAM},
            "api_app_id": "A0OURS",
            "token": "deprecated",
            "container": {"type": "message", "message_ts": "1.0", "channel_id": "C0LEGAL001", "is_ephemeral": False},
            "trigger_id": trigger,
            "team": {"id": TEAM, "domain": "tests"},
            "channel": {"id": "C0LEGAL001", "name": "legal"},
            "response_url": f"{self.base}/actions/{TEAM}/1/{user}",
            "actions": [
                {
                    "type": "button",
                    "action_id": action,
                    "block_id": "kt_actions",
                    "text": {"type": "plain_text", "text": action},
                    "value": escalation_id,
                    "action_ts": "1.1",
                }
            ],
        }

    def submit(
        self, api: str, window: dict[str, Any], outcome: str, category: str | None, note: str | None, by: str = ""
    ) -> httpx.Response:
        """The answer of a window, as Slack sends it."""
        return self.sends(api, self.submission(window, outcome, category, note, by))

    def submission(
        self, window: dict[str, Any], outcome: str, category: str | None, note: str | None, by: str = ""
    ) -> dict[str, Any]:
        values = {
            "kt_outcome": {"kt_outcome": {"type": "static_select", "selected_option": _option(outcome)}},
            "kt_category": {"kt_category": {"type": "static_select", "selected_option": _option(category)}},
            "kt_note": {"kt_note": {"type": "plain_text_input", "value": note}},
        }
        view = {name: value for name, value in window.items() if name != "for"}
        return {
            "type": "view_submission",
            "team": {"id": TEAM, "domain": "tests"},
            "user": {"id": by or window["for"], "username": "u", "name": "u", "team_id": TEAM},
            "api_app_id": "A0OURS",
            "trigger_id": f"{next(self._triggers)}.98765.abcd2358fdea",
            "view": {**view, "state": {"values": values}},
            "response_urls": [],
            "is_enterprise_install": False,
        }

    def sends(self, api: str, payload: Any, **how: Any) -> httpx.Response:
        body = urlencode({"payload": json.dumps(payload)})
        return self.posts(api, body, **how)

    def posts(
        self, api: str, body: str, *, at: float | None = None, secret: str | None = None, **headers: str
    ) -> httpx.Response:
        """A signed request. Source: https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        timestamp = str(int(at or time.time()))
        basis = f"v0:{timestamp}:{body}".encode()
        signature = hmac.new((secret or self.SIGNING_SECRET).encode(), basis, hashlib.sha256).hexdigest()
        sent = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": f"v0={signature}",
            **headers,
        }
        return httpx.post(f"{api}/v1/slack/interactions", content=body, headers=sent, timeout=3.0, trust_env=False)


def _option(value: str | None) -> dict[str, Any] | None:
    return None if value is None else {"text": {"type": "plain_text", "text": value}, "value": value}
