"""`kt user`: people. Logins go into escalation_routing, and stand as assignee."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.options import Json, Profile, connect
from cli.output import show_json, show_line, show_table

app = typer.Typer(help="Users: list, create.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(profile: Profile = None, json: Json = False) -> None:
    """Users with roles and teams."""
    found = connect(profile).get("/v1/users")
    if json:
        show_json(found)
        return
    rows = [
        (u["login"], u["name"], u["email"] or "-", ", ".join(u["roles"]), ", ".join(u["teams"])) for u in found["users"]
    ]
    show_table(("LOGIN", "NAME", "EMAIL", "ROLES", "TEAMS"), rows, "no users; create one with `kt user create LOGIN`")


@app.command()
def create(
    login: Annotated[str, typer.Argument(metavar="LOGIN")],
    email: Annotated[str | None, typer.Option(help="Routes may name it.")] = None,
    name: Annotated[str | None, typer.Option(help="As people call them.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="reviewer, senior, auditor, admin; may be repeated.")] = None,
    team: Annotated[list[str] | None, typer.Option(help="A team they belong to; may be repeated.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Create a user."""
    given: dict[str, Any] = {"email": email, "name": name, "roles": role, "teams": team}
    body = {"login": login, **{key: value for key, value in given.items() if value}}
    made = connect(profile).post("/v1/users", body)
    if json:
        show_json(made)
    else:
        show_line(f"created user {made['login']}; give them a token with `kt token create --login {made['login']}`")


COMMANDS = {"user": app}
