"""Saying what long work is doing: one line that changes on a terminal, a few whole lines elsewhere. On stderr."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """`step` may be called often; what it shows is bounded."""

    def __init__(self, stream: TextIO | None = None, every_s: float = 20.0) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._every = 0.2 if self._live else every_s
        self._last = 0.0
        self._open = False

    def say(self, line: str) -> None:
        """A whole line."""
        self._finish_line()
        print(line, file=self._stream, flush=True)

    def step(self, line: str) -> None:
        """The state of the work, shown when it is time to show one."""
        now = time.monotonic()
        if now - self._last < self._every:
            return
        self._last = now
        if self._live:
            self._stream.write(f"\r\x1b[K{line[:110]}")
            self._stream.flush()
            self._open = True
        else:
            print(line, file=self._stream, flush=True)

    def _finish_line(self) -> None:
        if self._open:
            self._stream.write("\r\x1b[K")
            self._open = False
