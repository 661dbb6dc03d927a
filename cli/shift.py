"""`kt shift`: who is there to be given cases."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json, Profile, connect
from cli.output import show_json, show_line, show_table

app = typer.Typer(help="Who is given cases: start, end, list.", no_args_is_help=True, rich_markup_mode=None)

Login = Annotated[str | None, typer.Option("--login", help="Somebody else's, for seniors; else yours.")]


@app.command()
def start(login: Login = None, profile: Profile = None, json: Json = False) -> None:
    """From now on cases are given to me, where my team's are given out."""
    _set(login, True, profile, json)


@app.command()
def end(login: Login = None, profile: Profile = None, json: Json = False) -> None:
    """No more cases are given to me. What I hold stays mine."""
    _set(login, False, profile, json)


@app.command("list")
def list_(profile: Profile = None, json: Json = False) -> None:
    """Who is on shift."""
    found = connect(profile).get("/v1/users")
    if json:
        show_json(found)
        return
    rows = [(u["login"], "on" if u["on_shift"] else "off", ", ".join(u["teams"])) for u in found["users"]]
    show_table(("LOGIN", "SHIFT", "TEAMS"), rows, "no users; create one with `kt user create LOGIN`")


def _set(login: str | None, on_shift: bool, profile: str | None, as_json: bool) -> None:
    client = connect(profile)
    who = login or client.get("/v1/me")["login"]
    done = client.put(f"/v1/users/{who}/shift", {"on_shift": on_shift})
    if as_json:
        show_json(done)
    else:
        show_line(f"{done['login']} is {'on' if done['on_shift'] else 'off'} shift")


COMMANDS = {"shift": app}
