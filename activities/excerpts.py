"""What of a held answer may be shown outside of this product, on a card or in a mail: nothing, its text with what was
recognised struck out, or all of it.

The patterns know no names of people and places (see policies.detectors.pii), so `redacted` is less, not nothing. Where
detection fails nothing is shown. `releasable` says which decisions somebody may make who has seen no more than this: to
release is only for those who saw all that would be released.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from activities.channels.words import plain
from activities.record import actor_entry
from escalations.channels import Content
from escalations.commands import SYSTEM
from escalations.completion import texts
from escalations.decisions import Resolution
from ledger.entries import Draft
from policies.credentials import KINDS, find_credentials
from policies.detectors import Span
from policies.detectors.pii import find
from policies.options import PiiDetector
from store.contents import ANSWER, FINDING, Contents
from store.database import Database, StoreUnavailable
from store.ledger import LedgerWriter
from vault.envelopes import VaultError
from workflows.messages import Notification

MOST_LINE = 300
"""Characters of the one line that cards and mails show."""
_logger = logging.getLogger("keeptrusts.notify")
_EVERY_KIND = tuple(KINDS)
_SAID = frozenset({"role", "content", "refusal", "annotations"})


@dataclass(frozen=True, slots=True)
class Shown:
    """Texts of an answer as they may be shown, each with its JSON Pointer."""

    texts: tuple[tuple[str, str], ...]
    releasable: frozenset[Resolution] = frozenset()


def show(completion: dict[str, Any], content: Content) -> Shown | None:
    """None where nothing may be shown: the setting says so, or detection failed."""
    if content == "none":
        return None
    try:
        return _show(completion, content)
    except Exception as fault:
        # Whatever it is: an answer that could not be looked through is not shown.
        _logger.error("an answer could not be looked through, so it is not shown: %s", type(fault).__name__)
        return None


def _show(completion: dict[str, Any], content: Content) -> Shown:
    options = PiiDetector(pci_mode=True)
    held = list(texts(completion))
    personal = {path: find(path, text, options) for path, text in held}
    secret = {path: find_credentials(path, text, _EVERY_KIND) for path, text in held}
    has_personal, has_secret = any(personal.values()), any(secret.values())
    seen: set[Resolution] = set()
    if content == "full":
        seen = {Resolution.ALLOW, *([Resolution.REDACT_AND_ALLOW] if has_personal else [])}
    elif not has_secret:
        seen = {Resolution.REDACT_AND_ALLOW if has_personal else Resolution.ALLOW}
    if not _only_says(completion):
        seen = set()
    if content == "full":
        return Shown(tuple(held), frozenset(seen))
    struck = tuple((path, _struck(text, (*personal[path], *secret[path]))) for path, text in held)
    return Shown(struck, frozenset(seen))


def _struck(text: str, spans: Iterable[Span]) -> str:
    """The text with a label in place of every span; of spans that overlap, the first gives its label to both."""
    pieces, done = [], 0
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= done:
            pieces += [text[done : span.start], f"[{span.label}]"]
        done = max(done, span.end)
    return "".join(pieces) + text[done:]


def _only_says(completion: dict[str, Any]) -> bool:
    """Whether its texts are all that there is to it: a chat message, without tool calls, images or the like."""
    choices = completion.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return False
    message = choices[0].get("message")
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        return False
    return not any(value for name, value in message.items() if name not in _SAID)


def as_much_as(content: Content, found: Mapping[str, bytes]) -> Content:
    """The setting, or less: where reviewers see stars unless they may reveal, `full` is no way around that."""
    finding = orjson.loads(found.get(FINDING, b"{}"))
    hidden = finding.get("hidden") if isinstance(finding, dict) else finding
    if isinstance(hidden, dict):
        hidden = hidden.get("answer")
    return "redacted" if content == "full" and hidden else content


def line(shown: Shown | None) -> str | None:
    """The first words of it, on one line and without control characters. Still hostile: to be escaped where it goes.

    It is cut after striking out, so that half a number is never left over.
    """
    if shown is None:
        return None
    return plain(" ".join(text for _, text in shown.texts), MOST_LINE) or None


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Reads answers from the vault for channels that show something of them; the ledger has it before they do."""

    database: Database
    contents: Contents
    ledger: LedgerWriter

    async def line(self, notification: Notification, content: Content) -> str | None:
        """One line of the case's answer. None where nothing may be shown, or it cannot be read or written down."""
        if content == "none":
            return None
        tenant, escalation_id = notification.tenant, notification.view.escalation_id
        try:
            async with self.database.read() as connection:
                found = await self.contents.read(connection, tenant, escalation_id, ANSWER, FINDING)
            if ANSWER not in found:
                return None
            content, completion = as_much_as(content, found), orjson.loads(found[ANSWER])
            shown = await asyncio.to_thread(show, completion, content) if isinstance(completion, dict) else None
            if shown is not None:
                await self._note(notification, content)
        except (VaultError, StoreUnavailable, ValueError) as fault:
            _logger.warning("no excerpt of %s: %s", escalation_id, type(fault).__name__)
            return None
        return line(shown)

    async def _note(self, notification: Notification, content: Content) -> None:
        """Once for each case and channel: that part of it has left the house."""
        escalation_id, channel = notification.view.escalation_id, notification.channel
        await self.ledger.append(
            Draft(
                event_id=f"{escalation_id}/excerpt/{channel}"[:200],
                type="content.read",
                at=datetime.now(UTC),
                ts_source="worker",
                tenant=notification.tenant,
                op="read",
                outcome="ok",
                actor=actor_entry(SYSTEM),
                escalation_id=escalation_id,
                data={"what": "excerpt", "content": content, "channel": channel},
            )
        )
