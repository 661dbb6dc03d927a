"""Nothing that was held ever leaves undecided, whatever fails between its verdict and its release.

One gateway, in this process, over a real store, a real ledger and a real Temporal. Every time it crosses into one of
them (before, and again after what it asked for was done) is a place where it can fail or freeze; each place is tried.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import ASGIApp
from temporalio.exceptions import TemporalError

from activities.opening import Opener
from escalations.commands import Claim, Resolve
from escalations.decisions import Resolution
from gateway.app import create_app
from gateway.consumers import Consumers
from gateway.limits import Limiter
from gateway.rules import RuleBook
from gateway.services import Services
from gateway.targets import Targets
from gateway.upstream import Completed, Endpoint, Failure
from gateway.waiting import Waiting
from gateway.withdrawing import Withdrawer
from policies.config import PolicyConfig
from store.changes import ChangeFeed
from store.contents import ANSWER, Contents
from store.database import Database, StoreUnavailable, sqlite_url
from store.ledger import open_ledger
from tests.support.bench import Bench, reviewer, running_bench
from tests.support.stack import LEGAL
from vault.envelopes import Envelopes

SECRET_WORD = "xylophone"
_numbers = itertools.count()
CONFIG = PolicyConfig.model_validate(
    {
        "pack": {"name": "closed", "version": "1.0.0"},
        "providers": {"targets": [{"id": "model", "base_url": "http://127.0.0.1:1"}]},
        "policies": {"chain": ["human-oversight", "audit-logger"]},
        "policy": {
            "human-oversight": {
                "require_human_for": ["legal_opinions"],
                "hold": {"grace": 0.05, "keepalive": 0.2, "max_wait": 0.4},
            }
        },
    }
)


@dataclass
class Faults:
    """What goes wrong, and at which crossing; `at` None: nothing."""

    at: int | None = None
    how: str = "fail"
    crossed: list[str] = field(default_factory=list)

    async def cross(self, where: str, error: Exception) -> None:
        self.crossed.append(where)
        if self.at is not None and len(self.crossed) - 1 == self.at:
            if self.how == "fail":
                raise error
            await asyncio.Event().wait()


current: ContextVar[Faults] = ContextVar("current")
"""The faults of the request that is under way: each of many at once has its own."""


class FaultyDatabase(Database):
    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        await current.get().cross("read", StoreUnavailable("gone"))
        async with super().read() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        await current.get().cross("write", StoreUnavailable("gone"))
        async with super().write() as connection:
            yield connection
        await current.get().cross("written", StoreUnavailable("gone"))


class Faulty:
    """Another object, with faults around some of its methods."""

    def __init__(self, real: Any, error: Exception, *methods: str) -> None:
        self._real, self._error, self._methods = real, error, methods

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in self._methods:
            return found

        async def around(*arguments: Any, **more: Any) -> Any:
            await current.get().cross(name, self._error)
            done = await found(*arguments, **more)
            await current.get().cross(f"{name} done", self._error)
            return done

        return around


class Model:
    """An upstream whose answer must be held."""

    async def complete(self, endpoint: Endpoint, sent: Any, failure: Failure) -> Completed:
        del endpoint, failure
        said = f"You may lawfully terminate. {SECRET_WORD}"
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        document = {"id": f"chatcmpl-{next(_numbers)}", "object": "chat.completion", "choices": [choice]}
        return Completed(document, {}, 0)


@dataclass
class House:
    """A gateway that can be made to fail, and the bench behind it."""

    bench: Bench
    app: ASGIApp

    async def ask(
        self, key: str, faults: Faults | None = None, *, stream: bool = False, patience_s: float = 20.0
    ) -> tuple[int | None, bytes]:
        """(status, everything that left) of one request; a client that hears nothing hangs up."""
        current.set(faults or Faults())
        left: list[bytes] = []
        status: list[int] = []
        body = json.dumps(
            {"model": "m", "stream": stream, "messages": [{"role": "user", "content": f"{LEGAL} {key}"}]}
        ).encode()

        async def receive() -> dict[str, Any]:
            if not status and not left and not received:
                received.append(True)
                return {"type": "http.request", "body": body, "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                left.append(str(message["headers"]).encode())
            else:
                left.append(message.get("body", b""))

        received: list[bool] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/v1/chat/completions", "raw_path": b"/v1/chat/completions", "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"idempotency-key", key.encode())],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "root_path": "", "state": {},
        }  # fmt: skip
        asking: asyncio.Task[None] = asyncio.create_task(self.app(scope, receive, send))  # type: ignore[arg-type]
        await asyncio.wait({asking}, timeout=patience_s)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return (status[0] if status else None), b"".join(left)

    async def held(self, escalation_id: str) -> bytes:
        contents = Contents(Envelopes(self.bench.keyring))
        async with self.bench.database.read() as connection:
            return (await contents.read(connection, "default", escalation_id, ANSWER))[ANSWER]


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    current.set(Faults())
    async with running_bench(tmp_path) as bench:
        database = FaultyDatabase(sqlite_url(tmp_path / "keeptrusts.db"))
        ledger = await open_ledger("gateway", bench.database, tmp_path / "ledger")
        envelopes = Envelopes(bench.keyring)
        contents = Contents(envelopes)
        client: Any = Faulty(bench.client, TemporalError("gone"), "start_workflow")
        faulty_ledger: Any = Faulty(ledger, StoreUnavailable("gone"), "append")
        upstream: Any = Model()
        services = Services(
            rules=RuleBook(CONFIG, "digest"),
            targets=Targets(upstream, {"model": Endpoint("http://127.0.0.1:1", None, 5)}),
            upstream=upstream,
            database=database,
            ledger=faulty_ledger,
            contents=contents,
            envelopes=envelopes,
            opener=Opener(database, faulty_ledger, contents, client),
            consumers=Consumers(bench.database, require_key=False),
            waiting=Waiting(database, ChangeFeed(bench.database)),
            limiter=Limiter(),
            withdrawer=Withdrawer(bench.client, bench.keyring),
            name="gateway-test",
            reply_to="nobody",
        )
        try:
            yield House(bench, create_app(services))
        finally:
            await ledger.close()
            await database.close()


async def crossings(house: House, key: str) -> list[str]:
    """Where an undisturbed request crosses, from its verdict to the end of its patience."""
    faults = Faults()
    await house.ask(key, faults)
    return faults.crossed


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("how", ["fail", "freeze"])
async def test_nothing_undecided_leaves_wherever_it_fails(house: House, how: str, stream: bool) -> None:
    places = await crossings(house, f"quiet-{next(_numbers)}")
    assert {"write", "written", "append", "append done", "start_workflow", "start_workflow done", "read"} <= set(places)

    async def at_place(at: int) -> None:
        key = f"{how}-{stream}-{at}-{next(_numbers)}"
        status, left = await house.ask(key, Faults(at, how), stream=stream, patience_s=7.0)
        assert SECRET_WORD.encode() not in left, f"it left at {places[at]}"
        assert status in (None, 200, 503)
        # Whoever comes again finds the hold, or makes it; and still there is nothing to see.
        status, left = await house.ask(key, stream=stream)
        assert SECRET_WORD.encode() not in left
        assert status == 200, f"after {how} at {places[at]}: {left!r}"

    await asyncio.gather(*(at_place(at) for at in range(len(places))))


@pytest.mark.parametrize("resolution", [Resolution.BLOCK, Resolution.ALLOW])
async def test_what_leaves_is_what_was_decided_wherever_the_release_fails(house: House, resolution: Resolution) -> None:
    key = f"decided-{next(_numbers)}"
    _, left = await house.ask(key)
    held = json.loads(left[left.index(b"{") :])["escalation"]["id"]
    view = await house.bench.view(held)
    assert view is not None
    await house.bench.do(held, Claim(reviewer()))
    digest = view.content_digest if resolution is Resolution.ALLOW else None
    await house.bench.do(held, Resolve(reviewer(), resolution, "other", None, released_digest=digest))
    await house.bench.happened(held, "resolved")
    approved = await house.held(held)
    places = await crossings(house, key)

    async def at_place(at: int, how: str) -> None:
        _, left = await house.ask(key, Faults(at, how), patience_s=2.0)
        if resolution is Resolution.BLOCK:
            assert SECRET_WORD.encode() not in left
        elif SECRET_WORD.encode() in left:
            assert left.endswith(approved), "all of it, and exactly it"

    await asyncio.gather(*(at_place(at, how) for at in range(len(places)) for how in ("fail", "freeze")))
    status, left = await house.ask(key)
    assert (status, SECRET_WORD.encode() in left) == ((403, False) if resolution is Resolution.BLOCK else (200, True))


async def test_a_flood_of_requests_lets_nothing_out(house: House) -> None:
    answers = await asyncio.gather(*(house.ask(f"flood-{number}", patience_s=20) for number in range(60)))
    assert all(SECRET_WORD.encode() not in left for _, left in answers)
    assert {status for status, _ in answers} <= {200, 503}
    later = itertools.count()
    while (await house.ask(f"after the flood {next(later)}"))[0] != 200:
        assert next(later) < 100, "nothing is held any more"
