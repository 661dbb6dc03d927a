"""`kt escalation resolve | approve | object | undo`: deciding, alone or with others."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from cli.acting import act
from cli.failures import USAGE, Failure
from cli.options import Id, IdFlag, Json, Profile, connect, the_id
from cli.taking import go_on

Next = Annotated[bool, typer.Option("--next", help="Then take the next case and show it.")]


def add_to(app: typer.Typer) -> None:
    app.command()(resolve)
    app.command()(approve)
    app.command("object")(object_to)
    app.command()(undo)
    app.command()(appeal)


def resolve(
    id: Id = None,
    id_flag: IdFlag = None,
    resolution: Annotated[
        str | None,
        typer.Option("--resolution", "--outcome", help="allow (approved), block (blocked), redact_and_allow."),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="false_positive, true_positive, policy_gap, other (default), or one of your own.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", "--reason", help="Why; kept in the audit log.")] = None,
    redact: Annotated[
        list[str] | None,
        typer.Option(metavar="START:END[:LABEL]", help="Strip these characters of the answer; may be repeated."),
    ] = None,
    follow_up: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:TEXT", help="policy_tuning, evidence_export or other, and what is to be done."),
    ] = None,
    next: Next = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Decide. With redact_and_allow and no --redact, what the pii-detector finds is stripped."""
    if not resolution:
        raise typer.BadParameter("say how: --resolution allow, block or redact_and_allow")
    _check_next(next, json)
    found = the_id(id, id_flag)
    client = connect(profile)
    seen = client.get(f"/v1/escalations/{found}")
    body: dict[str, Any] = {
        "resolution": "redact_and_allow" if redact and resolution in ("redact", "redacted") else resolution,
        "content_digest": seen["content_digest"],
        "claim_epoch": seen["claim_epoch"],
    }
    body |= {name: value for name, value in (("category", category), ("note", note)) if value is not None}
    if redact:
        body["redactions"] = [_redaction(text) for text in redact]
    if follow_up:
        body["follow_ups"] = [_follow_up(text) for text in follow_up]
    act(client, found, "resolve", body, "{decided} escalation {id}", json)
    if next:
        go_on(client)


def approve(
    id: Id = None,
    id_flag: IdFlag = None,
    proposal: Annotated[
        int | None, typer.Option(min=1, help="The number of the one that you saw; without it, the one that stands now.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", "--reason", help="Why; kept in the audit log.")] = None,
    next: Next = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Confirm the decision that another proposed. It counts once enough people agree."""
    _check_next(next, json)
    found = the_id(id, id_flag)
    client = connect(profile)
    seen = client.get(f"/v1/escalations/{found}")
    # Where nothing is proposed the API says so, whatever the number.
    number = proposal or (seen["proposal"] or {}).get("number", 0)
    body = {"proposal": number, "content_digest": seen["content_digest"], **({"note": note} if note else {})}
    act(client, found, "approve", body, "approved escalation {id}", json)
    if next:
        go_on(client)


def object_to(
    note: Annotated[str, typer.Option("--note", "--reason", help="Why it should not stand.")],
    id: Id = None,
    id_flag: IdFlag = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Take a proposed decision off the table: another's, or your own. The case waits for a new one."""
    found = the_id(id, id_flag)
    act(connect(profile), found, "object", {"note": note}, "objected; escalation {id} waits for a new decision", json)


def undo(
    id: Id = None,
    id_flag: IdFlag = None,
    note: Annotated[str | None, typer.Option("--note", "--reason", help="Why; kept in the audit log.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Take a decision back in the seconds before it counts. You hold the case again."""
    body = {"note": note} if note else {}
    act(connect(profile), the_id(id, id_flag), "undo", body, "undone; {assignee} holds escalation {id}", json)


def appeal(
    reason: Annotated[str, typer.Option("--reason", "--note", help="Why it should not have been blocked.")],
    id: Id = None,
    id_flag: IdFlag = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Contest a block, once, with the consumer's key or as the person behind it. Another, a senior, decides."""
    told = "contested escalation {id} as {escalation_id}"
    act(connect(profile), the_id(id, id_flag), "appeal", {"reason": reason}, told, json)


def _check_next(next: bool, as_json: bool) -> None:
    if next and as_json:
        raise typer.BadParameter("--next shows a second case; with --json, call `kt escalation next --claim --json`")


def _redaction(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"(\d+):(\d+)(?::(.+))?", text)
    if not found:
        raise Failure(f"--redact {text!r} is not START:END[:LABEL]", USAGE, code="usage")
    return {"start": int(found[1]), "end": int(found[2]), "label": found[3] or "REDACTED"}


def _follow_up(text: str) -> dict[str, str]:
    kind, colon, told = text.partition(":")
    return {"kind": kind if colon else "other", "text": told if colon else text}
