"""Who a person in Slack is here: the user whose e-mail address Slack has confirmed for them, and nobody else.

Slack is asked with the bot's own token; nothing that a click says about its sender counts but their id. People of other
workspaces (Slack Connect), bots, accounts that were closed and addresses that nobody confirmed are nobody. The answer
is kept for a minute; the user and their roles are looked up each time.

Source: https://docs.slack.dev/reference/objects/user-object
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activities.channels.slack_web import call
from store.database import Database
from store.directory import find_user_by_email
from store.tokens import Principal

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

REMEMBERED_S = 60.0
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class SlackPerson:
    """Somebody in one workspace, by Slack's ids."""

    workspace: str
    user: str

    def __str__(self) -> str:
        return f"slack:{self.workspace}:{self.user}"


class SlackPeople:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._addresses: dict[tuple[str, str], tuple[float, str | None]] = {}
        self._workspaces: dict[str, str] = {}

    async def principal(self, client: AsyncWebClient, app: str, tenant: str, person: SlackPerson) -> Principal | None:
        """The user behind a click, None where there is none. `app` names the Slack app whose token `client` bears.

        Raises SlackError or SlackAway when Slack cannot be asked, and StoreUnavailable.
        """
        address = await self._address(client, app, person)
        if address is None:
            return None
        async with self._database.read() as connection:
            user = await find_user_by_email(connection, tenant, address)
        if user is None or not user.active:
            return None
        return Principal(
            tenant, str(person), "user", user.login, user.name, frozenset(user.roles), frozenset(user.teams)
        )

    async def _address(self, client: AsyncWebClient, app: str, person: SlackPerson) -> str | None:
        key, now = (app, person.user), time.monotonic()
        known = self._addresses.get(key)
        if known is not None and known[0] > now:
            return known[1]
        if app not in self._workspaces:
            self._workspaces[app] = str((await call(client, "auth.test", {})).get("team_id"))
        told = (await call(client, "users.info", {"user": person.user}, reads=True)).get("user")
        address = confirmed_address(told if isinstance(told, dict) else {}, person.user, self._workspaces[app])
        if len(self._addresses) >= _MOST_REMEMBERED:
            self._addresses.clear()
        self._addresses[key] = (now + REMEMBERED_S, address)
        return address


def confirmed_address(user: dict[str, Any], wanted: str, workspace: str) -> str | None:
    """The address of a `users.info` answer, if it is that of a living person of this workspace and was confirmed."""
    profile = user.get("profile")
    address = profile.get("email") if isinstance(profile, dict) else None
    theirs = user.get("id") == wanted and user.get("team_id") == workspace
    alive = not any(user.get(flag) for flag in ("deleted", "is_bot", "is_app_user", "is_stranger"))
    if not (theirs and alive and user.get("is_email_confirmed") is True and isinstance(address, str)):
        return None
    return address.strip().lower() or None
