"""`kt consumer`: the applications whose requests pass the gateway."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.options import Json, Profile, connect
from cli.output import show_json, show_line, show_table

app = typer.Typer(
    help="Consumers of the gateway: list, create, put into a group.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_(profile: Profile = None, json: Json = False) -> None:
    """Consumers with team and group."""
    found = connect(profile).get("/v1/consumers")
    if json:
        show_json(found)
        return
    rows = [(c["consumer_id"], c["name"], c["team"] or "-", c["consumer_group"] or "-") for c in found["consumers"]]
    show_table(("CONSUMER", "NAME", "TEAM", "GROUP"), rows, "no consumers; create one with `kt consumer create NAME`")


@app.command()
def create(
    consumer_id: Annotated[str, typer.Argument(metavar="CONSUMER")],
    name: Annotated[str | None, typer.Option(help="As people call it.")] = None,
    team: Annotated[str | None, typer.Option(help="The team it belongs to.")] = None,
    group: Annotated[str | None, typer.Option("--group", "--consumer-group", help="Its consumer group.")] = None,
    owner: Annotated[str | None, typer.Option(help="The person behind it, if any: login or e-mail.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Create a consumer."""
    given: dict[str, Any] = {"name": name, "team": team, "consumer_group": group, "owner": owner}
    body = {"consumer_id": consumer_id, **{key: value for key, value in given.items() if value}}
    made = connect(profile).post("/v1/consumers", body)
    if json:
        show_json(made)
    else:
        show_line(f"created consumer {consumer_id}; give it a key with `kt token create --consumer {consumer_id}`")


@app.command("set-group")
def set_group(
    consumer_id: Annotated[str, typer.Argument(metavar="CONSUMER")],
    group: Annotated[str | None, typer.Argument(metavar="[GROUP]", help="Left out: none.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Put a consumer into a group, whose rules and limits then hold for it."""
    made = connect(profile).put(f"/v1/consumers/{quote(consumer_id, safe='')}/group", {"consumer_group": group})
    if json:
        show_json(made)
    else:
        show_line(f"{consumer_id} is in {f'the group {group}' if group else 'no group'} now")


COMMANDS = {"consumer": app}
