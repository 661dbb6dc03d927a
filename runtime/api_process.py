"""`kt api run`: one API process, next to any number of its kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from activities.opening import Opener
from activities.record import Recorder
from api.app import create_app
from api.services import Services
from runtime import serving
from runtime.connect import connect
from runtime.parts import open_parts
from runtime.settings import API_PORT
from store.changes import ChangeFeed
from vault.codec import EncryptionCodec
from vault.signatures import Signer

_log = logging.getLogger("keeptrusts.api")


async def run_api(environment: Mapping[str, str], listen: str, pidfile: Path | None, stopped: asyncio.Event) -> None:
    async with open_parts("api", environment) as parts:
        taken = serving.take_listener(listen, API_PORT, environment)
        client = await connect(parts.keyring, environment, lazy=True)
        services = Services(
            database=parts.database,
            ledger=parts.ledger,
            contents=parts.contents,
            recorder=Recorder(parts.database, parts.ledger),
            opener=Opener(parts.database, parts.ledger, parts.contents, client),
            temporal=client,
            signer=Signer(parts.keyring),
            codec=EncryptionCodec(parts.keyring.codec),
            feed=ChangeFeed(parts.database),
            public_url=parts.settings.public_url,
            temporal_ui=parts.settings.temporal_ui_url,
            environment=environment,
        )
        pid = serving.PidFile(pidfile)

        def ready() -> None:
            pid.write()
            _log.info("API ready on http://%s:%d", *taken.getsockname()[:2])

        try:
            await serving.serve(create_app(services), taken, stopped, ready)
        finally:
            pid.remove()
