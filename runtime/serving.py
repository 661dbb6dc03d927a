"""How a process of this product lives: it takes its port, says when it is ready, stops when it is asked to.

A port in use, a store that is not there, a Temporal that does not answer are one clear line and exit code 1. SIGTERM
and SIGINT end a process within three seconds. The pid file appears when the process serves, and not before.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import uvicorn
import uvloop
from starlette.types import ASGIApp

from policies.loading import BadConfig
from runtime.http_protocol import GuardedProtocol
from runtime.settings import SettingsError
from runtime.temporal_binary import NoTemporal
from store.database import StoreUnavailable
from store.migrating import SchemaBehind
from vault.keyring import KeyringError

GRACE_S = 2
EXPECTED = (SettingsError, BadConfig, NoTemporal, KeyringError, SchemaBehind, StoreUnavailable)
"""What can be wrong with how a process was set up: told in a line, without a trace."""


def run_process(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run `main` until it returns; it should return soon after the event is set. The result is an exit code."""

    async def guarded() -> int:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        try:
            await main(stopped)
        except EXPECTED as fault:
            print(f"error: {fault}", file=sys.stderr, flush=True)  # noqa: T201
            return 1
        return 0

    # Names are looked up there, a few at a time: one that hangs must not hold up those of other receivers.
    os.environ.setdefault("UV_THREADPOOL_SIZE", "64")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(guarded())


def leave(code: int) -> None:
    """End at once with this code: the Temporal SDK's own threads can abort an interpreter that ends politely."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def take_listener(listen: str, default_port: int, environment: Mapping[str, str]) -> socket.socket:
    """The socket to serve on: one that the parent already listens on (KT_LISTEN_FD), else a new one.

    A parent that keeps the socket lets callers wait while this process is started again, instead of refusing them.
    Raises SettingsError.
    """
    inherited = environment.get("KT_LISTEN_FD")
    if inherited:
        return socket.socket(fileno=int(inherited))
    return take_port(*parse_listen(listen, default_port))


def take_port(host: str, port: int) -> socket.socket:
    """A socket that listens, so that nobody else can take the port meanwhile. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(2048)
    except OSError as fault:
        taken.close()
        raise SettingsError(f"cannot listen on {host}:{port}: {fault.strerror}; choose another port") from None
    return taken


def parse_listen(listen: str, default_port: int) -> tuple[str, int]:
    """`HOST:PORT`, `:PORT` or `PORT`. Raises SettingsError."""
    host, colon, port = listen.rpartition(":")
    if not colon:
        host = "127.0.0.1"
    try:
        number = int(port) if port else default_port
        if not 0 <= number <= 65535:
            raise ValueError(port)
    except ValueError:
        raise SettingsError(f"--listen {listen!r} is not HOST:PORT") from None
    return host.strip("[]") or "127.0.0.1", number


async def serve(
    app: ASGIApp,
    taken: socket.socket,
    stopped: asyncio.Event,
    ready: Callable[[], None],
    *,
    forwarded: bool = True,
) -> None:
    """Serve until `stopped`. Open streams have two seconds to end.

    `forwarded`: the application wants to know what a proxy before it says of the caller's scheme and address.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        http=GuardedProtocol,
        ws="none",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=75,
        server_header=False,
        proxy_headers=forwarded,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = Server(config, ready)
    serving = asyncio.create_task(server.serve(sockets=[taken]))
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


class Server(uvicorn.Server):
    """uvicorn, without its own signal handlers, and with a word when it serves."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            # What a start leaves behind stays until the end: looking through it again would stop every request.
            gc.collect()
            gc.freeze()
            self._ready()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


class PidFile:
    """Written when the process serves, by rename, and removed when it ends."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def write(self) -> None:
        if self._path is None:
            return
        draft = self._path.with_suffix(".new")
        draft.write_text(f"{os.getpid()}\n")
        draft.replace(self._path)

    def remove(self) -> None:
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()
