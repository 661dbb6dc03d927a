"""`kt second-review`: looking at a sampled case again without knowing how it was decided, and how far people agree."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.case_context import show_context
from cli.options import Json, Profile, connect
from cli.output import show_json, show_line, show_table

app = typer.Typer(
    help="Blind second reviews: next, list, get, resolve, unclaim, report.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ReviewId = Annotated[str, typer.Argument(metavar="ID", help="rev_…")]
_NO_DATA = "no data"


@app.command("next")
def next_(profile: Profile = None, json: Json = False) -> None:
    """Take the oldest that is yours to take, and show what is to be judged. Exit 5 when none waits."""
    _show(connect(profile).post("/v1/second-reviews/next"), json)


@app.command("list")
def list_(profile: Profile = None, json: Json = False) -> None:
    """What waits for you; for admins and auditors, all that waits."""
    found = connect(profile).get("/v1/second-reviews")
    if json:
        show_json(found)
        return
    names = ("review_id", "status", "severity", "reason_code", "team", "expires_at")
    rows = [tuple(str(one[name]) for name in names) for one in found["second_reviews"]]
    show_table(("ID", "STATUS", "SEVERITY", "REASON", "TEAM", "UNTIL"), rows, "no second review waits for you")


@app.command()
def get(id: ReviewId, profile: Profile = None, json: Json = False) -> None:
    """What you have taken."""
    _show(connect(profile).get(f"/v1/second-reviews/{id}"), json)


@app.command()
def resolve(
    id: ReviewId,
    resolution: Annotated[
        str, typer.Option("--resolution", "--outcome", help="allow (approved), block (blocked), redact_and_allow.")
    ],
    category: Annotated[str | None, typer.Option(help="As in a case; other without it.")] = None,
    note: Annotated[str | None, typer.Option("--note", "--reason", help="Why.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Say how you would have decided. It releases nothing; then you are told how it was decided."""
    body = {"resolution": resolution, "category": category, "note": note}
    sent = {name: value for name, value in body.items() if value is not None}
    done = connect(profile).post(f"/v1/second-reviews/{id}/resolve", sent)
    if json:
        show_json(done)
        return
    first = (done["first_decision"] or {}).get("resolution")
    told = "as the first reviewer did" if done["agrees"] else f"where the first reviewer said {first}"
    show_line(f"{done['resolution']}, {told}: escalation {done['escalation_id']}")


@app.command()
def unclaim(id: ReviewId, profile: Profile = None, json: Json = False) -> None:
    """Give it back."""
    done = connect(profile).post(f"/v1/second-reviews/{id}/unclaim")
    if json:
        show_json(done)
    else:
        show_line(f"gave {id} back")


@app.command()
def report(
    since: Annotated[str | None, typer.Option(help="An instant, or how long ago, as 7d; 30 days without it.")] = None,
    until: Annotated[str | None, typer.Option(help="An instant, or how long ago; now without it.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """How often the second said as the first, and how far that is beyond chance (Cohen's kappa, at most 1)."""
    found = connect(profile).get("/v1/second-reviews/report", since=since, until=until)
    if json:
        show_json(found)
        return
    named = [("all", found["all"])]
    named += [(f"policy:{policy}", figures) for policy, figures in found["by_policy"].items()]
    named += [(f"reviewer:{login}", figures) for login, figures in found["by_reviewer"].items()]
    show_table(("WHICH", "REVIEWED TWICE", "AGREED", "RATE", "KAPPA"), [_row(*one) for one in named], _NO_DATA)


def _row(name: str, figures: dict[str, Any]) -> tuple[Any, ...]:
    rate, kappa = figures["rate"], figures["kappa"]
    return (
        name,
        figures["count"],
        figures["agreed"],
        _NO_DATA if rate is None else f"{rate:.1%}",
        _NO_DATA if kappa is None else f"{kappa:.2f}",
    )


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    for name in ("review_id", "policy_rule", "reason_code", "severity", "expires_at"):
        show_line(f"{name + ':':<14} {found[name]}")
    show_context(found["context"])
    show_line(f"\nkt second-review resolve {found['review_id']} --resolution allow|block|redact_and_allow")


COMMANDS = {"second-review": app}
