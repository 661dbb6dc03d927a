"""`kt events`: what passed the gateway, with verdicts."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from cli.options import Json, Profile, connect
from cli.output import show_fields, show_json, show_json_line, show_table
from cli.revealing import reveal_event

app = typer.Typer(help="Governed requests: tail and get.", no_args_is_help=True, rich_markup_mode=None)

COLUMNS = ("EVENT", "AT", "VERDICT", "RULE", "REASON", "CONSUMER", "MODEL", "CONFIG", "ESCALATION")
FOLLOW_EVERY_S = 1.0


@app.command()
def tail(
    since: Annotated[str | None, typer.Option(help="So long ago (24h), or an instant.")] = None,
    until: Annotated[str | None, typer.Option(help="So long ago, or an instant.")] = None,
    verdict: Annotated[list[str] | None, typer.Option(help="passed, redacted, blocked, escalated, failed.")] = None,
    team: Annotated[str | None, typer.Option(help="Of this team's consumers.")] = None,
    policy: Annotated[str | None, typer.Option(help="The policy rule that decided.")] = None,
    reason_code: Annotated[str | None, typer.Option(help="What it found.")] = None,
    config_version: Annotated[str | None, typer.Option(help="The configuration, as pack@version.")] = None,
    consumer: Annotated[str | None, typer.Option(help="Of this consumer.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on; Ctrl-C ends it.")] = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Events, oldest first. With --json one JSON object per line."""
    client = connect(profile)
    asked: dict[str, Any] = {
        "since": since,
        "until": until,
        "verdict": verdict,
        "team": team,
        "policy": policy,
        "reason_code": reason_code,
        "config_version": config_version,
        "consumer": consumer,
        "limit": limit,
    }
    page = client.get("/v1/events", **asked)
    _show(page["events"], json, "no events match; send a request to the gateway, or widen --since")
    cursor = page.get("next_cursor") or 0
    while follow:
        time.sleep(FOLLOW_EVERY_S)
        page = client.get("/v1/events", **{**asked, "since": None, "after": cursor or "0"})
        cursor = page.get("next_cursor") or cursor
        if page["events"]:
            _show(page["events"], json, "")


@app.command()
def get(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID")], profile: Profile = None, json: Json = False
) -> None:
    """One event, whole."""
    found = connect(profile).get(f"/v1/events/{event_id}")
    if json:
        show_json(found)
    else:
        show_fields({name: value for name, value in found.items() if value is not None})


def _show(events: list[dict[str, Any]], as_json: bool, empty: str) -> None:
    if as_json:
        for event in events:
            show_json_line(event)
        return
    rows = [
        (
            event["event_id"],
            event["at"][:19],
            event["verdict"],
            event["policy_rule"] or "-",
            event["reason_code"] or "-",
            event["consumer"],
            event["model"] or "-",
            event["config_version"],
            event["escalation_id"] or "-",
        )
        for event in events
    ]
    show_table(COLUMNS, rows, empty)


app.command("reveal")(reveal_event)

COMMANDS = {"events": app}
