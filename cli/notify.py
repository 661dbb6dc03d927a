"""`kt notify`: what became of notifications, what was given up, and whether a channel works."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.failures import ERROR, USAGE, Failure
from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_line, show_table

app = typer.Typer(help="Notifications: log, replay, test.", no_args_is_help=True, rich_markup_mode=None)

Escalation = Annotated[str | None, typer.Option("--id", "--escalation-id", help="Only those of this escalation.")]
Channel = Annotated[str | None, typer.Option(help="Only those of this channel, as the rule names it.")]


@app.command()
def log(
    escalation_id: Escalation = None,
    channel: Channel = None,
    outcome: Annotated[str | None, typer.Option(help="sent, failed, grouped or dead.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up and not sent once more.")] = False,
    before: Annotated[int | None, typer.Option(help="Only rows before this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """What became of every attempt to tell somebody, newest first."""
    found = connect(profile).get(
        "/v1/notifications",
        escalation_id=escalation_id,
        channel=channel,
        outcome=outcome,
        waiting="true" if dead else None,
        before=before,
        limit=limit,
    )
    if json:
        show_json(found)
        return
    header = ("NUMBER", "AT (UTC)", "ESCALATION", "EVENT", "CHANNEL", "TRY", "OUTCOME", "WHY")
    show_table(header, [_row(one) for one in found["notifications"]], "nothing was told yet that fits")
    if any(one["outcome"] == "dead" and not one["replayed_at"] for one in found["notifications"]):
        note("`kt notify replay NUMBER` sends once more what was given up")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    why = one["problem"] or ""
    if one["next_channel"]:
        why += f"; {one['next_channel']} was told instead"
    if one["replayed_at"]:
        why += "; sent once more"
    return (
        str(one["number"]),
        one["at"][:19],
        one["escalation_id"],
        one["event"],
        one["channel"],
        str(one["attempt"] or ""),
        one["outcome"],
        why,
    )


@app.command()
def replay(
    number: Annotated[int | None, typer.Argument(help="The row of `kt notify log --dead`.")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Everything that was given up.")] = False,
    escalation_id: Escalation = None,
    channel: Channel = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Send once more what was given up, under the id that it had."""
    if (number is None) == (not all_of_them):
        raise Failure("name a row of `kt notify log --dead`, or say --all", USAGE, code="usage")
    client = connect(profile)
    if number is not None:
        done = client.post(f"/v1/notifications/{number}/replay", {})
    else:
        done = client.post("/v1/notifications/replay", {"escalation_id": escalation_id, "channel": channel})
    if json:
        show_json(done)
    else:
        show_line(f"{len(done['replayed'])} sent once more; `kt notify log` shows what becomes of it")


@app.command("test")
def try_out(
    channel: Annotated[str, typer.Argument(help="As a rule names it: pagerduty, slack:#legal, email:ana@example.com.")],
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Send a test message on a channel. Exit code 1 when it did not arrive."""
    found = connect(profile).post("/v1/notifications/test", {"channel": channel})
    if json:
        show_json(found)
        raise typer.Exit(0 if found["sent"] else ERROR)
    if not found["sent"]:
        raise Failure(f"{channel}: {found['problem']}", ERROR, code="not_sent")
    show_line(f"{channel}: the test message arrived")


COMMANDS = {"notify": app}
