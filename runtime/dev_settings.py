"""The review settings that `kt dev` begins with: a file's, or its own where nobody has set any.

A file is checked as the API checks what is applied, by the people that `kt dev` has. Where a rule only names somebody
or a channel that is not there, or stands where it cannot be reached, that is a warning here: a file that was written
for another installation is often tried out first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from activities.opening import new_id
from activities.record import actor_entry
from escalations.commands import SYSTEM
from escalations.settings import EscalationSettings
from escalations.settings_checks import contradictions
from ledger.entries import Draft
from policies.documents import Document
from policies.fetching import fetch
from policies.lint_settings import contradiction_complaint
from policies.loading import BadConfig, read
from policies.settings_files import settings_of
from runtime.parts import TENANT
from runtime.progress import Progress
from store.database import Database
from store.directory import read_directory
from store.ledger import open_ledger
from store.settings import SettingsVersion, current_settings, put_settings

BY = "kt dev"
_LENIENT = frozenset({"KT301", "KT302", "KT303", "KT320", "KT346"})


def read_escalation_config(path: Path, defaults: Path) -> tuple[Document, EscalationSettings]:
    """The given settings; what they leave out is as `kt dev` has it. Raises BadConfig."""
    given, own = read(path), read(defaults)
    settings_of(given, fetch)
    merged = Document(given.name, given.text, {**own.data, **given.data}, given.places)
    return merged, settings_of(merged, fetch)


async def put_in_force(
    database: Database,
    ledger_dir: Path,
    document: Document,
    settings: EscalationSettings,
    progress: Progress,
    *,
    keep: bool,
) -> None:
    """Apply the settings, on the record; with `keep` only where nobody has set any.

    Raises BadConfig, StoreUnavailable.
    """
    async with database.read() as connection:
        now = await current_settings(connection, TENANT)
        directory = await read_directory(connection, TENANT)
    if now.settings == settings or (keep and now.version):
        return
    faults = contradictions(settings, directory, datetime.now(UTC))
    complaints = [contradiction_complaint(document, one, warning=one.rule in _LENIENT) for one in faults]
    if any(not complaint.warning for complaint in complaints):
        raise BadConfig(complaint for complaint in complaints if not complaint.warning)
    for complaint in complaints:
        progress.say(str(complaint))
    ledger = await open_ledger("dev", database, ledger_dir)
    try:
        async with database.write() as connection:
            done = await put_settings(connection, TENANT, settings, BY, datetime.now(UTC))
            await ledger.append(_entry(done))
    finally:
        await ledger.close()


def _entry(done: SettingsVersion) -> Draft:
    return Draft(
        event_id=new_id("change"),
        type="settings.changed",
        at=datetime.now(UTC),
        ts_source="dev",
        tenant=TENANT,
        op="change",
        outcome="ok",
        actor={**actor_entry(SYSTEM), "id": BY},
        data={"settings": "escalations", "version": done.version, "digest": done.digest},
    )
