"""`kt admin`: setting an installation up."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from cli.failures import Failure
from cli.options import Json
from cli.output import note, show_json, show_line

app = typer.Typer(
    help="Set up an installation: keyring, store, first admin.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def admin() -> None:
    """Set up an installation: keyring, store, first admin."""


@app.command()
def init(
    login: Annotated[str, typer.Option(help="The first admin.")] = "admin",
    json: Json = False,
) -> None:
    """Create the keyring, bring the store to this release's schema, and make a first admin. Safe to repeat."""
    from runtime.installing import initialise
    from runtime.serving import EXPECTED, leave

    try:
        done = asyncio.run(initialise(dict(os.environ), login))
    except EXPECTED as fault:
        raise Failure(str(fault)) from None
    if json:
        show_json(
            {"keyring": str(done.keyring), "admin": login, "token": done.token, "search_attributes": done.temporal}
        )
        leave(0)
    show_line(f"keyring {done.keyring}; keep a copy of it apart from the store: without it nothing can be read")
    show_line("the store has this release's schema")
    note(f"Temporal: {done.temporal}")
    if done.token:
        show_line(f"created user {login} with the role admin; its token, shown only this once:")
        show_line(done.token)
    else:
        show_line(f"there is a user {login} already; no token was made")
    # The Temporal SDK was used, whose threads can abort an interpreter that ends politely.
    leave(0)


COMMANDS = {"admin": app}
