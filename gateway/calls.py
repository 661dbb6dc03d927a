"""One request on its way through the gateway, and what it can come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.asking import Asked, Once
from gateway.rules import Rules
from policies.chain import Verdict, Who
from policies.targets import Target
from store.tokens import Principal


@dataclass(frozen=True, slots=True)
class Released:
    """An answer that may leave at once. `headers` are the model's own that callers may know; `upstream_s` it took."""

    document: dict[str, Any]
    verdict: Verdict
    event_id: str
    headers: Mapping[str, str]
    upstream_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """An answer that waits for a person."""

    escalation_id: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request with who sent it, the rules that hold for them, and where it may go.

    `fingerprint` and `key_digest` find it again for retries; `document_id`, where set, is the place where a
    background answer will be, and becomes its id.
    """

    asked: Asked
    consumer: Principal
    rules: Rules
    candidates: tuple[Target, ...]
    request_id: str
    fingerprint: Once
    key_digest: str | None
    started: float
    document_id: str | None = None

    @property
    def request_digest(self) -> str:
        return self.fingerprint.value()

    @property
    def who(self) -> Who:
        return Who(self.consumer.login, self.request_id)
