"""A gateway that takes its configuration from the store, and every newer one without a restart.

It follows the store's feed of changes, and looks now and then besides, so that no change is missed for long. A request
has the rules that held when it came, to its end. A version that cannot run here leaves what runs as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from policies.config import PolicyConfig
from policies.documents import Unreadable, parse_document
from policies.loading import BadConfig, LoadedConfig, load_document, ready_for_gateway
from store.changes import ChangeFeed
from store.database import Database, StoreUnavailable
from store.policies import KIND, PolicyVersion, current_standing, find_version

_logger = logging.getLogger("keeptrusts.gateway")
LOOK_EVERY_S = 10.0


def stored_name(configured: Path) -> str | None:
    """NAME of `store:NAME`; None where it is a file."""
    kind, found, name = str(configured).partition(":")
    return name if found and kind == "store" and name else None


class NoActiveVersion(Exception):
    """The store has no version that acts. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The version that acts, and the one that looks on."""

    active: LoadedConfig
    shadow: LoadedConfig | None
    version: int

    @property
    def shadow_config(self) -> PolicyConfig | None:
        return self.shadow.config if self.shadow else None

    @property
    def key(self) -> tuple[str, str | None]:
        return self.active.digest, self.shadow.digest if self.shadow else None


class PolicyFollower:
    """The configuration of one name. `load` for the first, `follow` for every one after it."""

    def __init__(
        self,
        database: Database,
        name: str,
        environment: Mapping[str, str],
        *,
        secrets_needed: bool = True,
        tenant: str = "default",
    ) -> None:
        self._database, self._name, self._environment = database, name, environment
        self._secrets_needed, self._tenant = secrets_needed, tenant
        self._key: tuple[str, str | None] | None = None

    async def load(self) -> Followed:
        """What acts now. Raises NoActiveVersion, BadConfig, StoreUnavailable."""
        async with self._database.read() as connection:
            now = await current_standing(connection, self._tenant, self._name)
            if now.active is None:
                raise NoActiveVersion(
                    f"no version of policy {self._name!r} is active; `kt policy push` one and `kt policy promote` it"
                )
            active = await find_version(connection, self._tenant, self._name, now.active)
            shadow = await find_version(connection, self._tenant, self._name, now.shadow) if now.shadow else None
        assert active is not None
        found = Followed(self._ready(active), self._shadow(shadow), active.version)
        self._key = found.key
        return found

    async def follow(self, feed: ChangeFeed, apply: Callable[[Followed], Awaitable[None]]) -> None:
        """Hand over whatever becomes active, for ever."""
        async with aclosing(_woken(feed, self._name)) as woken:
            async for _ in woken:
                await self._renew(apply)

    async def _renew(self, apply: Callable[[Followed], Awaitable[None]]) -> None:
        before = self._key
        try:
            found = await self.load()
            if found.key != before:
                await apply(found)
                _logger.info("Loaded policy %s version %d", found.active.config.name, found.version)
        except (StoreUnavailable, NoActiveVersion) as fault:
            _logger.warning("the policy %s stays as it is: %s", self._name, fault)
        except Exception as fault:
            # Whatever is wrong with it: what runs goes on.
            told = fault.complaints[0] if isinstance(fault, BadConfig) else type(fault).__name__
            _logger.error("a version of %s cannot run here, the one before stays: %s", self._name, told)

    def _ready(self, version: PolicyVersion) -> LoadedConfig:
        try:
            document = parse_document(version.text, f"{version.name} version {version.version}")
        except Unreadable as fault:
            raise BadConfig.of(fault, version.name) from None
        return ready_for_gateway(load_document(document), self._environment, secrets_needed=self._secrets_needed)

    def _shadow(self, version: PolicyVersion | None) -> LoadedConfig | None:
        """A shadow that cannot run is none: it would have done nothing anyway."""
        if version is None:
            return None
        try:
            return self._ready(version)
        except BadConfig as fault:
            _logger.warning("the shadow of %s cannot run here: %s", self._name, fault.complaints[0])
            return None


async def _woken(feed: ChangeFeed, name: str) -> AsyncGenerator[None, None]:
    """Whenever something of this policy may have changed."""
    async with aclosing(feed.listen()) as changes:
        coming = asyncio.ensure_future(anext(changes))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=LOOK_EVERY_S)
                if not done:
                    yield None
                    continue
                change = coming.result()
                coming = asyncio.ensure_future(anext(changes))
                if change.kind == KIND and change.ref == name:
                    yield None
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
