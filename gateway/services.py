"""What the gateway works with, made once per process and handed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from activities.opening import Opener
from gateway.consumers import Consumers
from gateway.limits import Limiter
from gateway.rules import RuleBook
from gateway.targets import Targets
from gateway.upstream import Upstream
from gateway.waiting import Waiting
from gateway.withdrawing import Withdrawer
from store.contents import Contents
from store.database import Database
from store.ledger import LedgerWriter
from vault.envelopes import Envelopes


@dataclass(frozen=True, slots=True)
class Services:
    """`reply_to` is this process's own task queue."""

    rules: RuleBook
    targets: Targets
    upstream: Upstream
    database: Database
    ledger: LedgerWriter
    contents: Contents
    envelopes: Envelopes
    opener: Opener
    consumers: Consumers
    waiting: Waiting
    limiter: Limiter
    withdrawer: Withdrawer
    name: str
    reply_to: str
    tenant: str = field(default="default")
