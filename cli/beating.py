"""Keeping a claim while its holder has the case in front of them: a beat now and then, until they have decided."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cli.client import Client
from cli.failures import CONFLICT, NOT_FOUND, SIGN_IN, USAGE, Failure

_FINAL = frozenset({USAGE, SIGN_IN, NOT_FOUND, CONFLICT})
_USUALLY_S = 60.0


@contextmanager
def kept(client: Client, escalation_id: str, *, usually_s: float = _USUALLY_S) -> Iterator[None]:
    """Send heartbeats meanwhile. What speaks against them is told by what the person does next."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(client, escalation_id, over, usually_s), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _beat(client: Client, escalation_id: str, over: threading.Event, usually_s: float) -> None:
    while not over.is_set():
        again: float | None = usually_s
        try:
            again = client.post(f"/v1/escalations/{escalation_id}/heartbeat")["again_in_seconds"]
        except Failure as failure:
            if failure.exit_code in _FINAL or failure.code in ("not_allowed", "conflict_of_interest"):
                return
        if again is None:
            return
        over.wait(again)
