"""Notifications to send in tests, along the life of one case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from escalations.case import End, Status
from escalations.sla import SlaState
from escalations.views import View, view_of
from tests.escalations.cases import START, opened
from workflows.messages import Notification


def view(version: int = 1, **changes: Any) -> View:
    return replace(view_of(opened()), version=version, **changes)


def notification(event: str = "opened", seen: View | None = None, channel: str = "slack", seq: int = 1) -> Notification:
    seen = seen or view()
    at = START + timedelta(seconds=seq - 1)
    return Notification(f"{seen.escalation_id}/{seq}/{channel}", event, channel, seen, at, "team:legal")


def claimed(version: int = 2, by: str = "ana") -> View:
    at = START + timedelta(minutes=1)
    return view(version, status=Status.CLAIMED, assignee=by, claimed_at=at, first_claimed_at=at)


def breached(version: int = 3) -> View:
    return view(version, sla_state=SlaState.BREACHED, breached_at=START + timedelta(hours=1))


def resolved(version: int = 4, resolution: str = "block") -> View:
    return view(
        version,
        status=Status.RESOLVED,
        end=End.RESOLVED,
        ended_at=START + timedelta(minutes=5),
        resolution=resolution,
        reviewer="ana",
        assignee="ana",
    )


class Projection:
    """The case as it is now, as the store would say it. `coming` are the next states, one for each look."""

    def __init__(self, now: View | None = None) -> None:
        self.now = now
        self.coming: list[View] = []

    async def newest(self, told: Notification) -> View:
        if self.coming:
            self.now = self.coming.pop(0)
        return self.now if self.now is not None and self.now.version > told.view.version else told.view
