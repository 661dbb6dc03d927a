"""A whole running product whose cases are cards in a fake workspace that signs, posts and checks like Slack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.activities.receivers import serving
from tests.support.ledger import ledger_entries
from tests.support.slack import LivingSlack
from tests.support.slack_socket import SlackSocket
from tests.support.stack import Stack, running_stack, wait_for

CHANNEL = "C0LEGAL001"
SEEDED = ("admin", "reviewer", "reviewer2", "senior", "auditor", "other_team_reviewer")


class Workspace:
    """A product whose cases are cards in a workspace."""

    def __init__(self, stack: Stack, slack: LivingSlack) -> None:
        self.stack = stack
        self.slack = slack

    @property
    def api(self) -> str:
        return str(self.stack.info["api_url"])

    def case(self, **body: Any) -> str:
        """A case whose card is posted."""
        escalation_id = str(self.stack.create(**body)["escalation_id"])
        wait_for(lambda: self.card(escalation_id), "the card")
        return escalation_id

    def card(self, escalation_id: str) -> dict[str, Any] | None:
        cards = (card for channel in list(self.slack.channels) for card in self.slack.cards(channel))
        return next((c for c in cards if c["metadata"]["event_payload"]["escalation_id"] == escalation_id), None)

    def shows(self, escalation_id: str, text: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            card = self.card(escalation_id)
            return card if card is not None and text in json.dumps(card["blocks"], ensure_ascii=False) else None

        return wait_for(look, f"{text!r} on the card")

    def buttons(self, escalation_id: str) -> set[str]:
        card = self.card(escalation_id)
        assert card is not None
        return {e["action_id"] for block in card["blocks"] if block["type"] == "actions" for e in block["elements"]}

    def click(self, user: str, action: str, escalation_id: str, **how: Any) -> None:
        assert self.slack.click(self.api, user, action, escalation_id, **how).status_code == 200

    def told(self, user: str, part: str) -> str:
        """What only this person was told, when it holds `part`."""

        def look() -> str | None:
            texts = [said["text"] for who, said in list(self.slack.told) if who == user]
            return next((text for text in texts if part in text), None)

        return wait_for(look, f"{user} to be told {part!r}")

    def claimed(self, user: str, escalation_id: str, login: str) -> None:
        self.click(user, "kt_claim", escalation_id)
        self.shows(escalation_id, f"Claimed by {login}")

    def window(self, user: str, escalation_id: str) -> dict[str, Any]:
        """The window that a click on the card opens."""
        before = len(self.slack.windows)
        self.click(user, "kt_decide", escalation_id)
        wait_for(lambda: len(self.slack.windows) > before, "the window")
        return self.slack.windows[-1]

    def refusals(self, code: str) -> list[dict[str, Any]]:
        entries = ledger_entries(self.stack.data_dir / "ledger")
        return [e for e in entries if e["outcome"] == "refused" and e["data"].get("code") == code]


def settings(content: str) -> dict[str, Any]:
    slack = {
        "type": "slack",
        "token_ref": {"env": "SLACK_TOKEN"},
        "signing_secret_ref": {"env": "SLACK_SIGNING_SECRET"},
        "app_token_ref": {"env": "SLACK_APP_TOKEN"},
        "channel": CHANNEL,
        "interactive": True,
        "content": content,
        # Each of its cases is looked at by itself, however fast one follows the other.
        "group": "off",
    }
    rule = {"name": "All", "match": {"any": True}, "route_to": "team:legal", "notification_channel": "slack"}
    return {
        "escalation_routing": {"rules": [rule]},
        "notification_channels": {"slack": slack},
        "decisions": {"slack_decisions": ["legal_opinions"]},
    }


@contextmanager
def running_workspace(directory: Path) -> Iterator[Workspace]:
    """Everybody whom `kt dev` brings is in it."""
    slack = LivingSlack()
    with slack.socket.running(), serving(slack.answer) as server:
        slack.base = f"http://127.0.0.1:{server.port}"
        environment = {
            "KT_SLACK_API_URL": f"{slack.base}/api",
            "SLACK_TOKEN": slack.TOKEN,
            "SLACK_SIGNING_SECRET": slack.SIGNING_SECRET,
            "SLACK_APP_TOKEN": SlackSocket.APP_TOKEN,
            "ASTRAY_APP_TOKEN": "xapp-1-A0NOBODY-1-abcdef",
        }
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "escalations.yaml"
        config.write_text(json.dumps(settings("redacted")))
        options = ("--escalation-config", str(config))
        with running_stack(directory / "stack", *options, environment=environment) as stack:
            for login in SEEDED:
                slack.joins(f"U{login.upper()}", f"{login}@Example.com")
            yield Workspace(stack, slack)
