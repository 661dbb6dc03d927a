"""Mail, against a real SMTP server on loopback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from temporalio.exceptions import ApplicationError

from activities.channels.email import EmailChannel
from escalations.channels import EmailChannel as EmailSettings
from escalations.channels import SecretReference
from tests.activities.certificates import certified
from tests.activities.notifications import breached, claimed, notification, resolved, view

TO = ("ana@example.com", "ben@example.com")
PASSWORD = "of the tests"
ENVIRONMENT = {"KT_PUBLIC_URL": "https://review.example.com", "SMTP_PASSWORD": PASSWORD}


class Mailbox:
    """What the server took. `answers` are what it says to RCPT for an address, `after_data` to a message."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.answers: dict[str, str] = {}
        self.after_data = "250 OK"

    async def handle_RCPT(self, _: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        assert mail.defects == []
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(smtp.transport.get_extra_info("ssl_object") is not None)
        return self.after_data


@asynccontextmanager
async def server(mailbox: Mailbox, ssl: Any = None, **options: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(mailbox, loop=loop, **options), "127.0.0.1", 0, ssl=ssl)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()


def settings(port: int, **changes: Any) -> EmailSettings:
    plain: dict[str, Any] = {
        "type": "email",
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "from": "kt@example.com",
    }
    return EmailSettings.model_validate({**plain, **changes})


async def deliver(*told: tuple[str, Any], to: tuple[str, ...] = TO) -> list[EmailMessage]:
    mailbox = Mailbox()
    async with server(mailbox) as port:
        for seq, (event, seen) in enumerate(told, start=1):
            await EmailChannel(settings(port), ENVIRONMENT, to).send(notification(event, seen, "email", seq))
    return mailbox.mails


async def test_an_escalation_is_one_thread() -> None:
    first, second, third = await deliver(("opened", view()), ("breached", breached()), ("resolved", resolved()))
    assert first["Message-ID"] == "<esc_1@example.com>"
    assert first["References"] is None
    assert [mail["Message-ID"] for mail in (second, third)] == ["<esc_1.2@example.com>", "<esc_1.3@example.com>"]
    assert {mail["In-Reply-To"] for mail in (second, third)} == {"<esc_1@example.com>"} == {second["References"]}
    assert {mail["Subject"].removeprefix("Re: ") for mail in (first, second, third)} == {
        "Review esc_1: human-oversight"
    }


async def test_a_repetition_is_the_same_message() -> None:
    _, first = await deliver(("opened", view()), ("breached", breached()))
    _, again = await deliver(("opened", view()), ("breached", breached()))
    assert (first["Message-ID"], first["Date"]) == (again["Message-ID"], again["Date"])


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


async def test_a_mail_says_what_is_to_be_done_twice_and_links_only_to_a_page() -> None:
    (mail,) = await deliver(("opened", view()))
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    for body in (plain.get_content(), html.get_content()):
        for words in (
            "Review wanted",
            "high",
            "human-oversight (legal_opinions)",
            "2026-05-07 11:00 UTC",
            "team:legal",
        ):
            assert words in body
        assert set(re.findall(r"https?://[^\s\"<]+", body)) == {"https://review.example.com/escalations/esc_1"}
    tags = Links(html.get_content()).found
    assert [attributes["href"] for tag, attributes in tags if tag == "a"] == [
        "https://review.example.com/escalations/esc_1"
    ]
    assert not {tag for tag, _ in tags} & {"img", "script", "form", "iframe", "link", "style"}


async def test_hostile_names_are_text_and_no_headers() -> None:
    hostile = view(policy_rule="x\r\nBcc: evil@example.com\r\n\r\n<script>", reason_code="<img src=x>&\u202e")
    (mail,) = await deliver(("opened", hostile))
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Review esc_1: x Bcc: evil@example.com <script>"
    html = mail.get_body(("html",))
    assert html is not None
    assert not {tag for tag, _ in Links(html.get_content()).found} & {"script", "img"}
    assert "\u202e" not in html.get_content()


async def test_mails_are_marked_as_automatic_and_by_event() -> None:
    (mail,) = await deliver(("opened", view()))
    assert (mail["Auto-Submitted"], mail["X-Keeptrusts-Event"]) == ("auto-generated", "opened")
    assert mail["List-Id"] == "<escalations.example.com>"
    assert mail["Importance"] == "high"
    assert mail["Date"].datetime == datetime(2026, 5, 7, 10, tzinfo=UTC)


async def test_small_changes_are_not_mailed() -> None:
    assert await deliver(("claimed", claimed()), ("extended", claimed()), ("commented", claimed())) == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_both_ways_of_tls_check_the_certificate(tmp_path: Path, tls: str) -> None:
    certificate = certified(tmp_path, "localhost")
    mailbox = Mailbox()
    options: dict[str, Any] = {"ssl": certificate.server} if tls == "implicit" else {"tls_context": certificate.server}
    async with server(mailbox, **options) as port:
        trusting = settings(port, host="localhost", tls=tls, ca_file=str(certificate.file))
        await EmailChannel(trusting, ENVIRONMENT, TO).send(notification(channel="email"))
        with pytest.raises(ApplicationError, match="could not be used") as told:
            await EmailChannel(settings(port, host="localhost", tls=tls), ENVIRONMENT, TO).send(notification())
    assert mailbox.encrypted == [True]
    assert not told.value.non_retryable


async def test_a_server_without_tls_gets_no_mail_in_the_clear() -> None:
    mailbox = Mailbox()
    async with server(mailbox) as port:
        with pytest.raises(ApplicationError):
            await EmailChannel(settings(port, tls="starttls"), ENVIRONMENT, TO).send(notification())
    assert mailbox.mails == []


def _authenticate(_: SMTP, __: Session, ___: Envelope, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=right, handled=False)


@pytest.mark.parametrize(("password", "taken"), [(PASSWORD, True), ("wrong words", False)])
async def test_a_server_may_want_a_password(tmp_path: Path, password: str, taken: bool) -> None:
    certificate = certified(tmp_path, "localhost")
    mailbox = Mailbox()
    options = {"tls_context": certificate.server, "authenticator": _authenticate, "auth_required": True}
    async with server(mailbox, **options) as port:
        secured = settings(
            port, host="localhost", tls="starttls", ca_file=str(certificate.file),
            username="kt", password_ref=SecretReference(env="SMTP_PASSWORD"),
        )  # fmt: skip
        channel = EmailChannel(secured, {**ENVIRONMENT, "SMTP_PASSWORD": password}, TO)
        if taken:
            await channel.send(notification())
        else:
            with pytest.raises(ApplicationError, match="535") as told:
                await channel.send(notification())
            assert told.value.non_retryable
            assert "wrong" not in str(told.value)
    assert len(mailbox.mails) == taken


@pytest.mark.parametrize(
    ("answers", "final"),
    [
        ({TO[0]: "550 no such user", TO[1]: "550 no such user"}, True),
        ({TO[0]: "550 no such user", TO[1]: "450 greylisted"}, False),
        ({TO[0]: "450 greylisted"}, False),
    ],
)
async def test_a_refusal_that_passes_is_tried_again_and_names_nobody(answers: dict[str, str], final: bool) -> None:
    mailbox = Mailbox()
    mailbox.answers = answers
    async with server(mailbox) as port:
        with pytest.raises(ApplicationError) as told:
            await EmailChannel(settings(port), ENVIRONMENT, TO).send(notification())
    assert told.value.non_retryable is final
    assert "example.com" not in str(told.value)


async def test_one_dead_address_keeps_no_mail_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    mailbox = Mailbox()
    mailbox.answers = {TO[0]: "550 no such user"}
    async with server(mailbox) as port:
        await EmailChannel(settings(port), ENVIRONMENT, TO).send(notification())
    assert mailbox.recipients == [[TO[1]]]
    assert "1 of 2 addresses" in caplog.text
    assert TO[0] not in caplog.text


@pytest.mark.parametrize(("answer", "final"), [("451 later", False), ("554 no", True)])
async def test_a_message_that_is_refused(answer: str, final: bool) -> None:
    mailbox = Mailbox()
    mailbox.after_data = answer
    async with server(mailbox) as port:
        with pytest.raises(ApplicationError, match=answer[:3]) as told:
            await EmailChannel(settings(port), ENVIRONMENT, TO).send(notification())
    assert told.value.non_retryable is final


async def test_a_server_that_is_away_is_tried_again() -> None:
    async with server(Mailbox()) as port:
        pass
    with pytest.raises(ApplicationError, match="could not be used") as told:
        await EmailChannel(settings(port), ENVIRONMENT, TO).send(notification())
    assert not told.value.non_retryable


async def test_with_nobody_to_write_to_it_is_final() -> None:
    with pytest.raises(ApplicationError, match="nobody") as told:
        await EmailChannel(settings(1), ENVIRONMENT, ()).send(notification())
    assert told.value.non_retryable


async def test_odd_ids_make_valid_message_ids() -> None:
    odd = replace(view(), escalation_id="esc <1>@é")
    (mail,) = await deliver(("opened", odd))
    assert mail["Message-ID"] == "<esc--1---@example.com>"
