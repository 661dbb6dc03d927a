"""`kt policy backtest|suggest|recheck`: a configuration held against what happened and what people decided.

Events, cases and their contents are read through the API with the caller's own rights: what they may not see does not
count, and every content that is read is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from cli.client import Client
from cli.failures import ERROR, NOT_FOUND, Failure
from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_line, show_table

if TYPE_CHECKING:
    from policies.backtesting import Backtest, Record
    from policies.config import PolicyConfig

PAGE = 1000
Since = Annotated[str, typer.Option(help="So long ago (30d), or an instant.")]
Until = Annotated[str | None, typer.Option(help="Up to then.")]
ScoresOnly = Annotated[bool, typer.Option("--scores-only", help="Read no content: judge by the recorded scores.")]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of `kt policy`."""
    for command in (backtest, suggest, recheck):
        app.command()(command)


def backtest(
    file: Annotated[Path, typer.Argument(metavar="NEW", help="The configuration to try.")],
    since: Since = "30d",
    until: Until = None,
    scores_only: ScoresOnly = False,
    fail_if_missed_blocks: Annotated[
        int | None, typer.Option(help="End with exit code 1 when more than so many would be missed.", min=0)
    ] = None,
    reviewers: Annotated[
        int | None, typer.Option(help="How many review; left out: as many as decided in that time.", min=1)
    ] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """What NEW would have held and what no longer, and what people had blocked of that."""
    client = connect(profile)
    result, shown = _played(client, _config(file), since, until, scores_only=scores_only, reviewers=reviewers)
    if json:
        show_json(shown)
    else:
        _show(shown)
    if fail_if_missed_blocks is not None and len(result.missed) > fail_if_missed_blocks:
        note(f"{len(result.missed)} blocked or redacted answers would have left unseen")
        raise typer.Exit(ERROR)


def check_missed_blocks(client: Client, text: str, name: str, since: str, most: int) -> None:
    """The gate of a promotion. Raises Failure when more than `most` blocked or redacted answers would have left."""
    from policies.backtesting import backtest as play
    from policies.documents import parse_document
    from policies.loading import load_document

    config = load_document(parse_document(text, name)).config
    missed = play(config, _records(client, since, None, contents=True)).missed
    if len(missed) > most:
        cases = "\n".join(f"  {case}  {_link(client, case)}" for case in missed)
        raise Failure(
            f"{name} was not promoted: {len(missed)} answers that people blocked or redacted since {since} would have"
            f" left unseen\n{cases}",
            ERROR,
            code="missed_blocks",
        )


def _played(
    client: Client, config: PolicyConfig, since: str, until: str | None, *, scores_only: bool, reviewers: int | None
) -> tuple[Backtest, dict[str, Any]]:
    from escalations.settings import EscalationSettings
    from policies.backtesting import backtest as play
    from policies.predicting import predict

    result = play(config, _records(client, since, until, contents=not scores_only))
    settings = EscalationSettings.model_validate(client.get("/v1/settings")["settings"])
    named = {*result.newly_escalated, *result.no_longer, *result.missed, *result.undecided}
    return result, {
        **result.shown(),
        "sla": predict(result, settings, reviewers).shown(),
        "links": {name: _link(client, name) for name in sorted(named)},
    }


def _link(client: Client, name: str) -> str:
    """Where a case, or an event that is none, can be looked at."""
    kind = "escalations" if name.startswith("esc_") else "events"
    return f"{client.url}/v1/{kind}/{name}"


def suggest(
    file: Annotated[Path, typer.Option("--file", "-f", help="The configuration.")] = Path("policy-config.yaml"),
    since: Since = "30d",
    until: Until = None,
    fewest: Annotated[int, typer.Option(help="So many overruled cases make a suggestion.", min=1)] = 5,
    scores_only: ScoresOnly = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Changes for rules that people keep overruling, each with its backtest. Nothing is applied."""
    from policies.suggesting import suggest_changes

    records = list(_records(connect(profile), since, until, contents=not scores_only))
    found = suggest_changes(_config(file), records, fewest=fewest)
    if json:
        show_json({"suggestions": [one.shown() for one in found]})
        return
    if not found:
        note(f"nothing to suggest: no rule was overruled {fewest} times or more in {len(records)} requests")
    import yaml

    for one in found:
        show_line(f"{one.rule}: {one.because}")
        show_line("\n".join(f"    {line}" for line in yaml.safe_dump(one.change, sort_keys=False).splitlines()))
        after = one.backtest
        show_line(f"  escalations {after.before} → {after.after}, missed blocks {len(after.missed)}\n")


def recheck(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The policy.")],
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The version that became active.")],
    window: Annotated[str, typer.Option(help="So long before and after.")] = "7d",
    profile: Profile = None,
    json: Json = False,
) -> None:
    """How many requests were escalated before a version became active, and since."""
    from escalations.durations import parse_duration

    client = connect(profile)
    found = client.get(f"/v1/policies/{quote(name, safe='')}")
    moves = [one for one in found["moves"] if one["version"] == version and one["stage"] == "active"]
    if not moves:
        raise Failure(f"version {version} of {name} was never active", NOT_FOUND, code="not_found")
    at = datetime.fromisoformat(moves[-1]["at"])
    try:
        length = parse_duration(window)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    after = min(length, datetime.now(UTC) - at)
    sides = {"before": (at - length, length), "after": (at, after)}
    told = {side: _volume(client, start, span) for side, (start, span) in sides.items()}
    if json:
        show_json({"name": name, "version": version, "active_since": moves[-1]["at"], **told})
        return
    rows = [
        (side, one["requests"], one["escalated"], f"{one['share']:.1%}", f"{one['per_day']:.1f}")
        for side, one in told.items()
    ]
    show_table(("", "REQUESTS", "ESCALATED", "SHARE", "ESCALATED A DAY"), rows, "")


def _volume(client: Client, start: datetime, length: timedelta) -> dict[str, Any]:
    events = list(_events(client, start.isoformat(), (start + length).isoformat()))
    held = sum(event["verdict"] == "escalated" for event in events)
    days = max(length.total_seconds() / 86400, 1 / 86400)
    share = held / len(events) if events else 0.0
    return {"requests": len(events), "escalated": held, "share": round(share, 4), "per_day": round(held / days, 2)}


def _config(file: Path) -> PolicyConfig:
    from policies.loading import BadConfig, load_policy_config

    try:
        return load_policy_config(file).config
    except BadConfig as fault:
        raise Failure(str(fault), ERROR, code="invalid") from None


def _events(client: Client, since: str, until: str | None) -> Iterator[dict[str, Any]]:
    after: Any = "0"
    while True:
        page = client.get("/v1/events", since=since, until=until, after=after, limit=PAGE)
        yield from page["events"]
        # A page may hold less than was read: what others' teams have is not shown.
        if page["next_cursor"] in (None, after) or str(page["next_cursor"]) == str(after):
            return
        after = page["next_cursor"]


def _records(client: Client, since: str, until: str | None, *, contents: bool) -> Iterator[Record]:
    from policies.backtesting import Record

    for event in _events(client, since, until):
        case = _case(client, event["escalation_id"], contents=contents) if event["escalation_id"] else {}
        context = case.get("context") or {}
        # What a chain released unseen says nothing of whether it was right to hold it.
        decided = case if case.get("reviewer") != "system" or case.get("precedent") else {}
        yield Record(
            event_id=event["event_id"],
            verdict=event["verdict"],
            findings=tuple((event.get("body") or {}).get("policies", ())),
            escalation_id=event["escalation_id"],
            group=event["consumer_group"],
            request=context.get("request"),
            answer=context.get("held_answer"),
            resolution=decided.get("resolution"),
            category=decided.get("category"),
            handled_s=_handled(case),
            reviewer=decided.get("reviewer"),
            at=datetime.fromisoformat(event["at"]),
            team=event["team"],
            masked=bool(context.get("masked")),
        )


def _case(client: Client, escalation_id: str, *, contents: bool) -> dict[str, Any]:
    try:
        found: dict[str, Any] = client.get(f"/v1/escalations/{escalation_id}", include="context" if contents else None)
    except Failure as failure:
        if failure.exit_code == NOT_FOUND:
            return {}
        raise
    return found


def _handled(case: dict[str, Any]) -> float | None:
    if not case.get("claimed_at") or not case.get("ended_at"):
        return None
    took = datetime.fromisoformat(case["ended_at"]) - datetime.fromisoformat(case["claimed_at"])
    return max(0.0, took.total_seconds())


def _show(shown: dict[str, Any]) -> None:
    before, after = shown["escalations"]["before"], shown["escalations"]["after"]
    change = f" ({(after - before) / before:+.0%})" if before else ""
    show_line(f"escalations {before} → {after}{change} of {shown['looked_at']} requests")
    gone, missed = shown["no_longer_escalated"], shown["missed_blocks"]
    show_line(
        f"{len(gone)} no longer escalated, of which people had blocked or redacted {len(missed)}"
        f" and {len(shown['no_longer_and_undecided'])} were undecided; {len(shown['newly_escalated'])} newly escalated"
    )
    show_line(f"reviewer hours saved: {shown['reviewer_hours_saved']}")
    if shown["unknown"]:
        note(f"of {shown['unknown']} requests neither content nor scores are kept; nothing can be said of them")
    for name in missed:
        show_line(f"missed: {name}  {shown['links'][name]}  (kt escalation get {name})")
    sla = shown["sla"]
    show_line(
        f"breaches by {sla['reviewers']} reviewers: {sla['before']['breached']} of {sla['before']['cases']} →"
        f" {sla['after']['breached']} of {sla['after']['cases']}"
    )
    rows = [
        (rule, one["before"], one["after"], one["decided"], _share(one["precision"]), _share(one["recall"]))
        for rule, one in shown["rules"].items()
    ]
    show_table(("RULE", "BEFORE", "AFTER", "DECIDED", "PRECISION", "RECALL"), rows, "no rule held anything")


def _share(value: float | None) -> str:
    return "no data" if value is None else f"{value:.2f}"
