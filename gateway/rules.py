"""Which rules hold for whom: one configuration, its digest, and the chain of each consumer group.

A configuration is exchanged for a newer one between two requests: each request has the rules that held when it came,
to its end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.calling import Connections
from gateway.detectors import Detectors
from gateway.second_looks import SecondLooks
from policies.chain import Chain
from policies.config import Hold, Limits, PolicyConfig
from policies.given import UNGIVEN, Given


@dataclass(frozen=True, slots=True)
class Rules:
    """What one consumer's requests are governed by. `digest` is the SHA-256 of the configuration's file."""

    config: PolicyConfig
    digest: str
    chain: Chain
    detectors: Detectors
    second_looks: SecondLooks

    @property
    def hold(self) -> Hold:
        """How a caller waits."""
        return self.chain.oversight.hold if self.chain.oversight else Hold()

    @property
    def limits(self) -> Limits:
        return self.config.limits


Made = dict[str | None, Rules]
"""By consumer group; None has the common ones."""


class RuleBook:
    """The rules of every group of one configuration, made once."""

    def __init__(
        self,
        config: PolicyConfig,
        digest: str,
        environment: Mapping[str, str] = os.environ,
        shadow: PolicyConfig | None = None,
        given: Given = UNGIVEN,
    ) -> None:
        self._environment = environment
        self._given = given
        self._connections = Connections()
        self._second_looks = SecondLooks(environment, self._connections)
        self._rules = self._made(config, digest, shadow)

    @property
    def common(self) -> Rules:
        return self._rules[None]

    def rules_for(self, group: str | None) -> Rules:
        """The group's own rules; the common ones where it has none."""
        rules = self._rules
        return rules.get(group or None) or rules[None]

    def ready(self, config: PolicyConfig, digest: str, shadow: PolicyConfig | None = None) -> Made:
        """The rules of a configuration, not yet in use. Raises what one that cannot be made ready raises."""
        return self._made(config, digest, shadow)

    def use(self, made: Made) -> None:
        """From the next request on, these."""
        self._rules = made

    async def close(self) -> None:
        self._second_looks.close()
        await self._connections.close()

    def _made(self, config: PolicyConfig, digest: str, shadow: PolicyConfig | None) -> Made:
        made: Made = {None: self._ready(config, digest, shadow)}
        groups = {**config.consumer_groups, **(shadow.consumer_groups if shadow else {})}
        for name in groups:
            made[name] = self._ready(config.for_group(name), digest, shadow.for_group(name) if shadow else None)
        return made

    def _ready(self, config: PolicyConfig, digest: str, shadow: PolicyConfig | None) -> Rules:
        chain = Chain(config, shadow, self._given)
        return Rules(config, digest, chain, Detectors(chain, self._environment, self._connections), self._second_looks)
