"""Deciding: alone, or by proposing what others confirm or object to.

claimed ──resolve──► resolved                      where one person decides
claimed ──resolve──► proposed ──approve … ──► resolved
                        └──object──► open, or claimed by the objector

Where the settings leave time to undo, a decision waits before it counts: what resolves above is `decided` first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from escalations.case import Case, Decision, End, Hold, LeaderEnded, Pending, Precedent, Proposal, Status
from escalations.commands import SYSTEM, Actor, Approve, Object, Resolve, Undo
from escalations.decisions import DEFAULT_CATEGORY, SHORTEST_NOTE, Resolution
from escalations.errors import (
    AlreadyProposed,
    CategoryRequired,
    Invalid,
    NoteRequired,
    NothingToUndo,
    StaleClaim,
    StaleContent,
    UnknownCategory,
)
from escalations.events import EventType
from escalations.moves import Moved, ask, close, emit, free, going_on, heard, set_apart
from escalations.standing import check_held, check_independent, check_proposed, standing_of


def decide(case: Case, command: Resolve | Approve | Object | Undo, now: datetime) -> Moved:
    """Raises as the command's own function does."""
    match command:
        case Resolve():
            return _resolve(case, command, now)
        case Approve():
            return _approve(case, command, now)
        case Object():
            return _object_to(case, command, now)
        case Undo():
            return _undo(case, command, now)


def _resolve(case: Case, command: Resolve, now: datetime) -> Moved:
    """Raises NotClaimed, NotHolder, AlreadyProposed, and what is wrong with the decision itself."""
    check_held(standing_of(case), command.actor)
    if case.proposal is not None:
        proposed = case.proposal.decision
        raise AlreadyProposed(
            f"{proposed.reviewer} proposed to {proposed.resolution.value} this; approve that, or object to it first",
            resolution=proposed.resolution.value,
            reviewer=proposed.reviewer,
            proposal=case.proposal.seq,
        )
    if command.claim_epoch is not None and command.claim_epoch != case.claim_epoch:
        raise StaleClaim(
            "this decision was made under an earlier claim; look at the case again and resolve it anew",
            claim_epoch=case.claim_epoch,
        )
    _check_content(case, command.content_digest)
    decision = Decision(
        resolution=command.resolution,
        category=_category(case, command),
        reviewer=command.actor.login,
        at=now,
        content_digest=case.opening.content_digest,
        released_digest=_released(case, command),
        note_digest=command.note_digest,
        redactions=command.redactions,
        follow_ups=command.follow_ups,
    )
    case, resumed = going_on(case, command.actor, now)
    following = _propose if case.required_approvals > 1 else _conclude
    case, events = following(case, decision, command.actor, now)
    return case, resumed + events


def _approve(case: Case, command: Approve, now: datetime) -> Moved:
    """Raises as check_proposed and check_independent do, and StaleContent. Who approves again changes nothing."""
    actor, standing = command.actor, standing_of(case)
    proposal = check_proposed(standing, actor, command.proposal)
    if actor.login in proposal.decision.approved_by:
        return case, ()
    check_independent(standing, actor.login)
    _check_content(case, command.content_digest)
    before = proposal
    decision = replace(proposal.decision, approved_by=(*proposal.decision.approved_by, actor.login), at=now)
    proposal = replace(proposal, decision=decision)
    case, resumed = going_on(free(case, now), actor, now)
    enough = len(proposal.people) >= case.required_approvals
    case = replace(case, proposal=before if enough else proposal)
    case, approved = emit(
        case,
        EventType.APPROVED,
        now,
        actor,
        proposal=proposal.seq,
        action=decision.resolution.value,
        content_digest=decision.content_digest,
        released_digest=decision.released_digest,
        note_digest=command.note_digest,
        approvals=len(proposal.people),
        required_approvals=case.required_approvals,
    )
    if not enough:
        return case, resumed + approved
    case, ended = _conclude(case, decision, actor, now)
    return case, resumed + approved + ended


def _object_to(case: Case, command: Object, now: datetime) -> Moved:
    """Raises as check_proposed does. Whoever proposed it may take it back this way."""
    proposal = check_proposed(standing_of(case), command.actor, command.proposal)
    return emit(
        replace(case, proposal=None),
        EventType.OBJECTED,
        now,
        command.actor,
        proposal=proposal.seq,
        action=proposal.decision.resolution.value,
        reviewer=proposal.decision.reviewer,
        note_digest=command.note_digest,
    )


def _propose(case: Case, decision: Decision, actor: Actor, now: datetime) -> Moved:
    """The proposer lets go of the case: others have to see it now."""
    epoch = case.claim_epoch
    case = replace(set_apart(free(case, now), actor), proposal=Proposal(case.version + 1, decision))
    return emit(
        case,
        EventType.PROPOSED,
        now,
        actor,
        **_facts(decision),
        claim_epoch=epoch,
        approvals=1,
        required_approvals=case.required_approvals,
    )


def _conclude(case: Case, decision: Decision, actor: Actor, now: datetime) -> Moved:
    """It is decided. Where that can be undone, whoever decided it holds the case until it counts."""
    window = case.opening.decisions.undo_window
    if window is None:
        return _end(case, decision, actor, now)
    case = heard(case)
    if case.hold is None:
        case = replace(case, status=Status.CLAIMED, hold=Hold(actor.login, now, None), claim_epoch=case.claim_epoch + 1)
    case = replace(case, pending=Pending(decision, actor, now + window, case.proposal), proposal=None)
    facts = _facts(decision)
    return emit(
        case,
        EventType.DECIDED,
        now,
        actor,
        **facts,
        release_at=(now + window).isoformat(),
        claim_epoch=case.claim_epoch,
    )


def _undo(case: Case, command: Undo, now: datetime) -> Moved:
    """Raises NothingToUndo, and NotHolder for another reviewer."""
    pending, actor = case.pending, command.actor
    if pending is None:
        raise NothingToUndo("no decision of this escalation can be undone now")
    check_held(standing_of(case), actor, leads_too=True)
    hold, lease = case.hold, case.terms.lease
    assert hold is not None
    hold = replace(hold, lease_until=now + lease if lease else None, warned=False)
    return emit(
        replace(case, pending=None, proposal=pending.proposal, hold=hold),
        EventType.UNDONE,
        now,
        actor,
        action=pending.decision.resolution.value,
        reviewer=pending.decision.reviewer,
        note_digest=command.note_digest,
    )


def follow(case: Case, ended: LeaderEnded, now: datetime) -> Moved:
    """What was decided on the same request counts here too; a leader that nobody decided leaves a case of its own."""
    if case.leader is None or case.closed:
        return case, ()
    leader = case.leader
    if ended.decision is None:
        return emit(ask(replace(case, leader=None), now), EventType.LEADER_LEFT, now, SYSTEM, leader=leader)
    return _end(case, replace(ended.decision, at=now), SYSTEM, now, leader=leader)


def repeat(case: Case, precedent: Precedent, now: datetime) -> Moved:
    """The same request was blocked not long ago, and is again."""
    decision = Decision(
        Resolution.BLOCK, precedent.category, SYSTEM.login, now, case.opening.content_digest, None, None
    )
    precedes = precedent.escalation_id
    return _end(case, decision, SYSTEM, now, precedent=precedes, precedent_at=precedent.decided_at.isoformat())


def allow_unseen(case: Case, now: datetime, chain: str) -> Moved:
    """Nobody took it, and the settings say in words that it is released then."""
    digest = case.opening.content_digest
    decision = Decision(Resolution.ALLOW, DEFAULT_CATEGORY, SYSTEM.login, now, digest, digest, None)
    return _end(case, decision, SYSTEM, now, chain=chain)


def release(case: Case, now: datetime) -> Moved:
    """The time to undo is over."""
    pending = case.pending
    assert pending is not None
    return _end(case, pending.decision, pending.by, now)


def _end(case: Case, decision: Decision, actor: Actor, now: datetime, **because: str) -> Moved:
    agreed: dict[str, str | int | None] = {}
    if decision.approved_by:
        agreed = {"approved_by": ",".join(decision.approved_by), "required_approvals": case.required_approvals}
    case = replace(close(case, End.RESOLVED, now), decision=decision)
    return emit(
        case,
        EventType.RESOLVED,
        now,
        actor,
        **_facts(decision),
        resolution_time_seconds=round((decision.at - case.created_at).total_seconds()),
        claim_epoch=case.claim_epoch,
        **agreed,
        **because,
    )


def _facts(decision: Decision) -> dict[str, str | int | None]:
    return {
        "action": decision.resolution.value,
        "category": decision.category,
        "reviewer": decision.reviewer,
        "note_digest": decision.note_digest,
        "content_digest": decision.content_digest,
        "released_digest": decision.released_digest,
        "redactions": decision.redactions,
        "follow_ups": ",".join(f"{follow.kind.value}:{follow.digest}" for follow in decision.follow_ups) or None,
    }


def _check_content(case: Case, digest: str | None) -> None:
    if digest is not None and digest != case.opening.content_digest:
        raise StaleContent("this decision quotes another content than the one that is held; look at the case again")


def _category(case: Case, command: Resolve) -> str:
    """The category, and with it a note, as the setting of this case's opening demands them."""
    terms, severity = case.opening.decisions, case.severity
    category = command.category or DEFAULT_CATEGORY
    known = ", ".join(terms.categories)
    if category not in terms.categories:
        raise UnknownCategory(f"{category!r} is not a category; use one of {known}", field="category")
    if terms.note_required_from is None or not severity.at_least(terms.note_required_from):
        return category
    if command.category is None:
        raise CategoryRequired(f"a {severity.value} escalation needs a category: {known}", field="category")
    if command.note_words < SHORTEST_NOTE:
        raise NoteRequired(
            f"a {severity.value} escalation needs a note of at least {SHORTEST_NOTE} words that explains the decision",
            field="note",
        )
    return category


def _released(case: Case, command: Resolve) -> str | None:
    """The digest of what leaves: the held content itself, its redacted form, or nothing."""
    match command.resolution:
        case Resolution.BLOCK:
            return None
        case Resolution.ALLOW:
            if command.released_digest != case.opening.content_digest:
                raise StaleContent("an allow releases exactly what is held; use redact_and_allow to change it")
        case Resolution.REDACT_AND_ALLOW:
            if not command.redactions or command.released_digest in (None, case.opening.content_digest):
                raise Invalid("redact_and_allow needs at least one redaction", field="redactions")
    return command.released_digest
