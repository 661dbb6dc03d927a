"""`kt escalation`: the reviewer's commands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import bulk, deciding, taking, waiting, watching
from cli.acting import act
from cli.case_context import show_context
from cli.options import Id, IdFlag, Json, Profile, connect, the_id
from cli.output import note, show_fields, show_json, show_line, show_table, visible
from cli.revealing import reveal
from cli.watching import COLUMNS, row_of

app = typer.Typer(
    help="Review: next, list, get, claim, resolve, escalate, watch.", no_args_is_help=True, rich_markup_mode=None
)

_EMPTY = "no escalations match; `kt escalation list --status open,claimed` shows everything that is not decided"


@app.command("list")
def list_(
    status: Annotated[list[str] | None, typer.Option(help="open, claimed, resolved, expired.")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="critical, high, medium, low.")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team's queue.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only this person's.")] = None,
    policy: Annotated[str | None, typer.Option(help="A policy rule or a reason code.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what I hold.")] = False,
    sort: Annotated[str, typer.Option(help="priority (severity, then age) or deadline.")] = "priority",
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next_cursor of an earlier page.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """The queue, most urgent first."""
    page = connect(profile).get(
        "/v1/escalations",
        status=status,
        severity=severity,
        team=team,
        assignee=assignee,
        policy=policy,
        mine=mine,
        sort=sort,
        limit=limit,
        cursor=cursor,
    )
    if json:
        show_json(page)
        return
    show_table(COLUMNS, [row_of(item) for item in page["escalations"]], _EMPTY)
    if page.get("next_cursor"):
        note(f"more: --cursor {page['next_cursor']}")


@app.command()
def get(
    id: Id = None,
    id_flag: IdFlag = None,
    include_context: Annotated[
        bool, typer.Option("--include-context", help="Request, answer, match, earlier cases.")
    ] = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """One escalation, with everything needed to judge it."""
    path = f"/v1/escalations/{the_id(id, id_flag)}"
    found = connect(profile).get(path, include="context" if include_context else None)
    if json:
        show_json(found)
        return
    context = found.pop("context", None)
    show_fields({name: value for name, value in found.items() if value is not None})
    if context:
        show_context(context)
        if context.get("masked"):
            note(
                f"{context['masked']} stretches are masked; `kt escalation reveal {found['escalation_id']}` tells them"
            )


@app.command()
def claim(id: Id = None, id_flag: IdFlag = None, profile: Profile = None, json: Json = False) -> None:
    """Take ownership."""
    act(connect(profile), the_id(id, id_flag), "claim", {}, "claimed escalation {id}", json)


@app.command()
def unclaim(id: Id = None, id_flag: IdFlag = None, profile: Profile = None, json: Json = False) -> None:
    """Give it back to the queue."""
    act(connect(profile), the_id(id, id_flag), "unclaim", {}, "unclaimed escalation {id}", json)


deciding.add_to(app)
taking.add_to(app)
waiting.add_to(app)
bulk.add_to(app)
watching.add_to(app)


@app.command()
def escalate(
    id: Id = None,
    id_flag: IdFlag = None,
    to: Annotated[str | None, typer.Option(help="team:NAME, a login or an e-mail; else the next level.")] = None,
    note: Annotated[str | None, typer.Option("--note", "--reason", help="What the next one should know.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Hand it to the next level, to a team or to a person. The clock goes on."""
    body = {name: value for name, value in (("to", to), ("note", note)) if value is not None}
    act(connect(profile), the_id(id, id_flag), "escalate", body, "escalated escalation {id} to {route}", json)


@app.command()
def assign(
    assignee: Annotated[str, typer.Option("--assignee", "--to", help="Who shall hold it.")],
    id: Id = None,
    id_flag: IdFlag = None,
    note: Annotated[str | None, typer.Option("--note", "--reason")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Give it to one person."""
    body = {"assignee": assignee, **({"note": note} if note else {})}
    act(connect(profile), the_id(id, id_flag), "assign", body, "assigned escalation {id} to {assignee}", json)


@app.command()
def extend(
    id: Id = None,
    id_flag: IdFlag = None,
    by: Annotated[str | None, typer.Option(help="How long from now, as 30m; else the usual lease.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Keep my claim for longer."""
    body = {"by": by} if by else {}
    act(connect(profile), the_id(id, id_flag), "extend", body, "extended escalation {id} until {lease_until}", json)


@app.command("ask-for-help")
def ask_for_help(
    ask: Annotated[str, typer.Option("--ask", "--to", help="team:NAME, a login or an e-mail.")],
    note: Annotated[str, typer.Option("--note", "--reason", help="What they are asked.")],
    id: Id = None,
    id_flag: IdFlag = None,
    up_to: Annotated[str | None, typer.Option(help="For how long, as 30m; an hour without it.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Keep my claim while somebody else is asked. They are told, and see the case; its clock goes on."""
    body = {"ask": ask, "note": note, **({"up_to": up_to} if up_to else {})}
    told = "asked {help_asked} for help; you hold escalation {id} until {lease_until}"
    act(connect(profile), the_id(id, id_flag), "help", body, told, json)


@app.command("wait-for")
def wait_for(
    reason: Annotated[str, typer.Option("--reason", "--note", help="What the requester is asked.")],
    id: Id = None,
    id_flag: IdFlag = None,
    up_to: Annotated[str | None, typer.Option(help="For how long at most, as 30m; else as the settings allow.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Stop the clock until the requester has answered. Never for a critical case."""
    body = {"reason": reason, **({"up_to": up_to} if up_to else {})}
    told = "the clock of escalation {id} stands still until {paused_until}"
    act(connect(profile), the_id(id, id_flag), "wait", body, told, json)


@app.command()
def resume(id: Id = None, id_flag: IdFlag = None, profile: Profile = None, json: Json = False) -> None:
    """Let the clock go on."""
    told = "the clock of escalation {id} goes on; due {sla_deadline}"
    act(connect(profile), the_id(id, id_flag), "resume", {}, told, json)


@app.command()
def severity(
    severity: Annotated[str, typer.Option("--severity", "--to", help="critical, high, medium, low.")],
    id: Id = None,
    id_flag: IdFlag = None,
    note: Annotated[str | None, typer.Option("--note", "--reason")] = None,
    later: Annotated[bool, typer.Option("--later", help="Let a lower one move the deadline; for seniors.")] = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Say how severe it is. A higher one counts its target from creation, so the case may breach at once."""
    body = {"severity": severity, "later": later, **({"note": note} if note else {})}
    told = "escalation {id} is {severity}; due {sla_deadline}"
    act(connect(profile), the_id(id, id_flag), "severity", body, told, json)


@app.command()
def comment(
    text: Annotated[str, typer.Option("--text", "--note", help="What to say.")],
    id: Id = None,
    id_flag: IdFlag = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Say something beside the case."""
    act(connect(profile), the_id(id, id_flag), "comment", {"text": text}, "commented on escalation {id}", json)


@app.command()
def history(id: Id = None, id_flag: IdFlag = None, profile: Profile = None, json: Json = False) -> None:
    """What happened, oldest first, with the place of each entry in the ledger."""
    found = connect(profile).get(f"/v1/escalations/{the_id(id, id_flag)}/history")
    if json:
        show_json(found)
        return
    rows = [
        (entry["seq"], entry["at"][:19], entry["type"], entry["actor"], _facts(entry["data"]), entry["ledger"])
        for entry in found["history"]
    ]
    show_table(("#", "AT", "WHAT", "WHO", "FACTS", "LEDGER"), rows, "nothing happened yet")


@app.command()
def explain(id: Id = None, id_flag: IdFlag = None, profile: Profile = None, json: Json = False) -> None:
    """Which rule fired, which route won, and why this deadline."""
    found = connect(profile).get(f"/v1/escalations/{the_id(id, id_flag)}/explain")
    if json:
        show_json(found)
        return
    policy, route, deadline = found["policy"], found["route"], found["deadline"]
    show_line(f"policy    {policy['rule']} ({policy['reason_code']}), configuration {policy['config_version']}")
    for finding in policy["findings"]:
        patterns = ", ".join(finding["patterns"]) or "-"
        what = f"{finding['policy']} {finding['stage']}: {finding['reason_code']}"
        show_line(f"            {what} {finding['score']}/1000 by {patterns}")
    show_line(f"severity  {found['severity']['severity']}: {found['severity']['description']}")
    strategy = f", given out by {route['strategy']}" if route["strategy"] else ""
    show_line(f"route     {route['destination']}, chosen by {route['chosen_by']} {visible(route['name'])!r}{strategy}")
    for considered in route["considered"]:
        show_line(f"            {visible(considered['name'])}: {visible(considered['verdict'])}")
    if route["ack_until"]:
        show_line(
            f"            whoever claims it before {route['ack_until'][:19]} keeps it; then the next leg is asked"
        )
    for step in route["steps"]:
        show_line(f"            {step['at'][:19]} {step['event']}: {visible(step['because'])}")
    show_line(f"deadline  {deadline['sla_deadline']}: {deadline['because']}")
    for step in deadline["steps"]:
        show_line(f"            {step['at'][:19]} {step['event']} by {visible(step['actor'])}: {step['because']}")


def _facts(data: dict[str, Any]) -> str:
    hidden = ("_digest", "claim_epoch", "event_id")
    shown = {name: value for name, value in data.items() if not name.endswith(hidden) and value is not None}
    return " ".join(f"{name}={value}" for name, value in shown.items() if not isinstance(value, list | dict))


app.command()(reveal)

COMMANDS = {"escalation": app}
