"""Mail over SMTP: plain and HTML, one thread for each escalation; ids, states, and of content what the settings say.

The Message-ID follows from the notification's id, so a repetition is the same message to whoever compares them. The
first of a thread is `<ESCALATION@domain>`; all others refer to it, even where it went to somebody else. Links only open
pages: scanners follow every link in a mail, so none of them may do anything.

Sources: RFC 5322 section 3.6.4 (threads), RFC 3834 (automatic mail), RFC 2919 (List-Id)
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

import aiosmtplib

from activities.channels.effects import effect_of
from activities.channels.faults import fault, secret
from activities.channels.words import finding, page, plain, standing, when_due
from escalations.channels import EmailChannel as EmailSettings
from escalations.events import EventType
from escalations.severity import Severity
from workflows.messages import Notification

TIMEOUT_S = 20.0
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_logger = logging.getLogger("keeptrusts.notify")


class EmailChannel:
    """Writes to `recipients`, in one message. `excerpt` is one line of the held answer: hostile text."""

    def __init__(
        self,
        settings: EmailSettings,
        environment: Mapping[str, str],
        recipients: Sequence[str],
        excerpt: str | None = None,
    ) -> None:
        self.settings = settings
        self._environment = environment
        self.recipients = tuple(dict.fromkeys(recipients))
        self._excerpt = excerpt

    async def send(self, notification: Notification) -> bool:
        """Raises ApplicationError: final where the server refused for good (5xx), else Temporal tries again."""
        if not effect_of(notification.event).mails:
            return False
        if not self.recipients:
            raise fault("email", "there is nobody to write to: no address is in the settings or known", final=True)
        link = page(self._environment, notification.view.escalation_id)
        message = compose(self.settings, notification, link, self.recipients, self._excerpt)
        await deliver(self.settings, self._environment, message, self.recipients)
        return True


async def deliver(
    settings: EmailSettings, environment: Mapping[str, str], message: EmailMessage, recipients: Sequence[str]
) -> None:
    """Hand a message to the server. Raises ApplicationError.

    An address that is refused while others are taken is only final if the refusal is; a temporary one is tried again
    for all, which the Message-ID makes harmless.
    """
    reference = settings.password_ref
    password = secret("email", reference, environment, "a password") if reference else None
    try:
        refused, _ = await aiosmtplib.send(
            message,
            sender=settings.sender,
            recipients=list(recipients),
            hostname=settings.host,
            port=settings.port or _PORTS[settings.tls],
            username=settings.username,
            password=password,
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            tls_context=ssl.create_default_context(cafile=settings.ca_file) if settings.tls != "none" else None,
            timeout=TIMEOUT_S,
        )
    except aiosmtplib.SMTPRecipientsRefused as all_refused:
        raise _refused([one.code for one in all_refused.recipients]) from None
    except aiosmtplib.SMTPResponseException as answered:
        raise _refused([answered.code]) from None
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as away:
        raise fault("email", f"the mail server could not be used: {type(away).__name__}") from None
    if refused:
        codes = [answer.code for answer in refused.values()]
        if any(code < 500 for code in codes):
            raise _refused([code for code in codes if code < 500])
        _logger.warning("%d of %d addresses of a mail were refused", len(codes), len(recipients))


def _refused(codes: Sequence[int]) -> Exception:
    """Only the codes: a server's words may repeat addresses."""
    told = ", ".join(str(code) for code in sorted(set(codes)))
    return fault("email", f"the mail server refused ({told})", final=all(code >= 500 for code in codes))


def compose(
    settings: EmailSettings,
    notification: Notification,
    link: str,
    recipients: Sequence[str],
    excerpt: str | None = None,
) -> EmailMessage:
    """The message. Its subject stays the same over a thread, as some readers thread by nothing else."""
    view, effect = notification.view, effect_of(notification.event)
    domain = settings.sender.rpartition("@")[2]
    first = f"<{_atom(view.escalation_id)}@{domain}>"
    starts = notification.event == EventType.OPENED
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = ("" if starts else "Re: ") + f"Review {plain(view.escalation_id)}: {plain(view.policy_rule)}"
    message["Date"] = format_datetime(notification.at)
    message["Message-ID"] = first if starts else f"<{_thread_id(notification)}@{domain}>"
    if not starts:
        message["In-Reply-To"] = first
        message["References"] = first
    message["List-Id"] = f"<escalations.{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["X-Keeptrusts-Event"] = plain(notification.event)
    if view.severity.at_least(Severity.HIGH):
        message["Importance"] = "high"
    facts = {
        "Severity": view.severity.value,
        "Policy": finding(view),
        "Status": standing(view),
        "Due": when_due(view),
        "For": plain(notification.recipient),
    }
    if excerpt and view.end is None:
        facts["Answer"] = excerpt
    footer = _FOOTER_WITH_EXCERPT if "Answer" in facts else _FOOTER
    lines = [f"{name}: {value}" for name, value in facts.items()]
    message.set_content("\n".join([f"{effect.words}.", "", *lines, "", f"Open it: {link}", "", footer, ""]))
    message.add_alternative(_html(effect.words, facts, link, footer), subtype="html")
    return message


_FOOTER = "The link opens a page and decides nothing. This message holds no part of what is under review."
_FOOTER_WITH_EXCERPT = "The link opens a page and decides nothing. The excerpt may hold more than was recognised."


def _html(words: str, facts: Mapping[str, str], link: str, footer: str) -> str:
    rows = "".join(
        f'<tr><th align="left" style="padding-right:1em">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif">'
        f"<p><strong>{escape(words)}.</strong></p><table>{rows}</table>"
        f'<p><a href="{escape(link)}" rel="noreferrer">Open it</a></p><p><small>{escape(footer)}</small></p>'
        "</body></html>"
    )


def _thread_id(notification: Notification) -> str:
    """The notification's id without its channel: the same event is the same message on every list that it reaches."""
    return _atom(".".join(notification.id.split("/")[:2]))


def _atom(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text).strip(".") or "escalation"
