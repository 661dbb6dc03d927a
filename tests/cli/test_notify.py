"""The delivery log, dead letters and tests of channels, from the command line to a receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.activities.receivers import Answer, Request, serving
from tests.conftest import HOOK_SECRET
from tests.support.stack import Stack, wait_for


class Receiver:
    def __init__(self) -> None:
        self.answers = Answer(204)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    def answer(self, request: Request) -> Answer:
        self.received.append((request.headers, request.body))
        return self.answers


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with serving(made.answer) as server:
        made.port = server.port
        yield made


def routed(receiver: Receiver) -> dict[str, Any]:
    url = f"http://127.0.0.1:{receiver.port}/hook"
    hook = {"type": "webhook", "url": url, "secret_key_ref": {"env": "HOOK_SECRET"}}
    rule = {"name": "All", "match": {"any": True}, "route_to": "team:legal", "notification_channel": "a-hook"}
    return {"escalation_routing": {"rules": [rule]}, "notification_channels": {"a-hook": hook}}


def rows(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    told = stack.kt("notify", "log", *arguments, "--json", who="admin")
    found: list[dict[str, Any]] = json.loads(told)["notifications"]
    return found


def test_what_was_given_up_is_kept_and_sent_once_more_under_its_own_id(stack: Stack, receiver: Receiver) -> None:
    with stack.settings(**routed(receiver)):
        receiver.answers = Answer(410)
        held = stack.create()["escalation_id"]
        (dead,) = wait_for(lambda: rows(stack, "--dead", "--id", held), "the dead letter")
        assert (dead["event"], dead["channel"], dead["problem"]) == ("opened", "a-hook", "the receiver is gone (410)")
        attempts = rows(stack, "--id", held)
        assert [(row["outcome"], row["attempt"]) for row in attempts] == [("dead", 0), ("failed", 1)]

        receiver.answers = Answer(204)
        told = stack.kt("notify", "replay", str(dead["number"]), who="admin")
        assert told.startswith("1 sent once more")
        wait_for(lambda: len(receiver.received) == 2, "the replay")
        ids = {headers["webhook-id"] for headers, _ in receiver.received}
        assert len(ids) == 1
        assert Webhook(HOOK_SECRET).verify(receiver.received[1][1], receiver.received[1][0])["type"] == (
            "escalation.opened"
        )
        wait_for(lambda: rows(stack, "--id", held, "--outcome", "sent"), "the row of the replay")
        assert rows(stack, "--dead", "--id", held) == []
        stack.kt("notify", "replay", str(dead["number"]), who="admin")
        assert stack.kt("notify", "replay", "--all", "--id", held, who="admin").startswith("0 sent")
        assert len(receiver.received) == 2
        stack.act(held, "withdraw", who="admin")


def test_a_channel_is_tried_out(stack: Stack, receiver: Receiver) -> None:
    with stack.settings(**routed(receiver)):
        assert "arrived" in stack.kt("notify", "test", "a-hook", who="admin")
        told = [Webhook(HOOK_SECRET).verify(body, headers)["type"] for headers, body in receiver.received]
        assert told.count("channel.test") == 1
        receiver.answers = Answer(500)
        assert "the receiver answered 500" in stack.kt("notify", "test", "a-hook", who="admin", code=1)
        assert json.loads(stack.kt("notify", "test", "log", "--json", who="admin"))["sent"] is True
        assert "there is no channel 'elsewhere'" in stack.kt("notify", "test", "elsewhere", who="admin", code=1)


def test_the_log_is_for_who_may_see_the_case(stack: Stack) -> None:
    held = stack.create()["escalation_id"]
    path = "/v1/notifications"
    assert stack.api("reviewer").get(path).status_code == 403
    assert stack.api("reviewer").get(path, params={"escalation_id": held}).status_code == 200
    assert stack.api("other_team_reviewer").get(path, params={"escalation_id": held}).status_code == 404
    assert stack.api("auditor").get(path).status_code == 200
    for call in ("replay", "test", "1/replay"):
        assert stack.api("senior").post(f"{path}/{call}", json={"channel": "log"}).status_code == 403
    assert stack.api("admin").post(f"{path}/999999/replay").status_code == 404
    stack.act(held, "withdraw", who="admin")


def test_replay_needs_to_know_what(stack: Stack) -> None:
    assert "--all" in stack.kt("notify", "replay", who="admin", code=2)
