"""`kt golden`: cases whose right decision is known, hidden among the others, and how they were decided."""

from __future__ import annotations

import json as parser
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failures import USAGE, Failure
from cli.options import Json, Profile, connect
from cli.output import ago, note, show_json, show_line, show_table

app = typer.Typer(
    help="Golden cases, for admins and auditors: add, list, retire, report.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_NO_DATA = "no data"
_NONE = "there are no golden cases; `kt golden add --from ID --resolution block` keeps one"


@app.command()
def add(
    resolution: Annotated[
        str, typer.Option("--resolution", "--expect", help="The right decision: allow, block, redact_and_allow.")
    ],
    source: Annotated[str | None, typer.Option("--from", metavar="ID", help="A case that is over, to copy.")] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="JSON with answer, policy_rule, reason_code, request …. - is stdin."),
    ] = None,
    category: Annotated[str | None, typer.Option(help="The right category; any, without it.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Keep a case whose right decision is known. It is sent in the rhythm of the settings (golden_cases)."""
    if (source is None) == (file is None):
        raise Failure("give the case to copy (--from ID), or what it is made of (--file FILE)", USAGE, code="usage")
    body = {"from": source} if file is None else _read(file)
    body |= {"resolution": resolution, **({"category": category} if category else {})}
    made = connect(profile).post("/v1/golden-cases", body)
    if json:
        show_json(made)
    else:
        show_line(f"kept golden case {made['golden_id']}: {made['resolution']} is right")


@app.command("list")
def list_(profile: Profile = None, json: Json = False) -> None:
    """The golden cases, and how often each was sent."""
    found = connect(profile).get("/v1/golden-cases")
    if json:
        show_json(found)
        return
    rows = [
        (
            one["golden_id"],
            one["policy_rule"],
            one["severity"],
            one["resolution"],
            one["sent"],
            ago(one["last_sent_at"]),
            "retired" if one["retired_at"] else "kept",
        )
        for one in found["golden_cases"]
    ]
    show_table(("ID", "POLICY", "SEVERITY", "RIGHT IS", "SENT", "LAST", "STATE"), rows, _NONE)


@app.command()
def retire(
    id: Annotated[str, typer.Argument(metavar="ID", help="gold_…")], profile: Profile = None, json: Json = False
) -> None:
    """Send it no more, and erase its content. How it was decided stays known."""
    connect(profile).delete(f"/v1/golden-cases/{id}")
    if json:
        show_json({"golden_id": id, "retired": True})
    else:
        show_line(f"retired golden case {id}")


@app.command()
def report(
    since: Annotated[str | None, typer.Option(help="An instant, or how long ago, as 7d; 30 days without it.")] = None,
    until: Annotated[str | None, typer.Option(help="An instant, or how long ago; now without it.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """How they were decided: how many right, and how many let through what had to be blocked."""
    found = connect(profile).get("/v1/golden-cases/report", since=since, until=until)
    if json:
        show_json(found)
        return
    named = [("all", found["all"])]
    named += [(f"policy:{policy}", figures) for policy, figures in found["by_policy"].items()]
    named += [(f"reviewer:{login}", figures) for login, figures in found["by_reviewer"].items()]
    show_table(("WHICH", "DECIDED", "RIGHT", "RATE", "LET THROUGH"), [_row(*one) for one in named], _NO_DATA)
    for one in found["results"]:
        if one["let_through"]:
            note(f"{one['reviewer']} let {one['escalation_id']} through ({one['golden_id']}): {one['resolution']}")


def _row(name: str, figures: dict[str, Any]) -> tuple[Any, ...]:
    rate = figures["rate"]
    return name, figures["count"], figures["right"], _NO_DATA if rate is None else f"{rate:.1%}", figures["let_through"]


def _read(file: str) -> dict[str, Any]:
    try:
        found = parser.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise Failure(f"--file {file}: {fault}", USAGE, code="usage") from None
    if not isinstance(found, dict):
        raise Failure(f"--file {file}: a JSON object is needed", USAGE, code="usage")
    return found


COMMANDS = {"golden": app}
