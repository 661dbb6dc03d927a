"""Who of a team is given which case: whoever asks, and however many ask at once, a place is taken once.

A case that was given to somebody is reserved for them in the same transaction that counted what they hold, and counts
as theirs until the projection shows it with them. Transactions that reserve come one after the other: on SQLite every
one that writes does, on PostgreSQL a lock that ends with the transaction sees to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import and_, delete, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.assignment import Assignment, Candidate, Strategy, Waiting, drain
from escalations.commands import REVIEWERS
from escalations.events import EventType
from escalations.operations_settings import TeamAssignment
from escalations.schedules import on_call
from escalations.settings import EscalationSettings
from escalations.standing import may_hold, standing_of_view
from escalations.views import View
from store.assignment_tables import assignment_habits, assignment_turns, reservations
from store.database import insert_into
from store.schema import escalation_events, escalations, memberships, users

RESERVED_FOR = timedelta(seconds=30)
"""How long a place is kept for a case of which nothing more was heard; then whoever reserved it is taken for dead."""
MOST_AT_ONCE = 500

_view = TypeAdapter(View)
_GAVE_UP = {
    EventType.UNCLAIMED,
    EventType.LEASE_EXPIRED,
    EventType.RELEASED_AT_BREACH,
    EventType.UNACKNOWLEDGED,
}
"""Events after which a case is not given to the same person again by rule: they may still claim it."""


@dataclass(frozen=True, slots=True)
class Duty:
    """How the cases of one team are given out at this moment. `present` are those on call, None for everybody."""

    team: str
    terms: TeamAssignment
    present: frozenset[str] | None = None


def duty_of(settings: EscalationSettings, team: str, now: datetime) -> Duty:
    terms = settings.assignment.of(team)
    schedule = settings.schedules.get(terms.schedule) if terms.schedule is not None else None
    if schedule is None:
        return Duty(team, terms)
    return Duty(team, terms, frozenset(name.lower() for name in on_call(schedule.schedule(terms.schedule or ""), now)))


def kind_of(consumer: str, policy_rule: str) -> str:
    """What a sticky assignment goes by."""
    return f"{consumer}/{policy_rule}"


async def waiting_teams(connection: AsyncConnection, tenant: str) -> list[str]:
    """The teams in whose queues a case waits."""
    query = select(escalations.c.team).where(escalations.c.tenant == tenant, escalations.c.status == "open")
    return [team for team in await connection.scalars(query.distinct()) if team is not None]


async def reserve(connection: AsyncConnection, tenant: str, duty: Duty, now: datetime) -> tuple[Assignment, ...]:
    """Give out the cases that wait in the team's queue, the oldest first, as far as there is somebody with room.

    Each is to be assigned now, and then forgotten with `release`.
    """
    return await _reserve(connection, tenant, duty, now, ())


async def reserve_for(
    connection: AsyncConnection, tenant: str, duty: Duty, waiting: Waiting, now: datetime
) -> str | None:
    """Who is given this one case, which comes into the team's queue. None when it has to wait there, too: behind older
    ones, or because nobody has room. Asking again gives the same answer."""
    if duty.terms.strategy is Strategy.QUEUE:
        return None
    await lock(connection, tenant)
    [let_go] = await let_go_by(connection, tenant, [waiting.escalation_id])
    waiting = replace(waiting, never=waiting.never | let_go)
    mine = and_(reservations.c.tenant == tenant, reservations.c.escalation_id == waiting.escalation_id)
    known: str | None = await connection.scalar(select(reservations.c.login).where(mine, reservations.c.until > now))
    if known is not None and known not in waiting.never:
        return known
    await release(connection, tenant, [waiting.escalation_id])
    given = await _reserve(connection, tenant, duty, now, (waiting,))
    return given[0].login if given else None


async def release(connection: AsyncConnection, tenant: str, escalation_ids: Sequence[str]) -> None:
    """These cases are where they were given to, or will never be: no place is kept for them any more."""
    kept = and_(reservations.c.tenant == tenant, reservations.c.escalation_id.in_(escalation_ids))
    await connection.execute(delete(reservations).where(kept))


async def _reserve(
    connection: AsyncConnection, tenant: str, duty: Duty, now: datetime, arriving: tuple[Waiting, ...]
) -> tuple[Assignment, ...]:
    """Of arriving cases only those are given out; what waits already is looked at, for it goes first."""
    if duty.terms.strategy is Strategy.QUEUE:
        return ()
    await lock(connection, tenant)
    await forget(connection, tenant, now)
    limit = duty.terms.max_open_per_reviewer
    candidates = await _candidates(connection, tenant, duty)
    if not any(limit is None or candidate.open < limit for candidate in candidates):
        return ()
    new = {waiting.escalation_id for waiting in arriving}
    backlog = await _backlog(connection, tenant, duty.team, [candidate.login for candidate in candidates])
    cases = [*(waiting for waiting in backlog if waiting.escalation_id not in new), *arriving]
    if not cases:
        return ()
    habits = await _habits(connection, tenant, duty.team, cases)
    given = drain(duty.terms.strategy, cases, candidates, now, max_open_per_reviewer=limit, habits=habits)
    if new:
        given = tuple(assignment for assignment in given if assignment.escalation_id in new)
    kinds = {waiting.escalation_id: waiting.kind for waiting in cases}
    await _remember(connection, tenant, duty.team, given, kinds, now)
    return given


async def lock(connection: AsyncConnection, tenant: str) -> None:
    if connection.dialect.name == "postgresql":
        name = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await connection.execute(name, {"name": f"kt.assigning.{tenant}"})


async def forget(connection: AsyncConnection, tenant: str, now: datetime) -> None:
    """Drop what the projection shows by now, and what nobody followed up."""
    shown = exists().where(
        escalations.c.tenant == reservations.c.tenant,
        escalations.c.escalation_id == reservations.c.escalation_id,
        escalations.c.status != "open",
    )
    done = or_(reservations.c.until <= now, shown)
    await connection.execute(delete(reservations).where(reservations.c.tenant == tenant, done))


async def _candidates(connection: AsyncConnection, tenant: str, duty: Duty) -> list[Candidate]:
    """The team's reviewers who are there, with what they hold."""
    members = select(users.c.login, users.c.email, users.c.roles, assignment_turns.c.last_assigned)
    members = members.join(
        memberships, and_(memberships.c.tenant == users.c.tenant, memberships.c.login == users.c.login)
    ).outerjoin(
        assignment_turns,
        and_(
            assignment_turns.c.tenant == users.c.tenant,
            assignment_turns.c.login == users.c.login,
            assignment_turns.c.team == duty.team,
        ),
    )
    here = (users.c.tenant == tenant, memberships.c.team_id == duty.team, users.c.active, users.c.on_shift)
    able = [
        row
        for row in await connection.execute(members.where(*here).order_by(users.c.login))
        if not REVIEWERS.isdisjoint(row.roles) and _is_present(row, duty.present)
    ]
    held = await _held(connection, tenant, [row.login for row in able])
    return [Candidate(row.login, held[row.login], row.last_assigned) for row in able]


def _is_present(row: Any, present: frozenset[str] | None) -> bool:
    return present is None or row.login.lower() in present or (row.email or "") in present


async def _held(connection: AsyncConnection, tenant: str, logins: Sequence[str]) -> Counter[str]:
    """How many cases each of them has, or is about to have."""
    found: Counter[str] = Counter()
    claimed = (escalations.c.tenant == tenant, escalations.c.assignee.in_(logins), escalations.c.status == "claimed")
    kept = (reservations.c.tenant == tenant, reservations.c.login.in_(logins))
    for query in (
        select(escalations.c.assignee, func.count()).where(*claimed).group_by(escalations.c.assignee),
        select(reservations.c.login, func.count()).where(*kept).group_by(reservations.c.login),
    ):
        for login, count in await connection.execute(query):
            found[login] += count
    return found


async def _backlog(connection: AsyncConnection, tenant: str, team: str, logins: Sequence[str]) -> list[Waiting]:
    """What waits in the team's queue and is not reserved, the oldest first."""
    reserved = exists().where(
        reservations.c.tenant == escalations.c.tenant, reservations.c.escalation_id == escalations.c.escalation_id
    )
    query = (
        select(escalations.c.escalation_id, escalations.c.created_at, escalations.c.view)
        .where(escalations.c.tenant == tenant, escalations.c.status == "open", escalations.c.team == team, ~reserved)
        .where(escalations.c.leader.is_(None))
        .order_by(escalations.c.created_at, escalations.c.escalation_id)
        .limit(MOST_AT_ONCE)
    )
    rows = (await connection.execute(query)).all()
    never = await let_go_by(connection, tenant, [row.escalation_id for row in rows])
    found = []
    for row, let_go in zip(rows, never, strict=True):
        view = _view.validate_python(row.view)
        if view.appeal is not None:
            continue  # It waits for whoever of the seniors may take it.
        standing = standing_of_view(view)
        refused = {login for login in logins if not may_hold(standing, login)}
        kind = kind_of(view.consumer, view.policy_rule)
        found.append(Waiting(row.escalation_id, row.created_at, kind, let_go | refused))
    return found


async def let_go_by(connection: AsyncConnection, tenant: str, ids: Sequence[str]) -> list[frozenset[str]]:
    """For each case, who handed it on or had it and let it go."""
    table = escalation_events
    kinds = [kind.value for kind in (EventType.ESCALATED, *_GAVE_UP)]
    query = select(table.c.escalation_id, table.c.type, table.c.actor, table.c.data)
    query = query.where(table.c.tenant == tenant, table.c.escalation_id.in_(ids), table.c.type.in_(kinds))
    found: dict[str, set[str]] = {escalation_id: set() for escalation_id in ids}
    for row in await connection.execute(query):
        login = row.actor["login"] if row.type == EventType.ESCALATED.value else row.data.get("assignee")
        found[row.escalation_id].update([login] if login else [])
    return [frozenset(found[escalation_id]) for escalation_id in ids]


async def _habits(connection: AsyncConnection, tenant: str, team: str, cases: Iterable[Waiting]) -> dict[str, str]:
    table = assignment_habits
    kinds = sorted({waiting.kind for waiting in cases if waiting.kind is not None})
    query = select(table.c.kind, table.c.login)
    query = query.where(table.c.tenant == tenant, table.c.team == team, table.c.kind.in_(kinds))
    return {row.kind: row.login for row in await connection.execute(query)}


async def _remember(
    connection: AsyncConnection,
    tenant: str,
    team: str,
    given: Sequence[Assignment],
    kinds: Mapping[str, str | None],
    now: datetime,
) -> None:
    until = now + RESERVED_FOR
    for number, assignment in enumerate(given):
        kept = {"tenant": tenant, "escalation_id": assignment.escalation_id, "login": assignment.login, "until": until}
        await connection.execute(insert_into(connection, reservations).values(kept))
        # Of several given out at one instant each counts as later than the one before.
        at = now + timedelta(microseconds=number)
        turn = {"tenant": tenant, "team": team, "login": assignment.login, "last_assigned": at}
        await _put(connection, assignment_turns, turn, ("tenant", "team", "login"))
        kind = kinds.get(assignment.escalation_id)
        if kind is not None:
            habit = {"tenant": tenant, "team": team, "kind": kind, "login": assignment.login}
            await _put(connection, assignment_habits, habit, ("tenant", "team", "kind"))


async def _put(connection: AsyncConnection, table: Any, row: dict[str, Any], key: tuple[str, ...]) -> None:
    insert = insert_into(connection, table).values(row)
    changed = {name: insert.excluded[name] for name in row if name not in key}
    await connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=changed))
