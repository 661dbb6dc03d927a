"""What reviewers do to a case over HTTP: each a Temporal update, by way of the desk. No body says who acts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Depends

from api.applications import check_application
from api.authentication import Caller, Key, Using, scope_of
from api.decision_schemas import ApproveBody, ObjectBody, ResolveBody, UndoBody
from api.desk import AtDesk, Desk, Keep, Order
from api.presentation import present
from api.records import note_read
from api.schemas import AssignBody, CommentBody, EscalateBody, Escalation, ExtendBody, SeverityBody, WaitBody
from api.services import Services
from escalations.commands import (
    REVIEWERS,
    Actor,
    Approve,
    Assign,
    Claim,
    Command,
    Comment,
    EscalateFurther,
    Extend,
    FollowUp,
    Object,
    Resolve,
    Resume,
    SetSeverity,
    Unclaim,
    Undo,
    WaitOnRequester,
    Withdraw,
)
from escalations.completion import texts
from escalations.decisions import Redaction, Resolution
from escalations.default_channels import UNTOLD
from escalations.directory import destination
from escalations.durations import parse_duration
from escalations.errors import Invalid, InvalidRedaction, NoNextLevel
from escalations.redaction import redact
from escalations.routes import Chooser, LegReason, Route
from escalations.routing import choose_behind
from escalations.standing import eligibility, standing_of_view
from escalations.views import View, facts_of
from policies.detectors.pii import redactions_for
from store.contents import ANSWER, released_field
from store.directory import find_user, read_directory
from store.settings import current_settings, settings_at
from store.tokens import Principal
from vault.envelopes import DataKey

router = APIRouter(prefix="/v1/escalations", tags=["escalations"], dependencies=[Depends(check_application)])


@router.post("/{escalation_id}/claim", response_model=Escalation, summary="Take ownership")
async def claim(caller: Caller, using: Using, at: AtDesk, escalation_id: str, key: Key = None) -> Escalation:
    return await _carry_out(using, at, caller, escalation_id, Order("claim", b"", key, lambda actor, *_: Claim(actor)))


@router.post("/{escalation_id}/unclaim", response_model=Escalation, summary="Give it back to the queue")
async def unclaim(caller: Caller, using: Using, at: AtDesk, escalation_id: str, key: Key = None) -> Escalation:
    return await _carry_out(
        using, at, caller, escalation_id, Order("unclaim", b"", key, lambda actor, *_: Unclaim(actor))
    )


@router.post("/{escalation_id}/withdraw", response_model=Escalation, summary="The consumer gave up")
async def withdraw(caller: Caller, using: Using, at: AtDesk, escalation_id: str, key: Key = None) -> Escalation:
    return await _carry_out(
        using, at, caller, escalation_id, Order("withdraw", b"", key, lambda actor, *_: Withdraw(actor))
    )


@router.post("/{escalation_id}/extend", response_model=Escalation, summary="Keep a claim for longer")
async def extend(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: ExtendBody | None = None, key: Key = None
) -> Escalation:
    by = parse_duration(body.by) if body and body.by is not None else None
    payload = (body or ExtendBody()).model_dump_json().encode()
    return await _carry_out(
        using, at, caller, escalation_id, Order("extend", payload, key, lambda actor, *_: Extend(actor, by))
    )


@router.post("/{escalation_id}/wait", response_model=Escalation, summary="Stop the clock until the requester answers")
async def wait(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: WaitBody, key: Key = None
) -> Escalation:
    up_to = parse_duration(body.up_to) if body.up_to is not None else None

    def make(actor: Actor, keep: Keep, *_: Any) -> Command:
        return WaitOnRequester(actor, keep(body.reason), up_to)

    payload = body.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("wait_on_requester", payload, key, make))


@router.post("/{escalation_id}/resume", response_model=Escalation, summary="Let the clock go on")
async def resume(caller: Caller, using: Using, at: AtDesk, escalation_id: str, key: Key = None) -> Escalation:
    return await _carry_out(
        using, at, caller, escalation_id, Order("resume", b"", key, lambda actor, *_: Resume(actor))
    )


@router.post("/{escalation_id}/severity", response_model=Escalation, summary="Say how severe it is")
async def severity(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: SeverityBody, key: Key = None
) -> Escalation:
    def make(actor: Actor, keep: Keep, *_: Any) -> Command:
        return SetSeverity(actor, body.severity, keep(body.note) if body.note else None, body.later)

    payload = body.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("set_severity", payload, key, make))


@router.post("/{escalation_id}/comment", response_model=Escalation, summary="Say something beside the case")
async def comment(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: CommentBody, key: Key = None
) -> Escalation:
    def make(actor: Actor, keep: Keep, *_: Any) -> Command:
        return Comment(actor, keep(body.text))

    payload = body.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("comment", payload, key, make))


@router.post("/{escalation_id}/assign", response_model=Escalation, summary="Give it to one person")
async def assign(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: AssignBody, key: Key = None
) -> Escalation:
    await at.check_role(caller, await at.seen_by(scope_of(caller), escalation_id), "assign")
    async with using.database.read() as connection:
        user = await find_user(connection, caller.tenant, body.assignee)
        directory = await read_directory(connection, caller.tenant)
        settings = (await current_settings(connection, caller.tenant)).settings
    if user is None or not user.active:
        raise Invalid(f"there is no user {body.assignee!r}; `kt user list` shows them", field="assignee")
    if not REVIEWERS.intersection(user.roles):
        raise Invalid(f"{user.login} may not review; assign it to a reviewer, senior or admin", field="assignee")

    def make(actor: Actor, keep: Keep, _key: DataKey, view: View) -> Command:
        if view.appeal is not None and not user.leads:
            raise Invalid(f"an appeal is for seniors and admins, not for {user.login}", field="assignee")
        own = settings.notification_defaults.person(user.login, directory)
        return Assign(actor, user.login, keep(body.note) if body.note else None, own_channel=own)

    payload = body.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("assign", payload, key, make))


@router.post(
    "/{escalation_id}/escalate", response_model=Escalation, summary="Hand it to the next level, a team or a person"
)
async def escalate(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: EscalateBody | None = None, key: Key = None
) -> Escalation:
    asked = body or EscalateBody()
    view = await at.seen_by(scope_of(caller), escalation_id)
    route = await _next_route(using, caller, view, asked.to)

    def make(actor: Actor, keep: Keep, *_: Any) -> Command:
        return EscalateFurther(actor, route, keep(asked.note) if asked.note else None)

    payload = asked.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("escalate_further", payload, key, make))


@router.post("/{escalation_id}/resolve", response_model=Escalation, summary="Decide: allow, block, or redact and allow")
async def resolve(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: ResolveBody, key: Key = None
) -> Escalation:
    view = await at.seen_by(scope_of(caller), escalation_id)
    await at.check_role(caller, view, "resolve")
    released: bytes | None = None
    redactions: list[Redaction] = []
    if body.resolution is Resolution.REDACT_AND_ALLOW:
        released, redactions = await _redacted(using, caller, view, body)

    order = resolve_order(body, view, key, released, len(redactions))
    return await _carry_out(using, at, caller, escalation_id, order, note=body.note)


@router.post("/{escalation_id}/approve", response_model=Escalation, summary="Confirm what another proposed")
async def approve(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: ApproveBody, key: Key = None
) -> Escalation:
    def make(actor: Actor, keep: Keep, _key: DataKey, view: View) -> Command:
        digest = body.content_digest or view.content_digest
        return Approve(actor, body.proposal, digest, keep(body.note) if body.note else None)

    payload = body.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("approve", payload, key, make))


@router.post("/{escalation_id}/object", response_model=Escalation, summary="Take a proposed decision off the table")
async def object_to(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: ObjectBody, key: Key = None
) -> Escalation:
    def make(actor: Actor, keep: Keep, *_: Any) -> Command:
        return Object(actor, keep(body.note), body.proposal)

    payload = body.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("object", payload, key, make))


@router.post("/{escalation_id}/undo", response_model=Escalation, summary="Take a decision back before it counts")
async def undo(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: UndoBody | None = None, key: Key = None
) -> Escalation:
    asked = body or UndoBody()

    def make(actor: Actor, keep: Keep, *_: Any) -> Command:
        return Undo(actor, keep(asked.note) if asked.note else None)

    payload = asked.model_dump_json().encode()
    return await _carry_out(using, at, caller, escalation_id, Order("undo", payload, key, make))


async def _carry_out(
    using: Services, at: Desk, caller: Principal, escalation_id: str, order: Order, *, note: str | None = None
) -> Escalation:
    view = await at.carry_out(caller, escalation_id, order)
    return present(view, using, note)


def resolve_order(
    body: ResolveBody, view: View, key: str | None, released: bytes | None = None, redactions: int = 0
) -> Order:
    """The decision about a case as it was shown. `released` is what would leave, where that is not what is held."""

    def make(actor: Actor, keep: Keep, data_key: DataKey, _view: View) -> Command:
        if body.resolution is Resolution.ALLOW:
            digest: str | None = view.content_digest
        else:
            digest = data_key.digest(released) if released is not None else None
        return Resolve(
            actor=actor,
            resolution=body.resolution,
            category=body.category,
            note_digest=keep(body.note) if body.note else None,
            note_words=len((body.note or "").split()),
            released_digest=digest,
            redactions=redactions,
            follow_ups=tuple(
                FollowUp(follow.kind, keep(orjson.dumps({"text": follow.text, "link": follow.link}).decode()))
                for follow in body.follow_ups
            ),
            content_digest=body.content_digest or view.content_digest,
            claim_epoch=body.claim_epoch if body.claim_epoch is not None else view.claim_epoch or None,
        )

    return Order("resolve", body.model_dump_json().encode(), key, make)


async def _next_route(using: Services, caller: Principal, view: View, to: str | None) -> Route:
    """Where a case goes next. Raises Invalid for an unknown destination, NoNextLevel when there is none."""
    async with using.database.read() as connection:
        directory = await read_directory(connection, caller.tenant)
        version = await settings_at(connection, caller.tenant, view.settings_version)
        settings = (version or await current_settings(connection, caller.tenant)).settings
    if to is not None:
        team, login = destination(to, directory)
        if team is None and login is None:
            raise Invalid(f"there is no team or user {to!r}; see `kt team list` and `kt user list`", field="to")
        told = (view.route.channel, *view.route.also)
        own = settings.notification_defaults.of(team, login, directory)
        further = (own,) if own not in (UNTOLD, *told) else ()
        return Route(
            Chooser.PERSON,
            caller.login,
            team=team,
            user=login,
            channel=view.route.channel,
            position=view.route.position,
            also=(*view.route.also, *further),
        )
    facts = facts_of(view)
    eligible = eligibility(standing_of_view(view))
    eligible = replace(eligible, never=eligible.never | {caller.login})
    now, reason = datetime.now(UTC), LegReason.ESCALATED
    # In a thread: a schedule may look up holidays, which are loaded from disk the first time.
    choice = await asyncio.to_thread(choose_behind, view.route, reason, facts, settings, directory, now, eligible)
    if choice.route is None:
        raise NoNextLevel("there is no further level behind this route; name a team or a user with `to`")
    return choice.route


async def _redacted(using: Services, caller: Principal, view: View, body: ResolveBody) -> tuple[bytes, list[Redaction]]:
    """The held answer without what was marked, kept in the vault as what would be released."""
    await note_read(using, caller, view.escalation_id, "answer")
    async with using.database.read() as connection:
        key = await using.contents.key(connection, caller.tenant, view.escalation_id)
        found = await using.contents.read(connection, caller.tenant, view.escalation_id, ANSWER)
    completion = orjson.loads(found[ANSWER])
    if body.redactions is None:
        redactions = redactions_for(completion)
        if not redactions:
            raise InvalidRedaction(
                "the pii-detector finds nothing to redact in this answer; say what to strip with redactions",
                field="redactions",
            )
    else:
        first = next((path for path, _ in texts(completion)), "")
        redactions = [Redaction(first if r.path is None else r.path, r.start, r.end, r.label) for r in body.redactions]
    released = orjson.dumps(redact(completion, redactions))
    async with using.database.write() as connection:
        put = using.contents.put
        field = released_field(key.digest(released))
        await put(connection, caller.tenant, view.escalation_id, key, {field: released}, datetime.now(UTC))
    return released, redactions
