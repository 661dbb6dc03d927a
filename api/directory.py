"""Teams, users, consumers and their tokens over HTTP. Writing is the admin's, and each write is in the ledger."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.authentication import READERS, Caller, Using, only
from api.directory_schemas import ConsumerBody, ConsumerGroupBody, ShiftBody, TeamBody, TokenBody, UserBody
from api.problems import Problem
from api.records import note_change
from escalations.commands import Role
from escalations.durations import parse_duration
from escalations.errors import Invalid, NotAllowed, NotFound
from store.consumers import Consumer, create_consumer, find_consumer, list_consumers, set_group
from store.directory import Team, User, create_team, create_user, find_user, list_teams, list_users, set_on_shift
from store.tokens import Principal, issue_token, list_tokens, revoke_token

router = APIRouter(prefix="/v1")

Readers = Annotated[Principal, Depends(only(*READERS))]
Admin = Annotated[Principal, Depends(only(Role.ADMIN))]


@router.get("/me", tags=["directory"], summary="Who this token speaks for")
async def who_am_i(caller: Caller) -> dict[str, Any]:
    return {
        "login": caller.login,
        "name": caller.name,
        "kind": caller.kind,
        "roles": sorted(role.value for role in caller.roles),
        "teams": sorted(caller.teams),
        "tenant": caller.tenant,
        "token_id": caller.token_id,
    }


@router.get("/teams", tags=["directory"], summary="Teams; their ids go into escalation_routing")
async def get_teams(caller: Readers, using: Using) -> dict[str, Any]:
    async with using.database.read() as connection:
        teams = await list_teams(connection, caller.tenant)
        users = await list_users(connection, caller.tenant)
    members = {team.team_id: [user.login for user in users if team.team_id in user.teams] for team in teams}
    return {"teams": [asdict(team) | {"members": members[team.team_id]} for team in teams]}


@router.post("/teams", tags=["directory"], status_code=201, summary="Create a team")
async def post_team(caller: Admin, using: Using, body: TeamBody) -> dict[str, Any]:
    team = Team(body.team_id, body.name or body.team_id, datetime.now(UTC))
    await note_change(using, caller, "team.created", team_id=team.team_id)
    async with using.database.write() as connection:
        if not await create_team(connection, caller.tenant, team):
            raise Problem(409, "already_exists", f"there is a team {team.team_id} already", field="team_id")
    return asdict(team) | {"members": []}


@router.get("/users", tags=["directory"], summary="Users; their logins go into escalation_routing")
async def get_users(caller: Readers, using: Using) -> dict[str, Any]:
    async with using.database.read() as connection:
        users = await list_users(connection, caller.tenant)
    return {"users": [_user(user) for user in users]}


@router.post("/users", tags=["directory"], status_code=201, summary="Create a user")
async def post_user(caller: Admin, using: Using, body: UserBody) -> dict[str, Any]:
    now = datetime.now(UTC)
    user = User(body.login, body.email, body.name or body.login, tuple(body.roles), tuple(body.teams), True, now)
    async with using.database.read() as connection:
        known = {team.team_id for team in await list_teams(connection, caller.tenant)}
    missing = sorted(set(user.teams) - known)
    if missing:
        raise Invalid(f"there is no team {missing[0]}; create it first with `kt team create`", field="teams")
    await note_change(using, caller, "user.created", login=user.login, roles=[role.value for role in user.roles])
    async with using.database.write() as connection:
        if not await create_user(connection, caller.tenant, user):
            raise Problem(
                409, "already_exists", f"there is a user {user.login}, or that e-mail, already", field="login"
            )
    return _user(user)


@router.put("/users/{login}/shift", tags=["directory"], summary="Come on shift, or go off it")
async def put_shift(login: str, caller: Readers, using: Using, body: ShiftBody) -> dict[str, Any]:
    """Whoever is off shift is given no cases by rule. One's own, or anybody's for seniors and admins."""
    if login != caller.login and not caller.has(Role.SENIOR, Role.ADMIN):
        raise NotAllowed(f"{caller.login} may change their own shift; a senior or an admin may change {login}'s")
    async with using.database.read() as connection:
        user = await find_user(connection, caller.tenant, login)
    if user is None:
        raise NotFound(f"there is no user {login!r}; `kt user list` shows them")
    await note_change(using, caller, "user.shift", login=user.login, on_shift="yes" if body.on_shift else "no")
    async with using.database.write() as connection:
        await set_on_shift(connection, caller.tenant, user.login, body.on_shift, datetime.now(UTC))
    return _user(replace(user, on_shift=body.on_shift))


@router.get("/consumers", tags=["directory"], summary="Consumers: the applications behind the gateway")
async def get_consumers(caller: Readers, using: Using) -> dict[str, Any]:
    async with using.database.read() as connection:
        return {"consumers": [asdict(consumer) for consumer in await list_consumers(connection, caller.tenant)]}


@router.post("/consumers", tags=["directory"], status_code=201, summary="Create a consumer")
async def post_consumer(caller: Admin, using: Using, body: ConsumerBody) -> dict[str, Any]:
    """Its owner, given by login or address, is kept by login: that is what reviewers are compared with."""
    owner = None
    if body.owner is not None:
        async with using.database.read() as connection:
            person = await find_user(connection, caller.tenant, body.owner)
        if person is None:
            raise Invalid(f"there is no user {body.owner!r}; `kt user list` shows them", field="owner")
        owner = person.login
    consumer = Consumer(
        body.consumer_id, body.name or body.consumer_id, body.team, body.consumer_group, owner, datetime.now(UTC)
    )
    await note_change(using, caller, "consumer.created", consumer=consumer.consumer_id)
    async with using.database.write() as connection:
        if not await create_consumer(connection, caller.tenant, consumer):
            raise Problem(
                409, "already_exists", f"there is a consumer {consumer.consumer_id} already", field="consumer_id"
            )
    return asdict(consumer)


@router.put("/consumers/{consumer_id}/group", tags=["directory"], summary="Put a consumer into a group, or into none")
async def put_consumer_group(consumer_id: str, caller: Admin, using: Using, body: ConsumerGroupBody) -> dict[str, Any]:
    await note_change(using, caller, "consumer.regrouped", consumer=consumer_id, group=body.consumer_group)
    async with using.database.write() as connection:
        changed = await set_group(connection, caller.tenant, consumer_id, body.consumer_group)
        found = await find_consumer(connection, caller.tenant, consumer_id) if changed else None
    if found is None:
        raise NotFound(f"there is no consumer {consumer_id!r}")
    return asdict(found)


@router.get("/tokens", tags=["directory"], summary="Tokens, without the secrets")
async def get_tokens(caller: Admin, using: Using) -> dict[str, Any]:
    async with using.database.read() as connection:
        return {"tokens": [asdict(token) for token in await list_tokens(connection, caller.tenant)]}


@router.post("/tokens", tags=["directory"], status_code=201, summary="Issue a token; it is shown only this once")
async def post_token(caller: Admin, using: Using, body: TokenBody) -> dict[str, Any]:
    now, life = datetime.now(UTC), parse_duration(body.expires_in)
    async with using.database.read() as connection:
        if body.login is not None and await find_user(connection, caller.tenant, body.login) is None:
            raise Invalid(f"there is no user {body.login!r}", field="login")
        if body.consumer_id is not None and await find_consumer(connection, caller.tenant, body.consumer_id) is None:
            raise Invalid(f"there is no consumer {body.consumer_id!r}", field="consumer_id")
    kind, subject = ("user", body.login) if body.login is not None else ("gateway", body.consumer_id)
    assert subject is not None
    await note_change(using, caller, "token.issued", subject=subject, token_kind=kind)
    async with using.database.write() as connection:
        token_id, token = await issue_token(
            connection,
            caller.tenant,
            "user" if kind == "user" else "gateway",
            subject,
            label=body.label,
            now=now,
            life=life,
            created_by=caller.login,
        )
    return {"token_id": token_id, "token": token, "kind": kind, "subject": subject, "expires_at": now + life}


@router.delete(
    "/tokens/{token_id}", tags=["directory"], status_code=204, summary="Revoke a token, everywhere within 5 s"
)
async def delete_token(caller: Admin, using: Using, token_id: str) -> None:
    await note_change(using, caller, "token.revoked", token_id=token_id)
    async with using.database.write() as connection:
        if not await revoke_token(connection, caller.tenant, token_id, datetime.now(UTC)):
            raise NotFound(f"there is no token {token_id} in force")


def _user(user: User) -> dict[str, Any]:
    shown = asdict(user)
    return shown | {"user_id": user.login, "roles": [role.value for role in user.roles]}
