"""The people, teams and consumers that `kt dev` begins with, and the tokens that speak for them.

The tokens are written beside the data, readable by their owner only, so that they stay the same over restarts. That is
right for a machine of one's own and for nothing else; `kt admin init` seeds nobody but an admin.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from escalations.commands import Role
from runtime.parts import TENANT
from store.consumers import Consumer, create_consumer
from store.database import Database
from store.directory import Team, User, create_team, create_user
from store.tokens import find_principal, issue_token
from vault.tokens import new_token, token_hash

TEAMS = ("legal", "medical", "hiring", "compliance", "default-reviewers")
_REVIEWING = ("legal", "medical", "hiring", "default-reviewers")
PEOPLE: dict[str, tuple[Role, tuple[str, ...]]] = {
    "admin": (Role.ADMIN, _REVIEWING),
    "reviewer": (Role.REVIEWER, _REVIEWING),
    "reviewer2": (Role.REVIEWER, _REVIEWING),
    "senior": (Role.SENIOR, (*_REVIEWING, "compliance")),
    "auditor": (Role.AUDITOR, ()),
    "other_team_reviewer": (Role.REVIEWER, ("compliance",)),
}
CONSUMERS = {"gateway_key": "demo-app", "gateway_key2": "demo-app-2"}
TOKEN_LIFE = timedelta(days=365)


async def seed(database: Database, data_dir: Path) -> dict[str, str]:
    """Make what is missing, and give the tokens by name. Running it again changes nothing."""
    now = datetime.now(UTC)
    file = data_dir / "dev-tokens.json"
    tokens = _read(file)
    async with database.write() as connection:
        for name in TEAMS:
            await create_team(connection, TENANT, Team(name, name, now))
        for login, (role, teams) in PEOPLE.items():
            person = User(login, f"{login}@example.com", login, (role,), teams, True, now)
            await create_user(connection, TENANT, person)
        for consumer_id in CONSUMERS.values():
            consumer = Consumer(consumer_id, consumer_id, None, None, None, now)
            await create_consumer(connection, TENANT, consumer)
        for name, subject in ({login: login for login in PEOPLE} | CONSUMERS).items():
            kept = tokens.get(name)
            if kept and await find_principal(connection, token_hash(kept), now) is not None:
                continue
            kind = "gateway" if name in CONSUMERS else "user"
            tokens[name] = new_token("gateway" if kind == "gateway" else "user")
            await issue_token(
                connection,
                TENANT,
                "gateway" if kind == "gateway" else "user",
                subject,
                label="kt dev",
                now=now,
                life=TOKEN_LIFE,
                token=tokens[name],
            )
    _write(file, tokens)
    return tokens


def _read(file: Path) -> dict[str, str]:
    try:
        tokens = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(token) for name, token in tokens.items()} if isinstance(tokens, dict) else {}


def _write(file: Path, tokens: dict[str, str]) -> None:
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(tokens, out, indent=2)
    draft.replace(file)
