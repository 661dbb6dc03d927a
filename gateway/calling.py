"""Calling HTTP services that look at text: detectors of the user's own, and judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from policies.own_detectors import Nonsense

LARGEST_ANSWER = 1024 * 1024


class Connections:
    """One pool for all configurations of a process."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """The JSON that was answered. Raises Nonsense, aiohttp.ClientError, and ValueError where it is no JSON."""
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            if answer.status != 200:
                raise Nonsense(f"it answered {answer.status}")
            said = b""
            async for piece in answer.content.iter_any():
                said += piece
                if len(said) > LARGEST_ANSWER:
                    raise Nonsense("its answer is too large")
            return orjson.loads(said)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def told(fault: Exception) -> str:
    """For the log: never the fault of somebody else's code in full, which may quote what it looked at."""
    return str(fault) if isinstance(fault, Nonsense) else type(fault).__name__
