"""What the API works with, made once per process and handed in: no module reaches for a global."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from temporalio.client import Client

from activities.opening import Opener
from activities.record import Recorder
from store.changes import ChangeFeed
from store.contents import Contents
from store.database import Database
from store.ledger import LedgerWriter
from vault.codec import EncryptionCodec
from vault.signatures import Signer


@dataclass(frozen=True, slots=True)
class Services:
    """`public_url` is how people reach this API; `temporal_ui` where the Temporal UI
    listens, with its public path `/temporal`; None without one. `environment` holds the secrets of channels."""

    database: Database
    ledger: LedgerWriter
    contents: Contents
    recorder: Recorder
    opener: Opener
    temporal: Client
    signer: Signer
    codec: EncryptionCodec
    feed: ChangeFeed
    public_url: str
    temporal_ui: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def temporal_url(self, escalation_id: str) -> str | None:
        """Where an operator reads this escalation's history."""
        if self.temporal_ui is None:
            return None
        return f"{self.public_url}/temporal/namespaces/{self.temporal.namespace}/workflows/{escalation_id}"
