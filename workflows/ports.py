"""What the workflow asks of the outside world: the interfaces of its activities, without a body.

The packages above implement them by subclassing; the workflow knows only these names and types.
"""

from __future__ import annotations

from temporalio import activity

from escalations.case import LeaderEnded
from escalations.golden import GoldenRound
from workflows.messages import (
    Authorization,
    AuthorizationWanted,
    ChannelTest,
    Delivery,
    FollowWanted,
    GivenUp,
    GroupBatch,
    GroupPlan,
    GroupRef,
    GroupTold,
    Notification,
    RecordBatch,
    RouteFound,
    RouteWanted,
    Tested,
)
from workflows.review_messages import ReviewBatch


class Recording:
    @activity.defn(name="record")
    async def record(self, batch: RecordBatch) -> None:
        """Ledger entries first, then the projection and a final event's release. Idempotent by (escalation, seq)."""
        raise NotImplementedError


class SecondReviewing:
    @activity.defn(name="record_second_review")
    async def record(self, batch: ReviewBatch) -> None:
        """Ledger entry first, then the table. Idempotent by (review, version)."""
        raise NotImplementedError


class GoldenSending:
    @activity.defn(name="send_golden")
    async def send(self, turn: GoldenRound) -> bool:
        """Send the golden case whose turn it is; whether there was one. Idempotent by the round."""
        raise NotImplementedError


class Routing:
    @activity.defn(name="route")
    async def route(self, wanted: RouteWanted) -> RouteFound:
        """The next level, by the directory and the clock of this moment."""
        raise NotImplementedError


class Following:
    @activity.defn(name="follow")
    async def follow(self, wanted: FollowWanted) -> LeaderEnded:
        """How the leader ended; what was released there is in the follower's vault then. Fails until it has."""
        raise NotImplementedError


class Authorizing:
    @activity.defn(name="authorize")
    async def authorize(self, wanted: AuthorizationWanted) -> Authorization:
        """What a signal means, and whether anybody vouches for its sender."""
        raise NotImplementedError


class Notifying:
    @activity.defn(name="notify")
    async def notify(self, notification: Notification) -> None:
        """Tell one channel. At least once; the notification's id lets the receiver see a repetition."""
        raise NotImplementedError

    @activity.defn(name="give_up")
    async def give_up(self, given_up: GivenUp) -> None:
        """Keep a notification that could not be sent, so that it can be sent once more by hand."""
        raise NotImplementedError

    @activity.defn(name="try_out")
    async def try_out(self, test: ChannelTest) -> Tested:
        """Send a test message; what goes wrong is the answer, not an error."""
        raise NotImplementedError


class Grouping:
    @activity.defn(name="plan_group")
    async def plan(self, ref: GroupRef) -> GroupPlan:
        """How long a group still waits, by the settings and the clock of this moment."""
        raise NotImplementedError

    @activity.defn(name="tell_group")
    async def tell(self, batch: GroupBatch) -> GroupTold:
        """Tell those who wait: by one message if they are many, else each by itself."""
        raise NotImplementedError

    @activity.defn(name="tell_group_apart")
    async def tell_apart(self, batch: GroupBatch) -> None:
        """Have each of a batch told by itself, as what would tell them together has failed for days."""
        raise NotImplementedError


class Delivering:
    @activity.defn(name="deliver")
    async def deliver(self, delivery: Delivery) -> None:
        """Wake the caller who waits in the gateway that listens on this task queue."""
        raise NotImplementedError
