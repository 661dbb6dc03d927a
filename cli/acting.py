"""Doing something to one case, and saying what was done."""

from __future__ import annotations

from typing import Any

from cli.client import Client
from cli.output import show_json, show_line


def act(client: Client, id: str, verb: str, body: dict[str, Any], told: str, as_json: bool) -> None:
    done = client.post(f"/v1/escalations/{id}/{verb}", body)
    if as_json:
        show_json(done)
        return
    decided = "resolved" if done["status"] == "resolved" else "decided"
    show_line(told.format(**{**done, "id": id, "decided": decided, "route": done["route"]["destination"]}))
    if (pending := done.get("pending")) and verb in ("resolve", "approve"):
        show_line(f"{pending['resolution']} counts from {pending['release_at'][:19]} on: kt escalation undo {id}")
    if (proposal := done.get("proposal")) and verb in ("resolve", "approve"):
        more = f"{proposal['missing']} more must confirm it: kt escalation approve {id} --proposal {proposal['number']}"
        show_line(f"{proposal['resolution']} is proposed by {proposal['reviewer']}; {more}")
