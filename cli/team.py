"""`kt team`: who reviews together. Team ids go into escalation_routing."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json, Profile, connect
from cli.output import show_json, show_line, show_table

app = typer.Typer(help="Teams: list, create.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(profile: Profile = None, json: Json = False) -> None:
    """Teams with their members."""
    found = connect(profile).get("/v1/teams")
    if json:
        show_json(found)
        return
    rows = [(team["team_id"], team["name"], ", ".join(team["members"])) for team in found["teams"]]
    show_table(("TEAM_ID", "NAME", "MEMBERS"), rows, "no teams; create one with `kt team create NAME`")


@app.command()
def create(
    team_id: Annotated[str, typer.Argument(metavar="TEAM_ID")],
    name: Annotated[str | None, typer.Option(help="As people call it.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Create a team."""
    made = connect(profile).post("/v1/teams", {"team_id": team_id, **({"name": name} if name else {})})
    if json:
        show_json(made)
    else:
        show_line(f"created team {made['team_id']}")


COMMANDS = {"team": app}
