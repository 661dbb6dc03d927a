"""Teams and users: who there is, and who belongs where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.commands import Role
from escalations.directory import Directory, Person
from store.changes import note_change
from store.database import insert_into
from store.schema import memberships, teams, users


@dataclass(frozen=True, slots=True)
class Team:
    team_id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    login: str
    email: str | None
    name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]
    active: bool
    created_at: datetime
    on_shift: bool = True

    @property
    def leads(self) -> bool:
        return Role.SENIOR in self.roles or Role.ADMIN in self.roles


async def create_team(connection: AsyncConnection, tenant: str, team: Team) -> bool:
    """False when a team of that id is there already; it is left as it is."""
    row = {"tenant": tenant, "team_id": team.team_id, "name": team.name, "created_at": team.created_at}
    done = await connection.execute(insert_into(connection, teams).values(row).on_conflict_do_nothing())
    return bool(done.rowcount)


async def list_teams(connection: AsyncConnection, tenant: str) -> list[Team]:
    rows = await connection.execute(select(teams).where(teams.c.tenant == tenant).order_by(teams.c.team_id))
    return [Team(row.team_id, row.name, row.created_at) for row in rows]


async def create_user(connection: AsyncConnection, tenant: str, user: User) -> bool:
    """False when a user of that login or e-mail address is there already; they are left as they are."""
    row = {
        "tenant": tenant,
        "login": user.login,
        "email": user.email.lower() if user.email else None,
        "name": user.name,
        "roles": [role.value for role in user.roles],
        "active": user.active,
        "created_at": user.created_at,
    }
    done = await connection.execute(insert_into(connection, users).values(row).on_conflict_do_nothing())
    if not done.rowcount:
        return False
    await join_teams(connection, tenant, user.login, user.teams)
    return True


async def join_teams(connection: AsyncConnection, tenant: str, login: str, names: tuple[str, ...]) -> None:
    for team_id in names:
        row = {"tenant": tenant, "login": login, "team_id": team_id}
        await connection.execute(insert_into(connection, memberships).values(row).on_conflict_do_nothing())


async def set_on_shift(connection: AsyncConnection, tenant: str, login: str, on_shift: bool, now: datetime) -> None:
    """From now on they are given cases by rule, or no more. What they hold stays theirs."""
    person = update(users).where(users.c.tenant == tenant, users.c.login == login)
    await connection.execute(person.values(on_shift=on_shift))
    await note_change(connection, tenant, "user", login, 0, now)


async def find_user(connection: AsyncConnection, tenant: str, name: str) -> User | None:
    """The user of that login or e-mail address."""
    return await _find(connection, tenant, or_(users.c.login == name, users.c.email == name.lower()))


async def find_user_by_email(connection: AsyncConnection, tenant: str, address: str) -> User | None:
    """The user of that e-mail address, and not one whose login looks like it."""
    return await _find(connection, tenant, users.c.email == address.lower())


async def _find(connection: AsyncConnection, tenant: str, condition: ColumnElement[bool]) -> User | None:
    row = (await connection.execute(select(users).where(users.c.tenant == tenant, condition))).first()
    if row is None:
        return None
    belongs = await connection.scalars(
        select(memberships.c.team_id)
        .where(memberships.c.tenant == tenant, memberships.c.login == row.login)
        .order_by(memberships.c.team_id)
    )
    roles = tuple(Role(role) for role in row.roles)
    return User(row.login, row.email, row.name, roles, tuple(belongs), row.active, row.created_at, row.on_shift)


async def list_users(connection: AsyncConnection, tenant: str) -> list[User]:
    belongs: dict[str, list[str]] = {}
    members = select(memberships).where(memberships.c.tenant == tenant).order_by(memberships.c.team_id)
    for row in await connection.execute(members):
        belongs.setdefault(row.login, []).append(row.team_id)
    rows = await connection.execute(select(users).where(users.c.tenant == tenant).order_by(users.c.login))
    return [
        User(
            row.login,
            row.email,
            row.name,
            tuple(Role(role) for role in row.roles),
            tuple(belongs.get(row.login, ())),
            row.active,
            row.created_at,
            row.on_shift,
        )
        for row in rows
    ]


async def read_directory(connection: AsyncConnection, tenant: str) -> Directory:
    """Everybody who can be routed to: all teams, and the active users."""
    active = [user for user in await list_users(connection, tenant) if user.active]
    names = {user.login.lower(): user.login for user in active}
    names |= {user.email.lower(): user.login for user in active if user.email}
    people = {user.login: Person(frozenset(user.roles), frozenset(user.teams), user.on_shift) for user in active}
    found = await connection.scalars(select(teams.c.team_id).where(teams.c.tenant == tenant))
    return Directory(frozenset(found), names, people)
