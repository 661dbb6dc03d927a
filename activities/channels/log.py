"""A line in the worker's log: the channel that is always there. It never names content."""

from __future__ import annotations

import logging

from workflows.messages import Notification

_logger = logging.getLogger("keeptrusts.notify")


class LogChannel:
    def __init__(self) -> None:
        self._warned: set[str] = set()

    async def send(self, notification: Notification) -> bool:
        view = notification.view
        _logger.info(
            "escalation %s %s severity=%s policy=%s to=%s due=%s",
            view.escalation_id,
            notification.event,
            view.severity.value,
            view.policy_rule,
            notification.recipient,
            view.sla_deadline.isoformat(timespec="seconds"),
        )
        return True

    def warn_unknown(self, channel: str) -> None:
        """Say once that a channel is routed to but not set up."""
        if channel not in self._warned:
            self._warned.add(channel)
            _logger.warning("notification channel %s is not set up; its notifications go to this log", channel)
