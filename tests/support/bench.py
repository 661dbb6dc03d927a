"""A worker in the test's own process, over a store of its own, against whichever Temporal the test brings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from escalations.case import Opening
from escalations.commands import Actor, Command, Role
from escalations.views import View
from runtime.seed import seed
from runtime.temporal_binary import find_cli, usual_sources
from runtime.worker import WorkerParts, run_workers, workers
from store.database import Database, sqlite_url
from store.escalations import Scope, TimelineEntry, find_view, timeline
from store.ledger import LedgerWriter, open_ledger
from store.migrating import migrate
from vault.codec import data_converter
from vault.keyring import Keyring, ensure_keyring
from vault.signatures import Signer
from workflows.attributes import ALL
from workflows.messages import Instruction, Outcome, Start, bytes_to_sign
from workflows.review_messages import ReviewOutcome

Found = TypeVar("Found")
PATIENCE_S = 60.0


async def eventually(look: Callable[[], Awaitable[Found | None]], what: str) -> Found:
    """Look until there is something; fails with `what` when the time is over."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + PATIENCE_S
    while clock.time() < deadline:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S} s for {what}")


@dataclass
class Bench:
    """A worker that runs, and what it writes to."""

    client: Client
    database: Database
    ledger: LedgerWriter
    keyring: Keyring

    async def start(self, opening: Opening) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            "Escalation", Start(opening), id=opening.escalation_id, task_queue="escalations"
        )

    async def do(self, escalation_id: str, command: Command, *, id: str | None = None) -> Outcome:
        """A command as the API sends it."""
        return await self._send(escalation_id, command, id, Outcome)

    async def judge(self, review_id: str, command: Command) -> ReviewOutcome:
        """A command to a second review, as the API sends it."""
        return await self._send(review_id, command, None, ReviewOutcome)

    async def _send(self, to: str, command: Command, id: str | None, result: type[Found]) -> Found:
        signer = Signer(self.keyring)
        known = id or f"{to}-{command.operation}-{datetime.now(UTC).timestamp()}"
        unsigned = Instruction(known, to, command, "payload", datetime.now(UTC) + timedelta(days=400), signer.key_id)
        signed = replace(unsigned, signature=signer.sign(bytes_to_sign(unsigned)))
        handle = self.client.get_workflow_handle(to)
        done: Found = await handle.execute_update(command.operation, signed, id=known, result_type=result)
        return done

    async def view(self, escalation_id: str) -> View | None:
        async with self.database.read() as connection:
            return await find_view(connection, Scope("default"), escalation_id)

    async def timeline(self, escalation_id: str) -> list[TimelineEntry]:
        async with self.database.read() as connection:
            return await timeline(connection, "default", escalation_id)

    async def happened(self, escalation_id: str, kind: str) -> list[TimelineEntry]:
        """The timeline, as soon as it holds an event of that kind."""

        async def look() -> list[TimelineEntry] | None:
            entries = await self.timeline(escalation_id)
            return entries if any(entry.event.type.value == kind for entry in entries) else None

        return await eventually(look, f"{kind} on {escalation_id}")


def reviewer(login: str = "reviewer") -> Actor:
    return Actor(login, roles=(Role.REVIEWER,))


@asynccontextmanager
async def running_bench(
    directory: Path, *, max_cached_workflows: int = 1000, environ: Mapping[str, str] | None = None, hurry: float = 1.0
) -> AsyncIterator[Bench]:
    """A dev server of its own, and a worker on it. `hurry` divides what is waited before a notification is repeated."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_cli(usual_sources())),
        search_attributes=ALL,
        data_converter=data_converter(ensure_keyring(directory / "keyring.json")),
    )
    async with (
        environment,
        running_worker(
            environment.client, directory, max_cached_workflows=max_cached_workflows, environ=environ, hurry=hurry
        ) as bench,
    ):
        yield bench


@asynccontextmanager
async def running_worker(
    client: Client,
    directory: Path,
    *,
    max_cached_workflows: int = 1000,
    environ: Mapping[str, str] | None = None,
    hurry: float = 1.0,
) -> AsyncIterator[Bench]:
    keyring = ensure_keyring(directory / "keyring.json")
    database = Database(sqlite_url(directory / "keeptrusts.db"))
    await migrate(database)
    await seed(database, directory)
    ledger = await open_ledger("worker", database, directory / "ledger")
    parts = WorkerParts(client, database, ledger, keyring, environ or {}, hurry)
    stopped = asyncio.Event()
    serving = asyncio.create_task(run_workers(workers(parts, max_cached_workflows=max_cached_workflows), stopped))
    try:
        yield Bench(client, database, ledger, keyring)
    finally:
        stopped.set()
        await serving
        await ledger.close()
        await database.close()
