"""Who is calling: a bearer token, or the session cookie that the sign-in page set. Never anything in the body.

A token's owner is looked up at most every two seconds, so that a revocation acts everywhere within five.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPBearer

from api.problems import Problem
from api.services import Services
from escalations.commands import Actor, ActorKind, Role
from store.database import Database
from store.escalations import Scope
from store.tokens import Principal, find_principal
from vault.tokens import token_hash, well_formed

SESSION_COOKIE = "kt_session"
REMEMBERED_S = 2.0
_MOST_REMEMBERED = 10_000

bearer = HTTPBearer(auto_error=False, description="A token of `kt token create`, as KEEPTRUSTS_API_TOKEN")


class Principals:
    """Tokens to principals, remembered for a moment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Principal | None]] = {}

    async def of(self, token: str) -> Principal | None:
        if not well_formed(token):
            return None
        hashed, now = token_hash(token), time.monotonic()
        known = self._known.get(hashed)
        if known is not None and known[0] > now:
            return known[1]
        async with self._database.read() as connection:
            principal = await find_principal(connection, hashed, datetime.now(UTC))
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[hashed] = (now + REMEMBERED_S, principal)
        return principal

    def forget(self) -> None:
        self._known.clear()


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


async def authenticate(request: Request) -> Principal:
    """The caller. Raises a 401 Problem when there is no valid token."""
    principals: Principals = request.app.state.principals
    header = request.headers.getlist("authorization")
    if len(header) > 1:
        raise Problem(400, "bad_request", "send one Authorization header", field="Authorization")
    if header:
        scheme, _, token = header[0].partition(" ")
        principal = await principals.of(token.strip()) if scheme.lower() == "bearer" else None
    else:
        principal = await _by_session(request, principals)
    if principal is None:
        raise Problem(
            401,
            "unauthenticated",
            "no valid token; set KEEPTRUSTS_API_TOKEN, or sign in with `kt login --with-token`",
            headers={"WWW-Authenticate": 'Bearer realm="keeptrusts"'},
        )
    return principal


async def _by_session(request: Request, principals: Principals) -> Principal | None:
    """The session of a browser. Another site's page may not use it: writes must come from this origin."""
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    site = request.headers.get("sec-fetch-site")
    if request.method not in ("GET", "HEAD") and site not in (None, "same-origin"):
        raise Problem(403, "cross_site", "a page of another site may not use this session")
    return await principals.of(token)


Caller = Annotated[Principal, Depends(authenticate)]
Using = Annotated[Services, Depends(services)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]
READERS = (Role.REVIEWER, Role.SENIOR, Role.AUDITOR, Role.ADMIN)
"""Roles that read cases; which ones, their scope decides."""


def only(*roles: Role) -> Callable[[Principal], Principal]:
    """A dependency that lets only these roles through."""

    def check(principal: Caller) -> Principal:
        if not principal.has(*roles):
            allowed = ", ".join(role.value for role in roles)
            raise Problem(403, "not_allowed", f"this needs one of the roles {allowed}", roles=[r.value for r in roles])
        return principal

    return check


def scope_of(principal: Principal) -> Scope:
    """Whose cases they see: admins and auditors all, everybody else their teams' and their own."""
    if principal.has(Role.ADMIN, Role.AUDITOR):
        return Scope(principal.tenant)
    return Scope(principal.tenant, principal.login, principal.teams)


def actor_of(principal: Principal) -> Actor:
    kind = ActorKind.CONSUMER if principal.kind == "gateway" else ActorKind.USER
    return Actor(principal.login, kind, tuple(sorted(principal.roles)))
