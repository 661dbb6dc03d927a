"""Child processes that are kept alive: one that dies is started again, and none outlives its parent."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
SHORT_LIFE_S = 2.0
LONGEST_PAUSE_S = 1.0


@dataclass(slots=True)
class Child:
    """One program. `ready` says whether it serves; its output goes to `log`, None for this process's own. `listener` it
    inherits, and outlives.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path | None
    ready: Callable[[int], bool | Awaitable[bool]]
    listener: socket.socket | None = None
    process: asyncio.subprocess.Process | None = field(default=None)
    started_at: float = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    async def start(self) -> None:
        parent = os.getpid()
        inherited = {"KT_LISTEN_FD": str(self.listener.fileno())} if self.listener else {}
        output = None if self.log is None else os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.arguments,
                env={**self.environment, **inherited},
                pass_fds=[self.listener.fileno()] if self.listener else (),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=lambda: _die_with(parent),
            )
        finally:
            if output is not None:
                os.close(output)
        self.started_at = time.monotonic()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether it serves within that time; False at once when it has ended."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process is None or self.process.returncode is not None:
                return False
            serves = self.ready(self.process.pid)
            if serves if isinstance(serves, bool) else await serves:
                return True
            await asyncio.sleep(0.02)
        return False

    async def stop(self, within_s: float) -> None:
        """Ask it to end; after that time it is not asked any more."""
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(within_s):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    def last_words(self, lines: int = 6) -> str:
        """The end of its log, to say why it did not start."""
        if self.log is None:
            return ""
        try:
            text = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        errors = [line for line in text[-40:] if line.startswith("error:")]
        return errors[-1].removeprefix("error: ") if errors else "\n".join(text[-lines:])


async def keep_alive(child: Child, stopping: asyncio.Event, changed: Callable[[Child], None]) -> None:
    """Start `child` again whenever it ends, at once the first time; tell `changed` when it serves again."""
    quick = 0
    while not stopping.is_set():
        assert child.process is not None
        code = await child.process.wait()
        if stopping.is_set():
            return
        lived = time.monotonic() - child.started_at
        quick = quick + 1 if lived < SHORT_LIFE_S else 0
        print(f"{child.name} ended ({code}); starting it again", file=sys.stderr, flush=True)  # noqa: T201
        await asyncio.sleep(min(LONGEST_PAUSE_S, 0.1 * quick))
        await child.start()
        if await child.wait_ready(60):
            changed(child)


def pidfile_names(path: Path) -> Callable[[int], bool]:
    """A process is ready when its pid file holds its pid."""

    def ready(pid: int) -> bool:
        try:
            return path.read_text().strip() == str(pid)
        except OSError:
            return False

    return ready


def _die_with(parent: int) -> None:
    """In the child, before it runs: end when the parent does, even by kill -9 (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
