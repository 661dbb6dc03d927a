"""What the gateway works with, made once per process and handed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from activities.opening import Opener
from gateway.consumers import Consumers
from gateway.upstream import Endpoint, Upstream
from gateway.waiting import Waiting
from policies.chain import Chain
from policies.config import PolicyConfig, Target
from store.contents import Contents
from store.database import Database
from store.events import EventLog
from store.ledger import LedgerWriter
from vault.envelopes import Envelopes


@dataclass(frozen=True, slots=True)
class Services:
    """`endpoints` are where each target is called, by its id; `reply_to` is this process's own task queue."""

    config: PolicyConfig
    config_digest: str
    chain: Chain
    endpoints: dict[str, Endpoint]
    upstream: Upstream
    database: Database
    ledger: LedgerWriter
    events: EventLog
    contents: Contents
    envelopes: Envelopes
    opener: Opener
    consumers: Consumers
    waiting: Waiting
    name: str
    reply_to: str
    tenant: str = field(default="default")

    def target_of(self, model: str) -> Target | None:
        """The target that serves a model: one that names it, else the first that names no model at all."""
        targets = self.config.providers.targets
        named = next((target for target in targets if target.serves(model)), None)
        return named or next((target for target in targets if not target.names), None)
