"""Escalation settings from files. A calendar may stand in one of its own: `ical: {file: legal.ics}` is its text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from escalations.ical import LARGEST
from escalations.settings import EscalationSettings
from policies.documents import Document
from policies.loading import BadConfig, Complaint, complain, read, validate


def load_escalation_settings(path: Path) -> EscalationSettings:
    """Raises BadConfig."""
    return settings_of(read(path))


def settings_of(document: Document) -> EscalationSettings:
    """The settings that a document is. Raises BadConfig."""
    return validate(with_calendars(document), EscalationSettings)


def with_calendars(document: Document) -> Document:
    """The document with the calendars that it names. Raises BadConfig for one that cannot be read."""
    schedules = document.data.get("schedules") if isinstance(document.data, dict) else None
    if not isinstance(schedules, dict):
        return document
    wrong: list[Complaint] = []
    given: dict[str, Any] = {}
    for name, schedule in schedules.items():
        ical = schedule.get("ical") if isinstance(schedule, dict) else None
        given[name] = schedule
        if not isinstance(ical, dict) or set(ical) != {"file"} or not isinstance(ical["file"], str):
            continue
        try:
            given[name] = {**schedule, "ical": _read(Path(document.name).parent / ical["file"])}
        except ValueError as fault:
            told = f"{ical['file']!r} {fault}"
            wrong.append(complain(document, ("schedules", name, "ical", "file"), "KT001", told))
    if wrong:
        raise BadConfig(wrong)
    return replace(document, data={**document.data, "schedules": given})


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise ValueError(f"cannot be read: {fault.strerror}") from None
    if len(raw) > LARGEST:
        raise ValueError(f"is larger than {LARGEST // 1024} KiB; leave out turns that are over")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
