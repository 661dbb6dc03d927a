"""`kt token`: bearer tokens for people, API keys for consumers. A token is shown once, when it is made."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_line, show_table

app = typer.Typer(help="Tokens: create, list, revoke.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def create(
    login: Annotated[str | None, typer.Option(help="For this user.")] = None,
    consumer: Annotated[str | None, typer.Option(help="An API key for this consumer of the gateway.")] = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires_in: Annotated[str, typer.Option(help="How long it holds; a year at most.")] = "90d",
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Make a token and print it, only this once."""
    if (login is None) == (consumer is None):
        raise typer.BadParameter("name exactly one of --login and --consumer")
    subject = {"login": login} if login else {"consumer_id": consumer}
    made = connect(profile).post("/v1/tokens", {**subject, "label": label, "expires_in": expires_in})
    if json:
        show_json(made)
        return
    show_line(made["token"])
    note(f"{made['token_id']}, for {made['subject']} until {made['expires_at'][:10]}; it is not shown again")


@app.command("list")
def list_(profile: Profile = None, json: Json = False) -> None:
    """Tokens, without the secrets."""
    found = connect(profile).get("/v1/tokens")
    if json:
        show_json(found)
        return
    rows = [
        (
            t["token_id"],
            t["kind"],
            t["login"] or t["consumer_id"],
            t["label"] or "-",
            t["expires_at"][:10],
            "revoked" if t["revoked_at"] else "-",
        )
        for t in found["tokens"]
    ]
    show_table(("TOKEN_ID", "KIND", "FOR", "LABEL", "EXPIRES", "REVOKED"), rows, "no tokens")


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID")], profile: Profile = None, json: Json = False
) -> None:
    """End a token, everywhere within five seconds."""
    connect(profile).delete(f"/v1/tokens/{token_id}")
    if json:
        show_json({"token_id": token_id, "revoked": True})
    else:
        show_line(f"revoked token {token_id}")


COMMANDS = {"token": app}
