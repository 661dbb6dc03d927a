"""Which consumer is calling: by API key, or `anonymous` where keys are not required."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.errors import GatewayError
from store.consumers import ANONYMOUS, Consumer
from store.database import Database, StoreUnavailable
from store.tokens import Principal, consumer_principal, find_principal
from vault.tokens import token_hash, well_formed

REMEMBERED_S = 2.0
TRUSTED_WHILE_AWAY_S = 60.0
"""While the store is away, a key that was valid a minute ago still is: only what needs review must stop then."""
_MOST_REMEMBERED = 10_000


class Consumers:
    def __init__(self, database: Database, *, require_key: bool, tenant: str = "default") -> None:
        self._database = database
        self._require_key = require_key
        nobody = Consumer(ANONYMOUS, ANONYMOUS, None, None, None, datetime.fromtimestamp(0, UTC))
        self._anonymous = consumer_principal(tenant, "none", nobody)
        self._known: dict[str, tuple[float, Principal | None]] = {}

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Raises GatewayError: 401 without a valid key, 503 when the store is away.

        The key is a bearer token, or stands where Anthropic's (`x-api-key`) and Azure's (`api-key`) clients put it.
        """
        key = _key(headers)
        if not key.startswith("kt_"):
            if self._require_key:
                raise _unauthenticated("this gateway needs an API key; ask an admin for `kt token create --consumer …`")
            return self._anonymous
        principal = await self._find(key)
        if principal is None or principal.consumer is None:
            raise _unauthenticated("this API key is not valid for the gateway")
        return principal

    async def _find(self, key: str) -> Principal | None:
        hashed, now = token_hash(key), time.monotonic()
        known = self._known.get(hashed)
        if known is not None and now - known[0] < REMEMBERED_S:
            return known[1]
        if known is None and not well_formed(key):
            return None
        try:
            async with self._database.read() as connection:
                principal = await find_principal(connection, hashed, datetime.now(UTC))
        except StoreUnavailable:
            if known is not None and known[1] is not None and now - known[0] < TRUSTED_WHILE_AWAY_S:
                return known[1]
            raise GatewayError(
                503, "store_unavailable", "keys cannot be checked right now", kind="server_error"
            ) from None
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[hashed] = (now, principal)
        return principal


def _key(headers: Mapping[str, str]) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key") or headers.get("api-key") or ""


def _unauthenticated(message: str) -> GatewayError:
    return GatewayError(401, "invalid_api_key", message, kind="authentication_error", retry=False)
