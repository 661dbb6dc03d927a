"""Following another case: its decision, and exactly what it released, brought over under the follower's own key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from escalations.case import Decision, LeaderEnded
from escalations.decisions import Resolution
from store.contents import ANSWER, Contents, released_field
from store.database import Database
from store.escalations import Scope, find_view
from store.holds import HoldState, hold_state
from store.releases import open_release
from workflows.messages import FollowWanted
from workflows.ports import Following


@dataclass(frozen=True, slots=True)
class Follower(Following):
    database: Database
    contents: Contents

    @activity.defn(name="follow")
    async def follow(self, wanted: FollowWanted) -> LeaderEnded:
        tenant, leader, follower = wanted.tenant, wanted.leader, wanted.escalation_id
        async with self.database.read() as connection:
            release, released = await open_release(connection, self.contents, tenant, leader)
            view = await find_view(connection, Scope(tenant), leader)
            own = await self.contents.key(connection, tenant, follower)
            answer = (await self.contents.read(connection, tenant, follower, ANSWER))[ANSWER]
            state = await hold_state(connection, tenant, leader)
        if release is None or view is None:
            if state is HoldState.WITHDRAWN:
                return LeaderEnded(None)
            raise ApplicationError(
                "the leader has not ended", type="not_ended", category=ApplicationErrorCategory.BENIGN
            )
        if view.resolution is None:
            return LeaderEnded(None)
        resolution, content = Resolution(view.resolution), own.digest(answer)
        if resolution is Resolution.ALLOW and released != answer:
            return LeaderEnded(None)
        if released is not None and resolution is Resolution.REDACT_AND_ALLOW:
            async with self.database.write() as connection:
                field = released_field(own.digest(released))
                await self.contents.put(connection, tenant, follower, own, {field: released}, datetime.now(UTC))
        return LeaderEnded(
            Decision(
                resolution=resolution,
                category=view.category or "other",
                reviewer=view.reviewer or "system",
                at=release.decided_at,
                content_digest=content,
                released_digest=None if released is None else own.digest(released),
                note_digest=None,
                approved_by=view.approved_by,
            )
        )
