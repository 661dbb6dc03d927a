"""`kt schedule`: who is on call, now and later."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_table

app = typer.Typer(help="On call: show, who.", no_args_is_help=True, rich_markup_mode=None)

_NOBODY = "nobody"
At = Annotated[
    str | None, typer.Option(help="An instant, or a time by the schedule's wall clock, as 2026-12-24T22:00; else now.")
]


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="The schedule; all of them without it.")] = None,
    at: At = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="How far to look.")] = 14,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Who is on call in the days to come. Times when nobody is are named on stderr."""
    client = connect(profile)
    names = [name] if name is not None else [found["name"] for found in client.get("/v1/schedules")["schedules"]]
    shown = [client.get(f"/v1/schedules/{quote(one, safe='')}", at=at, days=days) for one in names]
    if json:
        show_json({"schedules": shown})
        return
    rows = [
        (found["name"], shift["from"][:16], shift["to"][:16], ", ".join(shift["people"]), shift["source"])
        for found in shown
        for shift in found["shifts"]
    ]
    show_table(("SCHEDULE", "FROM (UTC)", "TO (UTC)", "ON CALL", "BY"), rows, "there are no schedules in the settings")
    for found in shown:
        for gap in found["gaps"]:
            note(f"{found['name']}: nobody is on call from {gap['from'][:16]} to {gap['to'][:16]} UTC")


@app.command()
def who(
    name: Annotated[str | None, typer.Argument(help="The schedule; all of them without it.")] = None,
    at: At = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Who is on call at one moment."""
    client = connect(profile)
    if name is None:
        found = client.get("/v1/schedules", at=at)["schedules"]
    else:
        found = [client.get(f"/v1/schedules/{quote(name, safe='')}", at=at, days=1)]
    if json:
        show_json({"schedules": found})
        return
    rows = [(one["name"], one["at"][:16], ", ".join(one["on_call"]) or _NOBODY) for one in found]
    show_table(("SCHEDULE", "AT (UTC)", "ON CALL"), rows, "there are no schedules in the settings")


COMMANDS = {"schedule": app}
