"""`kt escalation wait`: blocking until a case has ended, for scripts and CI."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.failures import ERROR, TIMEOUT, USAGE, Failure
from cli.options import Id, IdFlag, Json, Profile, connect, the_id
from cli.output import show_json, show_line

POLL_S = 20
PATIENCE_S = 60.0
"""How long an API that is away is waited for; then it is taken for gone."""
_PAUSE_S = 1.0
_AWAY = frozenset({"unreachable", "timeout", "unavailable", "outcome_unknown"})
_RELEASED = frozenset({"allow", "redact_and_allow"})


def add_to(app: typer.Typer) -> None:
    app.command()(wait)


def wait(
    id: Id = None,
    id_flag: IdFlag = None,
    timeout: Annotated[str | None, typer.Option(help="For how long at most, as 90s or 30m; else for ever.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Wait until it has ended. Exit 0: released; 1: blocked, expired or withdrawn; 7: not yet, and time is up."""
    found = the_id(id, id_flag)
    ended = _ended(connect(profile), found, None if timeout is None else _seconds(timeout))
    if json:
        show_json(ended)
    else:
        show_line(f"escalation {found}: {ended['outcome']}")
    if ended["outcome"] not in _RELEASED:
        raise SystemExit(ERROR)


def _ended(client: Client, id: str, seconds: float | None) -> dict[str, Any]:
    """How it ended. Raises Failure, with TIMEOUT when that takes longer."""
    heard = time.monotonic()
    deadline = None if seconds is None else heard + seconds
    while True:
        left = POLL_S if deadline is None else min(POLL_S, max(0, deadline - time.monotonic()))
        try:
            path = f"/v1/escalations/{id}/response"
            found: dict[str, Any] = client.get(path, wait=int(left), content="false")
            return found
        except Failure as failure:
            if failure.code == "escalation_pending":
                heard = time.monotonic()
            elif failure.code not in _AWAY or time.monotonic() - heard > PATIENCE_S:
                raise
            last = failure
        if deadline is not None and time.monotonic() >= deadline:
            raise Failure(f"escalation {id} has not ended in that time", TIMEOUT, code="timeout")
        if last.code in _AWAY or left < 1:
            time.sleep(_PAUSE_S if deadline is None else max(0.0, min(_PAUSE_S, deadline - time.monotonic())))


def _seconds(written: str) -> float:
    from escalations.durations import parse_duration

    try:
        return parse_duration(written).total_seconds()
    except ValueError as fault:
        raise Failure(f"--timeout: {fault}", USAGE, code="usage") from None
