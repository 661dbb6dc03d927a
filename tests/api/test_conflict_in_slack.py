"""Nobody has a part in the review of what they asked for by way of Slack either.

Every button and every outcome of the window, clicked over HTTP and by Socket Mode, whatever their role and however the
request is theirs; each attempt is on the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.support.requesters import ROLES, Requester, asking
from tests.support.slack_socket import SlackSocket
from tests.support.stack import wait_for
from tests.support.workspace import Workspace

BUTTONS = {"kt_claim": "claim", "kt_decide": "resolve"}
OUTCOMES = {"allow": "You may.", "block": "You may.", "redact_and_allow": "Card 4111 1111 1111 1111."}
"""Each with an answer of which a window offers it."""
SURFACES = ("http", "socket")


@pytest.fixture(scope="module", params=ROLES)
def requester(workspace: Workspace, request: pytest.FixtureRequest) -> Iterator[Requester]:
    """Somebody who is known in Slack."""
    with asking(workspace.stack, request.param, "slacks") as asked:
        workspace.slack.joins(user_of(asked), f"{asked.login}@example.com")
        yield asked


def user_of(requester: Requester) -> str:
    return "U" + requester.login.upper().replace("-", "")


def held_by_another(workspace: Workspace, requester: Requester, relation: str, answer: str = "You may.") -> str:
    """A case of theirs that is on show, and that somebody else has claimed."""
    held = requester.brings(relation, reason_code="legal_opinions", answer=answer)
    wait_for(lambda: workspace.card(held), "the card")
    workspace.stack.must(held, "claim")
    workspace.shows(held, "Claimed by reviewer")
    return held


def sent(workspace: Workspace, surface: str, payload: dict[str, Any]) -> None:
    if surface == "http":
        assert workspace.slack.sends(workspace.api, payload).status_code == 200
        return
    socket: SlackSocket = workspace.slack.socket
    wait_for(lambda: socket.connections, "the API to connect")
    socket.send(payload)


def told(workspace: Workspace, requester: Requester, before: int) -> str:
    """What only they were told since."""

    def look() -> str | None:
        mine = [said["text"] for who, said in list(workspace.slack.told)[before:] if who == user_of(requester)]
        return mine[0] if mine else None

    return wait_for(look, "them to be told")


@pytest.mark.parametrize(("button", "surface"), list(product(BUTTONS, SURFACES)))
def test_no_button_does_anything_for_them(
    workspace: Workspace, requester: Requester, button: str, surface: str
) -> None:
    for relation in requester.relations:
        held = held_by_another(workspace, requester, relation)
        before, windows = len(workspace.slack.told), len(workspace.slack.windows)
        with requester.on_the_record(workspace.stack, held, BUTTONS[button]):
            sent(workspace, surface, workspace.slack.click_payload(user_of(requester), button, held))
        assert requester.told in told(workspace, requester, before)
        assert len(workspace.slack.windows) == windows
        assert workspace.stack.escalation(held)["assignee"] == "reviewer"


@pytest.mark.parametrize("surface", SURFACES)
def test_nor_can_they_claim_what_nobody_has(workspace: Workspace, requester: Requester, surface: str) -> None:
    for relation in requester.relations:
        held = requester.brings(relation)
        wait_for(lambda held=held: workspace.card(held), "the card")  # type: ignore[misc]
        with requester.on_the_record(workspace.stack, held, "claim"):
            sent(workspace, surface, workspace.slack.click_payload(user_of(requester), "kt_claim", held))
        assert workspace.stack.escalation(held)["assignee"] is None


@pytest.mark.parametrize(("outcome", "surface"), list(product(OUTCOMES, SURFACES)))
def test_no_window_of_another_decides_for_them(
    workspace: Workspace, requester: Requester, outcome: str, surface: str
) -> None:
    for relation in requester.relations:
        held = held_by_another(workspace, requester, relation, OUTCOMES[outcome])
        window = workspace.window("UREVIEWER", held)
        before = len(workspace.slack.told)
        with requester.on_the_record(workspace.stack, held, "resolve"):
            payload = workspace.slack.submission(window, outcome, "other", "I want it so.", user_of(requester))
            sent(workspace, surface, payload)
        assert workspace.stack.escalation(held)["status"] == "claimed"
        # Whoever opened the window is told where it was opened.
        assert len(workspace.slack.told) > before
