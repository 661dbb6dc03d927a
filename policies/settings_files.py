"""Escalation settings from files. A calendar may stand elsewhere: `ical: {file: legal.ics}` and `ical: {url: "https://…"}`
are its text, as it is at that moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from escalations.ical import LARGEST
from escalations.settings import EscalationSettings
from policies.documents import Document
from policies.loading import BadConfig, Complaint, complain, read, validate

Fetch = Callable[[str, int], bytes]
_UNREAD = {"layers": [{"name": "not fetched", "members": ["somebody"], "start": "2000-01-01"}]}
"""What stands in the place of a calendar that nobody has fetched, so that the rest can be checked."""


def load_escalation_settings(path: Path) -> EscalationSettings:
    """Raises BadConfig."""
    return settings_of(read(path))


def settings_of(document: Document, fetch: Fetch | None = None) -> EscalationSettings:
    """The settings that a document is. Without `fetch` a calendar that has an address is not looked at, and they are
    for checking alone. Raises BadConfig."""
    return validate(with_calendars(document, fetch), EscalationSettings)


def with_calendars(document: Document, fetch: Fetch | None = None) -> Document:
    """The document with the calendars that it names. Raises BadConfig for one that cannot be read."""
    schedules = document.data.get("schedules") if isinstance(document.data, dict) else None
    if not isinstance(schedules, dict):
        return document
    wrong: list[Complaint] = []
    given: dict[str, Any] = {}
    for name, schedule in schedules.items():
        ical = schedule.get("ical") if isinstance(schedule, dict) else None
        given[name] = schedule
        [(where, named)] = ical.items() if isinstance(ical, dict) and len(ical) == 1 else [("", None)]
        if where not in ("file", "url") or not isinstance(named, str):
            continue
        if where == "url" and fetch is None:
            given[name] = {part: said for part, said in schedule.items() if part != "ical"} | _UNREAD
            continue
        try:
            raw = (
                _read(Path(document.name).parent / named) if fetch is None or where == "file" else fetch(named, LARGEST)
            )
            given[name] = {**schedule, "ical": _text(raw)}
        except ValueError as fault:
            told = f"schedules.{name}.ical.{where}: {named!r} {fault}"
            wrong.append(complain(document, ("schedules", name, "ical", where), "KT001", told))
    if wrong:
        raise BadConfig(wrong)
    return replace(document, data={**document.data, "schedules": given})


def _read(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise ValueError(f"cannot be read: {fault.strerror}") from None
    if len(raw) > LARGEST:
        raise ValueError(f"is larger than {LARGEST // 1024} KiB; leave out turns that are over")
    return raw


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
