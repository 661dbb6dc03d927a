"""`kt escalation next`: taking the most urgent case, and on a terminal deciding one after the other."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli.acting import act
from cli.beating import kept
from cli.case_context import show_context
from cli.client import Client
from cli.failures import NOT_FOUND, USAGE, Failure
from cli.options import Json, Profile, connect
from cli.output import is_terminal, note, show_json, show_line, visible
from cli.watching import due

_KEYS = "a allow · b block · r redact and allow · e escalate · s skip (gives it back) · q stop (you keep it)"
_RESOLUTIONS = {"a": "allow", "b": "block", "r": "redact_and_allow"}
_SHOWN = ("escalation_id", "severity", "policy_rule", "reason_code", "consumer", "team", "lease_until")


def add_to(app: typer.Typer) -> None:
    app.command("next")(next_)


def next_(
    claim: Annotated[bool, typer.Option("--claim", help="Take it; without this it is only shown.")] = False,
    team: Annotated[str | None, typer.Option(help="Only this team's queue.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """The most urgent one that is yours to take, with everything needed to judge it. Exit 5 when there is none.

    What you hold already comes first. With --claim on a terminal, decide it by a key and go on to the next.
    """
    client = connect(profile)
    if not claim:
        show_case(client.get("/v1/escalations/next", team=team), json)
        return
    if json or not (is_terminal() and sys.stdin.isatty()):
        take(client, json, team)
        return
    try:
        while _decide_in_time(client, take(client, False, team)):
            pass
    except EOFError:
        return


def take(client: Client, as_json: bool, team: str | None = None) -> dict[str, Any]:
    """Claim the next case and show it. Raises Failure with exit 5 when there is none."""
    found: dict[str, Any] = client.post("/v1/escalations/next", {"team": team} if team else {})
    show_case(found, as_json)
    return found


def go_on(client: Client) -> None:
    """After a decision: the next case; an empty queue is no failure then."""
    try:
        take(client, as_json=False)
    except Failure as failure:
        if failure.code != "nothing_waits":
            raise
        note(visible(failure.message))


def show_case(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    for name in _SHOWN:
        show_line(f"{name + ':':<15} {visible(str(found[name]))}")
    show_line(f"{'due:':<15} {due(found)}")
    show_context(found["context"])
    held, proposal = found["escalation_id"], found.get("proposal")
    show_line("")
    if found["status"] != "claimed":
        show_line("kt escalation next --claim")
    elif proposal:
        show_line(f"{proposal['resolution']} is proposed by {visible(proposal['reviewer'])}:")
        show_line(f"kt escalation approve {held} --proposal {proposal['number']} --next")
        show_line(f"kt escalation object {held} --note WHY")
    else:
        show_line(f"kt escalation resolve {held} --resolution allow|block|redact_and_allow --next")


def _decide_in_time(client: Client, case: dict[str, Any]) -> bool:
    """The claim does not run out while it is being decided here."""
    with kept(client, case["escalation_id"]):
        return _decide(client, case)


def _decide(client: Client, case: dict[str, Any]) -> bool:
    """Ask what to do with a case and do it; whether to go on with the next. What is refused is asked anew."""
    held = case["escalation_id"]
    while True:
        show_line(_KEYS)
        key = input("> ").strip().lower()[:1]
        try:
            if key == "q":
                return False
            if key == "s":
                act(client, held, "unclaim", {}, "unclaimed escalation {id}", False)
            elif key == "e":
                act(client, held, "escalate", _with_note({}), "escalated escalation {id} to {route}", False)
            elif key in _RESOLUTIONS and case.get("proposal"):
                raise Failure("another's decision waits here; approve it or object to it", USAGE, code="usage")
            elif key in _RESOLUTIONS:
                body = {"resolution": _RESOLUTIONS[key]}
                body |= {name: case[name] for name in ("content_digest", "claim_epoch")}
                category = input("category (Enter for other): ").strip()
                body |= {"category": category} if category else {}
                act(client, held, "resolve", _with_note(body), "{decided} escalation {id}", False)
            else:
                continue
            return True
        except Failure as failure:
            if failure.exit_code == NOT_FOUND:
                raise
            note(f"error: {visible(failure.message)}")


def _with_note(body: dict[str, Any]) -> dict[str, Any]:
    written = input("note: ").strip()
    return body | ({"note": written} if written else {})
