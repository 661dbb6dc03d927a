"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client
from cli.profiles import find_access

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Profile = Annotated[str | None, typer.Option("--profile", help="Use this profile (also KT_PROFILE).")]
Id = Annotated[str | None, typer.Argument(metavar="ID", show_default=False)]
IdFlag = Annotated[str | None, typer.Option("--id", "--escalation-id", help="The escalation, where ID is not given.")]


def connect(profile: str | None = None) -> Client:
    return Client(find_access(profile=profile))


def the_id(positional: str | None, flag: str | None) -> str:
    """The one escalation that was named."""
    if positional and flag and positional != flag:
        raise typer.BadParameter(f"two different escalations are named: {positional} and {flag}")
    found = positional or flag
    if not found:
        raise typer.BadParameter("name an escalation: ID, --id or --escalation-id")
    return found
