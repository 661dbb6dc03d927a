"""What travels between the API, the gateway, the workflow and its activities. Stored for long: fields may be added
with a default, never renamed or removed, and unknown ones are ignored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from escalations.case import Case, Opening
from escalations.commands import (
    Approve,
    AskForHelp,
    Assign,
    Claim,
    Comment,
    EscalateFurther,
    Extend,
    Object,
    Recompute,
    Resolve,
    Resume,
    SetSeverity,
    Unclaim,
    Undo,
    WaitOnRequester,
    Withdraw,
)
from escalations.events import Event
from escalations.routes import Exhausted, LegReason, Route
from escalations.views import View

ESCALATIONS_QUEUE = "escalations"
NOTIFICATIONS_QUEUE = "notifications"
TASK_TIMEOUT = timedelta(milliseconds=1500)
"""After so long the server gives the step of a worker that died to the next one: no timer is two seconds late for it.
Ten seconds is Temporal's default. Every workflow of this product is started with it."""
ADMINS = "role:admin"
"""The recipient of what every admin is told."""

AnyCommand = Annotated[
    Claim
    | Unclaim
    | Resolve
    | Approve
    | Object
    | Undo
    | EscalateFurther
    | Assign
    | Extend
    | AskForHelp
    | Comment
    | Withdraw
    | WaitOnRequester
    | Resume
    | SetSeverity
    | Recompute,
    Field(discriminator="operation"),
]


@dataclass(frozen=True, slots=True)
class Instruction:
    """A command on its way to a workflow, with what makes it trustworthy and repeatable.

    `id` is the update's id: hash of tenant, actor, operation, escalation and the client's key. `payload_digest` is a
    keyed digest of what the client sent. `signature` is the API's, over everything else (see vault.signatures), and
    holds until `expires_at`.
    """

    id: str
    escalation_id: str
    command: AnyCommand
    payload_digest: str
    expires_at: datetime
    key_id: str = ""
    signature: str = ""


_instruction = TypeAdapter(Instruction)


def bytes_to_sign(instruction: Instruction) -> bytes:
    """What the signature of an instruction covers: all of it but the signature itself."""
    return _instruction.dump_json(replace(instruction, signature=""))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The true answer to an update: the case as it is now, what happened, and the digest of what had been asked."""

    view: View
    events: tuple[Event, ...]
    payload_digest: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An instruction that was carried out: the same id gets the same outcome, another payload a refusal."""

    id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that waits to be authorized. `message` is whatever JSON was sent."""

    operation: str
    message: Any = None


@dataclass(frozen=True, slots=True)
class Carried:
    """The whole state of a workflow, for when its history has grown and it continues as new."""

    case: Case
    seen: tuple[Seen, ...]
    history: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """The one argument of the workflow."""

    opening: Opening
    carried: Carried | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The workflow's result, for the Temporal UI; everybody else reads the projection."""

    end: str
    resolution: str | None
    reviewer: str | None


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Events to write down, and the case after the last of them.

    `answered` are the numbers of those that an update was answered with: the API writes them down before it answers,
    so they are given a moment to appear.
    """

    view: View
    events: tuple[Event, ...]
    answered: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteWanted:
    """Which level comes next, under the settings that the case was opened with? Rules behind `after` count.

    `current` is the route that it is on now, which may be a leg of a chain, and `reason` why it leaves it. Nobody of
    `never` may have the case, and where `only` is given nobody else; `leads`: seniors and admins alone.
    """

    tenant: str
    settings_version: int
    policy_rule: str
    reason_code: str
    severity: str
    consumer_team: str | None
    consumer_group: str | None
    after: int | None
    requester: str | None = None
    consumer: str | None = None
    provider: str | None = None
    model: str | None = None
    score: int | None = None
    current: Route | None = None
    reason: LegReason = LegReason.ESCALATED
    never: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    leads: bool = False


@dataclass(frozen=True, slots=True)
class RouteFound:
    """`skipped` are the empty legs of its chain; `exhausted`, without a route, how that chain ends. `own_channel` is
    the assignee's, where they have one."""

    route: Route | None
    assignee: str | None = None
    strategy: str | None = None
    skipped: tuple[str, ...] = ()
    exhausted: Exhausted | None = None
    own_channel: str | None = None


@dataclass(frozen=True, slots=True)
class FollowWanted:
    """How did `leader` end, which waits for an answer to the same request?"""

    tenant: str
    escalation_id: str
    leader: str


@dataclass(frozen=True, slots=True)
class AuthorizationWanted:
    """May this signal be carried out?"""

    tenant: str
    escalation_id: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class Authorization:
    """The command that a signal means, with an actor whose kind says whether anybody vouches for it.

    None where it means nothing; `problem` then says why, in the words of an error code.
    """

    command: AnyCommand | None
    id: str = ""
    payload_digest: str = ""
    actor: str = "operator"
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """Something to tell, on one channel. `id` is the idempotency key: (escalation, event, channel).

    `following`: the channel is that of an earlier route. What shows the case there (a card, an incident) is brought up
    to date; nobody is called. `passed` are the channels that failed before this one was asked in their place.
    `alone`: it has waited for others already, and is told by itself. `to_consumer`: it is for the application whose
    answer was held, which is told how it was decided even where reviewers are not.
    `replayed`: an admin has it sent once more, whatever the channel said before.
    """

    id: str
    event: str
    channel: str
    view: View
    at: datetime
    recipient: str
    tenant: str = "default"
    data: dict[str, str | int | None] = field(default_factory=dict)
    following: bool = False
    passed: tuple[str, ...] = ()
    alone: bool = False
    to_consumer: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A notification that nobody will try to send any more, and why, in words without content or secrets."""

    notification: Notification
    problem: str


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group of notifications of one channel; `quiet`: of cases that have quiet hours, where they are those of one
    `recipient`. The id names nobody."""

    tenant: str
    group_id: str
    channel: str
    quiet: bool = False
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class GroupStart:
    ref: GroupRef


@dataclass(frozen=True, slots=True)
class GroupBatch:
    """Those of a group that are told together, or one by one; `number` is the second in which they were called up."""

    ref: GroupRef
    number: int


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """How many seconds a group still waits; None where nobody waits in it."""

    wait_s: float | None


@dataclass(frozen=True, slots=True)
class GroupTold:
    """For how many seconds nothing more of this group is told."""

    hold_s: float


@dataclass(frozen=True, slots=True)
class ChannelTest:
    """A message that says nothing but that a channel works. `by` is the login of who asked for it."""

    tenant: str
    channel: str
    by: str


@dataclass(frozen=True, slots=True)
class Tested:
    """Whether the test message arrived; `problem` says why not."""

    sent: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A hint to the gateway that waits: this case has ended. It reads the release for itself."""

    tenant: str
    escalation_id: str
