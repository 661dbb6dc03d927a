"""`kt sla`: how the clocks go, and holding open cases to the settings of today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.failures import Failure
from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_line, show_table
from escalations.statistics import NO_DATA, show_length, show_trend

app = typer.Typer(help="Clocks: report, recompute.", no_args_is_help=True, rich_markup_mode=None)

_COLUMNS = ("WHICH", "COMPLIANCE", "MET", "BREACHED", "TREND", "CLAIM MEAN", "P50", "P90", "RESOLVE MEAN", "P50", "P90")
_MORE_COLUMNS = ("WHICH", "FIRST VIEW MEAN", "P50", "P90", "HANDLE MEAN", "P50", "P90")
_SERIES_COLUMNS = ("FROM", "TO", "MET", "BREACHED", "BREACH RATE")
_PASSED_OVER = frozenset({"already_resolved", "already_expired", "conflict_of_interest", "not_found"})


@app.command()
def report(
    since: Annotated[str | None, typer.Option(help="An instant, or how long ago, as 7d; 30 days without it.")] = None,
    until: Annotated[str | None, typer.Option(help="An instant, or how long ago; now without it.")] = None,
    detail: Annotated[
        bool, typer.Option("--detail", help="Also first views, handle times, breaches over time, open cases by age.")
    ] = False,
    buckets: Annotated[int, typer.Option(min=1, max=400, help="Of the breaches over time.")] = 10,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Compliance is met / (met + breached); times are of the wall clock, from creation, and handle times from the last
    claim. What was given to somebody has no time to claim, but one until it was first looked at."""
    found = connect(profile).get("/v1/sla/report", since=since, until=until, buckets=buckets)
    if json:
        show_json(found)
        return
    named = [("all", found["all"]), *found["by_severity"].items()]
    named += [(f"team:{team}", figures) for team, figures in found["by_team"].items()]
    show_table(_COLUMNS, [_row(name, figures) for name, figures in named], NO_DATA)
    if detail:
        show_line("")
        rows = [(name, *_times(one["time_to_first_view"]), *_times(one["handle_time"])) for name, one in named]
        show_table(_MORE_COLUMNS, rows, NO_DATA)
        show_line("")
        show_table(_SERIES_COLUMNS, [_bucket(one) for one in found["breach_series"]], NO_DATA)
        show_line("")
        show_table(("OPEN FOR", "CASES"), [(_age(one), one["count"]) for one in found["open_by_age"]], NO_DATA)


@app.command()
def recompute(
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, it is only shown.")] = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Hold every open case to the settings of today, on the record. A breach stays; so do the routes."""
    client = connect(profile)
    done = []
    for case in _open_cases(client):
        try:
            done.append(client.post(f"/v1/escalations/{case['escalation_id']}/recompute", {"apply": apply}))
        except Failure as failure:
            # One that has just ended has no deadline any more; one's own request is for another admin.
            note(f"{case['escalation_id']}: {failure.message}")
            if failure.code not in _PASSED_OVER:
                raise
    if json:
        show_json({"escalations": done})
        return
    moved = [case for case in done if case["changed"]]
    rows = [(case["escalation_id"], case["before"], case["after"]) for case in moved]
    show_table(("ID", "DUE BEFORE", "DUE AFTER"), rows, "no deadline changes")
    if moved and not apply:
        note("nothing was changed; --apply does it")


def _open_cases(client: Client) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = client.get("/v1/escalations", status=["open", "claimed"], sort="priority", limit=200, cursor=cursor)
        yield from page["escalations"]
        cursor = page.get("next_cursor")
        if not cursor:
            return


def _bucket(one: dict[str, Any]) -> tuple[Any, ...]:
    rate = one["breach_rate"]
    shown = NO_DATA if rate is None else f"{100 * rate:.1f} %"
    return one["from"][:16], one["to"][:16], one["met"], one["breached"], shown


def _age(one: dict[str, Any]) -> str:
    start, end = show_length(one["from_seconds"]), one["to_seconds"]
    return f"{start} and more" if end is None else f"{start} to {show_length(end)}"


def _row(name: str, figures: dict[str, Any]) -> tuple[Any, ...]:
    return (
        name,
        figures["compliance_shown"],
        figures["met"],
        figures["breached"],
        _trend(figures),
        *_times(figures["time_to_claim"]),
        *_times(figures["time_to_resolve"]),
    )


def _trend(figures: dict[str, Any]) -> str:
    return show_trend(figures["breach_trend_points"], figures["breach_trend_matters"])


def _times(found: dict[str, Any] | None) -> tuple[str, str, str]:
    if found is None:
        return NO_DATA, NO_DATA, NO_DATA
    return show_length(found["mean"]), show_length(found["p50"]), show_length(found["p90"])


COMMANDS = {"sla": app}
