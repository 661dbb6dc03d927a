"""Cards in Slack, against a fake of its Web API that keeps channels and checks what it is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.channels.slack import Memory, SlackChannel
from activities.channels.slack_card import EVENT_TYPE, Card, Look, blocks
from escalations.channels import SecretReference
from escalations.channels import SlackChannel as SlackSettings
from tests.activities.notifications import Projection, breached, claimed, notification, resolved, view
from tests.activities.receivers import Answer, FakeSlack, Server, as_json, serving
from tests.escalations.cases import START

SETTINGS = SlackSettings(type="slack", token_ref=SecretReference(env="SLACK_TOKEN"), channel="C0LEGAL001")


class Workspace:
    """A fake Slack, and workers that write to it. Each `worker` is a process with a memory of its own."""

    def __init__(self, slack: FakeSlack, server: Server) -> None:
        self.slack = slack
        self.projection = Projection()
        self.environment = {
            "KT_SLACK_API_URL": f"http://127.0.0.1:{server.port}/api",
            "KT_PUBLIC_URL": "https://review.example.com",
            "SLACK_TOKEN": FakeSlack.TOKEN,
        }
        self.memory = Memory()

    def channel(self, memory: Memory | None = None, settings: SlackSettings = SETTINGS, **to: Any) -> SlackChannel:
        return SlackChannel(settings, self.environment, self.projection.newest, memory or self.memory, **to)


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr("time.time", lambda: START.timestamp())
    slack = FakeSlack(START.timestamp())
    with serving(slack.answer) as server:
        yield Workspace(slack, server)


def texts(message: dict[str, Any]) -> str:
    return str(message["blocks"])


def buttons(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    actions = next(block for block in message["blocks"] if block["type"] == "actions")
    return {element["action_id"]: element for element in actions["elements"]}


async def test_a_case_is_one_card_that_follows_every_change(workspace: Workspace) -> None:
    for seq, (event, seen) in enumerate(
        [("opened", view()), ("claimed", claimed()), ("breached", breached()), ("resolved", resolved())], start=1
    ):
        await workspace.channel().send(notification(event, seen, seq=seq))
    (card,) = workspace.slack.cards()
    assert "Blocked by ana" in texts(card)
    assert set(buttons(card)) == {"kt_open"}
    assert card["metadata"]["event_payload"]["version"] == 4


async def test_a_card_says_what_is_to_be_done_until_when_and_holds_no_content(workspace: Workspace) -> None:
    await workspace.channel().send(notification())
    (card,) = workspace.slack.cards()
    due = START + timedelta(hours=1)
    for words in ("human-oversight (legal_opinions)", "high: Significant", "Open, in the queue of legal"):
        assert words in texts(card)
    assert f"<!date^{int(due.timestamp())}^" in texts(card)
    assert "2026-05-07 11:00 UTC" in texts(card)
    assert card["metadata"] == {
        "event_type": EVENT_TYPE,
        "event_payload": {"escalation_id": "esc_1", "version": 1, "said": "1"},
    }


@pytest.mark.parametrize("interactive", [False, True])
async def test_the_claim_button_is_a_link_until_clicks_have_somewhere_to_go(
    workspace: Workspace, interactive: bool
) -> None:
    await workspace.channel(look=Look(interactive=interactive)).send(notification())
    shown = buttons(workspace.slack.cards()[0])
    assert shown["kt_open"]["url"] == "https://review.example.com/escalations/esc_1"
    assert shown["kt_claim"]["value"] == "esc_1"
    assert ("url" in shown["kt_claim"]) is not interactive


async def test_hostile_names_neither_mention_nor_link_nor_hide(workspace: Workspace) -> None:
    hostile = view(policy_rule="<!channel> & <https://evil.example|login>\u202e\u200b\n*x*", reason_code="")
    await workspace.channel().send(notification("opened", hostile))
    (card,) = workspace.slack.cards()
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|login&gt; *x*" in card["text"]
    mrkdwn = [f for block in card["blocks"] for f in block.get("fields", ())]
    assert all("<!channel>" not in field["text"] and field["verbatim"] is True for field in mrkdwn)
    assert all(hidden not in texts(card) for hidden in "\u202e\u200b")


async def test_a_process_that_remembers_nothing_finds_the_card_again(workspace: Workspace) -> None:
    await workspace.channel(Memory()).send(notification())
    workspace.slack.page = 2
    for number in range(7):
        workspace.slack.says("C0LEGAL001", text=f"chatter {number}", user="U1")
    await workspace.channel(Memory()).send(notification("claimed", claimed(), seq=2))
    assert len(workspace.slack.cards()) == 1
    assert "Claimed by ana" in texts(workspace.slack.cards()[0])


async def test_a_card_that_came_late_is_found_too(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.slack.now += 3 * 86400
    monkeypatch.setattr("time.time", lambda: workspace.slack.now)
    await workspace.channel(Memory()).send(notification())
    await workspace.channel(Memory()).send(notification("claimed", claimed(), seq=2))
    assert len(workspace.slack.cards()) == 1


async def test_a_repetition_says_nothing_twice(workspace: Workspace) -> None:
    for _ in range(3):
        await workspace.channel(Memory()).send(notification())
        await workspace.channel(Memory()).send(notification("breached", breached(), seq=3))
    assert len(workspace.slack.cards()) == 1
    assert [reply["text"].split(".")[0] for reply in workspace.slack.replies()] == ["Deadline missed"]


@pytest.mark.parametrize(
    ("lost", "event"),
    [("chat.postMessage", "opened"), ("conversations.history", "opened"), ("chat.update", "claimed")],
)
async def test_an_answer_that_is_lost_leads_to_no_second_card(workspace: Workspace, lost: str, event: str) -> None:
    if event != "opened":
        await workspace.channel(Memory()).send(notification())
    told = notification(event, claimed(), seq=2)
    workspace.slack.lost.add(lost)
    with pytest.raises(ApplicationError, match="did not answer") as failed:
        await workspace.channel(Memory()).send(told)
    assert not failed.value.non_retryable
    await workspace.channel(Memory()).send(told)
    assert len(workspace.slack.cards()) == 1
    assert "Claimed by ana" in texts(workspace.slack.cards()[0])


async def test_events_of_one_burst_share_a_card(workspace: Workspace) -> None:
    told = [notification("opened", seq=1), notification("assigned", claimed(1), seq=2)]
    await asyncio.gather(*(workspace.channel().send(one) for one in told))
    assert len(workspace.slack.cards()) == 1


async def test_of_two_cards_that_two_processes_post_at_once_the_older_one_stays(workspace: Workspace) -> None:
    theirs: list[dict[str, Any]] = []

    def they_post_first() -> None:
        workspace.slack.before_posting = lambda: None
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"escalation_id": "esc_1", "version": 1, "said": "1"}}
        theirs.append(workspace.slack.says("C0LEGAL001", bot_id=FakeSlack.BOT, text="x", blocks=[], metadata=metadata))

    workspace.slack.before_posting = they_post_first
    await workspace.channel().send(notification("claimed", claimed(), seq=2))
    assert workspace.slack.cards() == theirs
    assert "Claimed by ana" in texts(theirs[0])


async def test_a_card_that_another_app_forged_is_not_ours(workspace: Workspace) -> None:
    metadata = {"event_type": EVENT_TYPE, "event_payload": {"escalation_id": "esc_1", "version": 99}}
    workspace.slack.says("C0LEGAL001", bot_id="B0THEIRS", text="approved!", metadata=metadata)
    await workspace.channel().send(notification("claimed", claimed(), seq=2))
    assert [card["bot_id"] for card in workspace.slack.cards()] == ["B0THEIRS", FakeSlack.BOT]


async def test_a_late_repetition_shows_the_case_as_it_is_now(workspace: Workspace) -> None:
    workspace.projection.now = resolved()
    await workspace.channel().send(notification())
    assert "Blocked by ana" in texts(workspace.slack.cards()[0])


async def test_a_change_during_a_write_is_written_too(workspace: Workspace) -> None:
    await workspace.channel().send(notification())
    workspace.projection.coming = [claimed(), claimed(), resolved()]
    await workspace.channel().send(notification("claimed", claimed(), seq=2))
    assert "Blocked by ana" in texts(workspace.slack.cards()[0])


async def test_nobody_is_called_about_a_case_that_has_ended(workspace: Workspace) -> None:
    await workspace.channel().send(notification())
    workspace.projection.now = resolved()
    await workspace.channel().send(notification("breached", breached(), seq=3))
    assert workspace.slack.replies() == []


async def test_the_card_of_an_earlier_route_follows_and_calls_nobody(workspace: Workspace) -> None:
    await workspace.channel().send(notification())
    workspace.projection.now = breached()
    late = replace(notification("breached", breached(), seq=3), following=True)
    await workspace.channel().send(late)
    assert workspace.slack.replies() == []
    assert len(workspace.slack.cards()) == 1


async def test_a_reply_whose_card_could_not_follow_is_not_repeated(workspace: Workspace) -> None:
    await workspace.channel().send(notification())
    workspace.slack.scripted["chat.update"] = [as_json({"ok": False, "error": "internal_error"})]
    late = notification("breached", breached(), seq=3)
    with pytest.raises(ApplicationError):
        await workspace.channel().send(late)
    await workspace.channel().send(late)
    assert len(workspace.slack.replies()) == 1
    assert "(missed)" in texts(workspace.slack.cards()[0])


@pytest.mark.parametrize("event", ["claimed", "breached"])
async def test_a_card_that_somebody_deleted_comes_back_with_the_next_change(workspace: Workspace, event: str) -> None:
    await workspace.channel().send(notification())
    workspace.slack.messages.clear()
    await workspace.channel().send(notification(event, breached(2), seq=2))
    assert len(workspace.slack.cards()) == 1
    assert workspace.slack.replies() == []


async def test_a_channel_by_name_is_looked_up_once(workspace: Workspace) -> None:
    await workspace.channel(destination="#hipaa-escalations").send(notification())
    looked = workspace.slack.calls.count("users.conversations")
    await workspace.channel(destination="#hipaa-escalations").send(notification("claimed", claimed(), seq=2))
    assert len(workspace.slack.cards("C0PHI00001")) == 1
    assert workspace.slack.calls.count("users.conversations") == looked == len(workspace.slack.channels)


async def test_what_a_case_costs_in_calls(workspace: Workspace) -> None:
    await workspace.channel().send(notification())
    assert workspace.slack.calls == [
        "auth.test", "conversations.history", "chat.postMessage", "conversations.history",
    ]  # fmt: skip
    workspace.slack.calls.clear()
    await workspace.channel().send(notification("claimed", claimed(), seq=2))
    assert workspace.slack.calls == ["chat.update"]


@pytest.mark.parametrize("error", ["channel_not_found", "invalid_auth", "not_in_channel", "is_archived"])
async def test_what_no_repetition_heals_is_final(workspace: Workspace, error: str) -> None:
    workspace.slack.scripted["chat.postMessage"] = [as_json({"ok": False, "error": error})]
    with pytest.raises(ApplicationError, match=error) as told:
        await workspace.channel().send(notification())
    assert told.value.non_retryable


@pytest.mark.parametrize(
    "answer",
    [
        as_json({"ok": False, "error": "internal_error"}),
        Answer(503, b"<html>maintenance</html>"),
        Answer(200, b"no json"),
        as_json([]),
        Answer(302, headers={"location": "http://127.0.0.1:9/"}),
    ],
)
async def test_what_passes_is_tried_again(workspace: Workspace, answer: Answer) -> None:
    workspace.slack.scripted["chat.postMessage"] = [answer]
    with pytest.raises(ApplicationError) as told:
        await workspace.channel().send(notification())
    assert not told.value.non_retryable
    assert "maintenance" not in str(told.value)


async def test_a_limit_is_waited_for_as_long_as_slack_says(workspace: Workspace) -> None:
    limited = as_json({"ok": False, "error": "ratelimited"}, 429, **{"retry-after": "37"})
    workspace.slack.scripted["chat.postMessage"] = [limited]
    with pytest.raises(ApplicationError) as told:
        await workspace.channel().send(notification())
    assert told.value.next_retry_delay == timedelta(seconds=37)
    assert not told.value.non_retryable


async def test_a_name_that_the_app_is_not_in_is_final_and_says_what_to_do(workspace: Workspace) -> None:
    with pytest.raises(ApplicationError, match="invite it") as told:
        await workspace.channel(destination="#elsewhere").send(notification())
    assert told.value.non_retryable


async def test_a_token_is_in_no_error(workspace: Workspace) -> None:
    workspace.environment["SLACK_TOKEN"] = "xoxb-wrong"
    with pytest.raises(ApplicationError, match="invalid_auth") as told:
        await workspace.channel().send(notification())
    assert "xoxb" not in str(told.value)
    workspace.environment["SLACK_TOKEN"] = ""
    with pytest.raises(ApplicationError, match="SLACK_TOKEN does not hold a Slack token"):
        workspace.channel()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"a page of excuses", {"content-type": "text/plain"}),
        Answer(200, b"<html>", {"content-type": "text/html"}),
        Answer(200, b"{", {"content-type": "application/json"}),
        Answer(200, b"[1]", {"content-type": "application/json"}),
        Answer(502, b"a page of excuses", {"content-type": "text/plain"}),
        Answer(410, b"{", {"content-type": "application/json"}),
        Answer(307, b"", {"location": "/api/elsewhere"}),
        Answer(lost=True),
    ],
)
async def test_what_is_not_slacks_answer_is_tried_again_by_nobody_but_temporal(
    workspace: Workspace, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.slack.scripted["chat.postMessage"].append(answer)
    with caplog.at_level(logging.DEBUG), pytest.raises(ApplicationError, match="Slack") as told:
        await workspace.channel().send(notification())
    assert not told.value.non_retryable
    assert workspace.slack.calls.count("chat.postMessage") == 1
    assert "elsewhere" not in workspace.slack.calls
    said = str(told.value) + caplog.text
    assert not any(word in said for word in ("excuses", FakeSlack.TOKEN, "Review wanted"))


async def test_no_proxy_keeps_slack_from_the_proxy(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(ApplicationError, match="did not answer"):
        await workspace.channel().send(notification())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert await workspace.channel().send(notification())


async def test_without_a_channel_there_is_nowhere_to_post(workspace: Workspace) -> None:
    with pytest.raises(ApplicationError, match="channel") as told:
        await workspace.channel(settings=SETTINGS.model_copy(update={"channel": None})).send(notification())
    assert told.value.non_retryable


async def test_a_comment_and_a_refusal_leave_slack_alone(workspace: Workspace) -> None:
    for event in ("commented", "refused"):
        await workspace.channel().send(notification(event))
    assert workspace.slack.calls == []


def test_the_memory_is_bounded() -> None:
    memory = Memory()
    for number in range(10_500):
        memory.keep(("w", "c", str(number)), Card("1", 1))
    assert len(memory.cards) == 10_000
    assert ("w", "c", "0") not in memory.cards


def test_a_card_of_every_state_is_valid_block_kit() -> None:
    fake = FakeSlack(0)
    for seen in (view(), claimed(), breached(), resolved(), resolved(resolution="allow")):
        long = replace(seen, policy_rule="p" * 5000, reason_code="r" * 5000, reviewer="x" * 5000)
        body = {
            "channel": "C0LEGAL001",
            "text": "t",
            "blocks": blocks(long, "https://x.example", Look(True, True, "x" * 300)),
        }
        assert fake.do_chat_postMessage(body)["ok"]
