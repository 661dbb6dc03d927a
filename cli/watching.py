"""`kt escalation watch`: the queue, live."""

from __future__ import annotations

import json as parser
import time
from datetime import timedelta
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.failures import Failure
from cli.options import Json, Profile, connect
from cli.output import ago, is_terminal, note, show_json_line, show_line, show_table, visible
from escalations.durations import paused

COLUMNS = ("ID", "SEVERITY", "STATUS", "SLA", "DUE", "TRIGGER", "TEAM", "ASSIGNEE", "CREATED")
PATIENCE_S = 60.0
"""How long an API that is away is waited for."""
_PAUSE_S = 1.0
_AWAY = frozenset({"unreachable", "timeout", "unavailable"})


def add_to(app: typer.Typer) -> None:
    app.command()(watch)


def watch(
    status: Annotated[list[str] | None, typer.Option(help="Only these states.")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team's queue.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """The queue, live: a table on a terminal, one JSON line per change elsewhere. Ctrl-C ends it."""
    client = connect(profile)
    live_table = is_terminal() and not json
    last: str | None = None
    heard = time.monotonic()
    while True:
        try:
            if live_table:
                _show(client, status, team)
            for event in client.stream("/v1/stream", last):
                heard, last = time.monotonic(), event.get("id", last)
                if live_table:
                    _show(client, status, team)
                elif event.get("event") == "escalation":
                    _tell(parser.loads(event["data"]), status, team)
        except Failure as failure:
            if failure.code not in _AWAY or time.monotonic() - heard > PATIENCE_S:
                raise
            note(f"{visible(failure.message)}; trying again")
        else:
            heard = time.monotonic()
        time.sleep(_PAUSE_S)


def row_of(item: dict[str, Any]) -> tuple[Any, ...]:
    """A case as a line of the queue."""
    return (
        item["escalation_id"],
        item["severity"],
        item["status"],
        item["sla_state"],
        due(item) if item["status"] in ("open", "claimed") else "-",
        f"{item['policy_rule']}/{item['reason_code']}",
        item["team"] or "-",
        item["assignee"] or "-",
        ago(item["created_at"]),
    )


def due(item: dict[str, Any]) -> str:
    """How far its deadline is; what is left while its clock stands still."""
    left = item.get("left_when_paused")
    return ago(item["sla_deadline"]) if left is None else paused(timedelta(seconds=left))


def _show(client: Client, status: list[str] | None, team: str | None) -> None:
    page = client.get("/v1/escalations", status=status or ["open", "claimed"], team=team, limit=50)
    show_line("\x1b[2J\x1b[H" + "escalations · Ctrl-C ends")
    show_table(COLUMNS, [row_of(item) for item in page["escalations"]], "queue clear")


def _tell(change: dict[str, Any], status: list[str] | None, team: str | None) -> None:
    if status and change["status"] not in status:
        return
    if team is None or change["team"] == team.removeprefix("team:"):
        show_json_line(change)
