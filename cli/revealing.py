"""`kt escalation reveal` and `kt events reveal`: what is masked, for who has the right. Each look is on the record."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.client import Client
from cli.options import Id, IdFlag, Json, Profile, connect, the_id
from cli.output import show_json, show_table, visible

Reason = Annotated[str, typer.Option("--reason", "--note", help="Why it has to be seen; kept in the vault.")]
_EMPTY = "nothing is masked here, or it was erased"


def reveal(reason: Reason, id: Id = None, id_flag: IdFlag = None, profile: Profile = None, json: Json = False) -> None:
    """What is masked in a case. For the roles of privacy.may_reveal; each look is in the ledger."""
    _reveal(connect(profile), f"/v1/escalations/{the_id(id, id_flag)}/reveal", reason, json)


def reveal_event(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID")],
    reason: Reason,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """What the tokens of a request stand for. For the roles of privacy.may_reveal; each look is in the ledger."""
    _reveal(connect(profile), f"/v1/events/{event_id}/reveal", reason, json)


def _reveal(client: Client, path: str, reason: str, as_json: bool) -> None:
    found = client.post(path, {"reason": reason})
    if as_json:
        show_json(found)
        return
    rows = [(visible(one["shown"]), visible(one["value"]), one["label"], _where(one)) for one in found["values"]]
    show_table(("SHOWN", "VALUE", "WHAT", "WHERE"), rows, _EMPTY)


def _where(one: dict[str, Any]) -> str:
    return f"{one['in']} {one['path']} {one['start']}:{one['end']}" if "in" in one else "-"
