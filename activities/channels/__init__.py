"""How people are told. A channel sends one notification, or raises; Temporal alone retries."""

from __future__ import annotations

from typing import Protocol

from workflows.messages import Notification


class Channel(Protocol):
    async def send(self, notification: Notification) -> bool:
        """False where this channel has nothing to say of it. Raises when it did not arrive.

        May be called again with the same notification, whose `id` says so.
        """
