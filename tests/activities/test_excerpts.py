"""What of a held answer goes to cards and mails: nothing by default, and nothing where detection fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from sqlalchemy import delete

from activities import excerpts
from activities.channels.slack_card import Look, blocks
from activities.excerpts import MOST_LINE, Excerpts, Shown, as_much_as, line, show
from activities.notify import Notifier
from api.slack_modal import MOST_SHOWN, modal, offered, visible
from escalations.channels import Content
from escalations.decisions import Resolution
from escalations.settings import EscalationSettings
from store.contents import ANSWER, FINDING, Contents
from store.database import Database, StoreUnavailable
from store.ledger import LedgerWriter, open_ledger
from store.schema import content_keys
from store.settings import put_settings
from tests.activities.notifications import claimed, notification, resolved, view
from tests.activities.receivers import FakeSlack, serving
from tests.activities.test_email import Mailbox, server
from tests.escalations.cases import START
from tests.support.ledger import ledger_entries
from tests.support.stores import new_store
from vault.envelopes import Envelopes
from vault.keyring import ensure_keyring

CARD = "4111 1111 1111 1111"
KEY = "sk-ant-" + "a1b2" * 10


def answer(text: Any, **message: Any) -> dict[str, Any]:
    return {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": text, **message}}]}


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ("none", None),
        ("redacted", "Pay with [CREDIT_CARD] and [ANTHROPIC_KEY]."),
        ("full", f"Pay with {CARD} and {KEY}."),
    ],
)
def test_the_setting_says_how_much_is_shown(content: Content, seen: str | None) -> None:
    assert line(show(answer(f"Pay with {CARD}\nand {KEY}."), content)) == seen


def test_nothing_is_shown_where_detection_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a pattern that does not end")

    monkeypatch.setattr(excerpts, "find", broken)
    assert show(answer("harmless"), "redacted") is None
    assert show(answer("harmless"), "full") is None


def test_an_excerpt_is_cut_after_striking_out() -> None:
    filler = "word " * 58
    cut = line(show(answer(f"{filler}{CARD} and more"), "redacted"))
    assert cut is not None
    assert len(cut) == MOST_LINE
    assert "4111" not in cut


def test_an_excerpt_is_one_line_without_what_hides_or_turns_text() -> None:
    assert line(show(answer("a\n> b\u202e\u200b\x00c"), "full")) == "a > bc"


def test_findings_that_overlap_are_struck_out_together() -> None:
    shown = show(answer(f"postgres://u:{CARD.replace(' ', '')}@db.example.com/x"), "redacted")
    assert shown is not None
    assert "4111" not in str(shown.texts)


@pytest.mark.parametrize(
    ("held", "content", "releasable"),
    [
        (answer("fine"), "none", set()),
        (answer("fine"), "redacted", {Resolution.ALLOW}),
        (answer("fine"), "full", {Resolution.ALLOW}),
        (answer(CARD), "redacted", {Resolution.REDACT_AND_ALLOW}),
        (answer(CARD), "full", {Resolution.ALLOW, Resolution.REDACT_AND_ALLOW}),
        (answer(f"{CARD} {KEY}"), "redacted", set()),
        (answer("fine", tool_calls=[{"function": {"name": "pay", "arguments": "{}"}}]), "full", set()),
        (answer([{"type": "text", "text": "fine"}]), "full", set()),
        ({"choices": []}, "full", set()),
        ({"object": "response", "output": [{"type": "message", "content": "fine"}]}, "full", set()),
    ],
)
def test_only_what_is_shown_whole_may_be_released(
    held: dict[str, Any], content: Content, releasable: set[Resolution]
) -> None:
    shown = show(held, content)
    assert (shown.releasable if shown else frozenset()) == releasable
    assert offered(shown) == tuple(r for r in Resolution if r in releasable or r is Resolution.BLOCK)


def test_what_is_too_long_for_a_window_can_only_be_blocked_in_it() -> None:
    assert offered(show(answer("x" * (MOST_SHOWN + 1)), "full")) == (Resolution.BLOCK,)


def test_a_window_shows_what_hides_and_holds_no_markup() -> None:
    shown = show(answer("<!channel> *b* \u202e\u200bend"), "full")
    window = modal(claimed(), shown, ("other",), "https://x.example", "https://hooks.slack.com/actions/1")
    (text,) = [block for block in window["blocks"] if block["type"] == "rich_text"]
    assert text["elements"][0]["elements"][0] == {"type": "text", "text": "<!channel> *b* ⟨U+202E⟩⟨U+200B⟩end"}
    assert visible("a\nb\t\x07") == "a\nb\t⟨U+0007⟩"


def test_an_excerpt_on_a_card_cannot_mention_link_or_leave_its_line() -> None:
    hostile = line(Shown((("/", "<!here> <https://evil.example|log in>\n\n*Approved* by ana &amp;"),)))
    shown = json.dumps(blocks(view(), "https://x.example", Look(excerpt=hostile)), ensure_ascii=False)
    assert ">&lt;!here&gt; &lt;https://evil.example|log in&gt; *Approved* by ana &amp;amp;" in shown


class AwayLedger:
    async def append(self, *_: Any) -> None:
        raise StoreUnavailable("the disk is full")


@dataclass
class House:
    """A store with one sealed answer, and a workspace and a mailbox to tell."""

    database: Database
    directory: Path
    contents: Contents
    ledger: LedgerWriter
    environment: dict[str, str]
    slack: FakeSlack
    mailbox: Mailbox
    smtp_port: int

    @property
    def notifier(self) -> Notifier:
        return Notifier(self.database, self.environment, Excerpts(self.database, self.contents, self.ledger))

    async def shows(self, content: str) -> None:
        channels = {
            "slack": {"type": "slack", "token_ref": {"env": "T"}, "channel": "C0LEGAL001", "content": content},
            "email": {
                "type": "email", "host": "127.0.0.1", "port": self.smtp_port, "tls": "none",
                "from": "kt@example.com", "to": ["desk@example.com"], "content": content,
            },
        }  # fmt: skip
        async with self.database.write() as connection:
            settings = EscalationSettings.model_validate({"notification_channels": channels})
            await put_settings(connection, "default", settings, "admin", START)


@pytest_asyncio.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr("time.time", lambda: START.timestamp())
    slack, mailbox = FakeSlack(START.timestamp()), Mailbox()
    contents = Contents(Envelopes(ensure_keyring(tmp_path / "keyring.json")))
    async with new_store("sqlite", tmp_path, None) as database, server(mailbox) as port:
        ledger = await open_ledger("worker", database, tmp_path / "ledger")
        held = orjson.dumps(answer(f"<b>Pay</b> with {CARD}."))
        key, wrapped = contents.new_key("default", "esc_1")
        async with database.write() as connection:
            await contents.create(connection, "default", "esc_1", wrapped, key, {ANSWER: held}, START)
        with serving(slack.answer) as listening:
            environment = {"KT_SLACK_API_URL": f"http://127.0.0.1:{listening.port}/api", "T": slack.TOKEN}
            yield House(database, tmp_path / "ledger", contents, ledger, environment, slack, mailbox, port)
        await ledger.close()


async def test_by_default_nothing_of_the_answer_leaves_the_house(house: House) -> None:
    await house.shows("none")
    await house.notifier.notify(notification())
    await house.notifier.notify(notification(channel="email"))
    assert "Pay" not in json.dumps(house.slack.cards()) + str(house.mailbox.mails[0])


async def test_a_card_and_a_mail_show_a_redacted_line_and_the_ledger_knows(house: House) -> None:
    await house.shows("redacted")
    await house.notifier.notify(notification())
    await house.notifier.notify(notification(channel="email"))
    assert "&lt;b&gt;Pay&lt;/b&gt; with [CREDIT_CARD]." in json.dumps(house.slack.cards()[0]["blocks"])
    plain, html = (part.get_content() for part in house.mailbox.mails[0].iter_parts())
    assert "Answer: <b>Pay</b> with [CREDIT_CARD]." in plain
    assert "&lt;b&gt;Pay&lt;/b&gt; with [CREDIT_CARD]." in html
    assert "<b>Pay" not in html
    reads = [e for e in ledger_entries(house.directory) if e["type"] == "content.read"]
    assert [e["data"]["channel"] for e in reads] == ["slack", "email"]


async def test_full_is_no_way_around_stars(house: House) -> None:
    async with house.database.write() as connection:
        key = await house.contents.key(connection, "default", "esc_1")
        finding = orjson.dumps({"hidden": {"answer": [{"path": "/x", "start": 0, "end": 1, "label": "CREDIT_CARD"}]}})
        await house.contents.put(connection, "default", "esc_1", key, {FINDING: finding}, START)
    await house.shows("full")
    await house.notifier.notify(notification())
    shown = json.dumps(house.slack.cards())
    assert "[CREDIT_CARD]" in shown
    assert "4111" not in shown


@pytest.mark.parametrize(
    ("finding", "content"),
    [
        ({"hidden": {"request": [], "answer": []}}, "full"),
        ({"hidden": {"request": [{}], "answer": []}}, "full"),
        ({"hidden": {"request": [], "answer": [{}]}}, "redacted"),
        ({"hidden": "nonsense"}, "redacted"),
        ({}, "full"),
    ],
)
def test_full_acts_where_reviewers_see_no_stars_in_the_answer(finding: Any, content: Content) -> None:
    assert as_much_as("full", {FINDING: orjson.dumps(finding)}) == content


async def test_the_line_goes_from_the_card_when_the_case_ends(house: House) -> None:
    await house.shows("redacted")
    await house.notifier.notify(notification())
    await house.notifier.notify(notification("resolved", resolved(), seq=2))
    (card,) = house.slack.cards()
    assert "Blocked by ana" in json.dumps(card)
    assert "Pay" not in json.dumps(card)


async def test_an_answer_that_was_erased_is_told_without_a_line(house: House) -> None:
    await house.shows("redacted")
    async with house.database.write() as connection:
        await connection.execute(delete(content_keys))
    await house.notifier.notify(notification())
    assert "is not shown here" in json.dumps(house.slack.cards()[0])


async def test_what_cannot_be_written_down_is_not_shown(house: House) -> None:
    await house.shows("redacted")
    excerpts = Excerpts(house.database, house.contents, AwayLedger())  # type: ignore[arg-type]
    await Notifier(house.database, house.environment, excerpts).notify(notification())
    assert len(house.slack.cards()) == 1
    assert "Pay" not in json.dumps(house.slack.cards())
