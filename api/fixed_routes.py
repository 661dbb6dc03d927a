"""The routes that the policy configurations in force fix for a target or a model: cases go there past all rules."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.ext.asyncio import AsyncConnection

from escalations.routes import Chooser
from escalations.routing import Preset
from policies.config import PolicyConfig
from policies.documents import Unreadable, parse_document
from policies.loading import BadConfig, load_document
from store.policies import current_standing, find_version, list_policies


async def fixed_routes(connection: AsyncConnection, tenant: str) -> list[Preset]:
    """Of every policy, those of the version that acts. One that cannot be read any more has none."""
    found: list[Preset] = []
    for name in await list_policies(connection, tenant):
        acting = (await current_standing(connection, tenant, name)).active
        version = None if acting is None else await find_version(connection, tenant, name, acting)
        if version is not None:
            try:
                found += _routes(load_document(parse_document(version.text, name)).config)
            except (BadConfig, Unreadable):
                continue
    return found


def _routes(config: PolicyConfig) -> Iterator[Preset]:
    for target in config.providers.targets:
        if (routing := target.escalation_routing) is not None:
            yield Preset(Chooser.TARGET, f"provider target {target.id}", routing.team_id, routing.user_id)
        for model in target.models:
            if (routing := model.escalation_routing) is not None:
                name = f"model {model.model} of {target.id}"
                yield Preset(Chooser.MODEL, name, routing.team_id, routing.user_id)
