"""What somebody may ask of a case. Each is an HTTP call, a `kt` command, a Temporal update and a Temporal signal.

Commands carry no text: a note, a comment or a redaction's label lives in the vault, and the command holds a keyed
digest of it. Every command says who acts; only an authenticated caller's identity is ever put there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from escalations.decisions import FollowUpKind, Resolution
from escalations.routes import Exhausted, Route
from escalations.severity import Severity
from escalations.sla import SlaTerms


class Role(StrEnum):
    GATEWAY = "gateway"
    REVIEWER = "reviewer"
    SENIOR = "senior"
    AUDITOR = "auditor"
    ADMIN = "admin"


REVIEWERS = frozenset({Role.REVIEWER, Role.SENIOR, Role.ADMIN})


class ActorKind(StrEnum):
    USER = "user"
    CONSUMER = "consumer"
    OPERATOR = "operator"
    """Somebody with access to Temporal itself, whose identity nobody has checked."""
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `login` is the person's login, or a consumer's id."""

    login: str
    kind: ActorKind = ActorKind.USER
    roles: tuple[Role, ...] = ()

    @property
    def leads(self) -> bool:
        """Whether they may act on other people's claims."""
        return Role.SENIOR in self.roles or Role.ADMIN in self.roles

    def __str__(self) -> str:
        return f"{self.login} (unverified)" if self.kind is ActorKind.OPERATOR else self.login


SYSTEM = Actor("system", ActorKind.SYSTEM)


@dataclass(frozen=True, slots=True)
class Claim:
    """Take ownership. Exclusive; asking again as the holder changes nothing."""

    actor: Actor
    operation: Literal["claim"] = "claim"


@dataclass(frozen=True, slots=True)
class Unclaim:
    """Give it back to the queue. The holder's, or a senior's in the holder's stead."""

    actor: Actor
    operation: Literal["unclaim"] = "unclaim"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Work that a decision leaves behind; its text and link are in the vault."""

    kind: FollowUpKind
    digest: str


@dataclass(frozen=True, slots=True)
class Resolve:
    """Decide. The holder's alone.

    `content_digest` and `claim_epoch` bind the decision to what was shown and to the claim under which it was
    made; None where the caller has not seen them (an operator's signal, which can never allow).
    `released_digest` is the keyed digest of exactly what the consumer is to receive. `category` None means `other`,
    where the setting does not demand that one is chosen.
    """

    actor: Actor
    resolution: Resolution
    category: str | None = None
    note_digest: str | None = None
    note_words: int = 0
    released_digest: str | None = None
    redactions: int = 0
    follow_ups: tuple[FollowUp, ...] = ()
    content_digest: str | None = None
    claim_epoch: int | None = None
    operation: Literal["resolve"] = "resolve"


@dataclass(frozen=True, slots=True)
class Approve:
    """Confirm what another proposed. `proposal` is the number of its event, which binds the word to that very one.

    None as `proposal` or `content_digest` where the caller has not seen it.
    """

    actor: Actor
    proposal: int | None = None
    content_digest: str | None = None
    note_digest: str | None = None
    operation: Literal["approve"] = "approve"


@dataclass(frozen=True, slots=True)
class Object:
    """Take a proposal off the table: another's, or one's own. The case waits for a new decision."""

    actor: Actor
    note_digest: str
    proposal: int | None = None
    operation: Literal["object"] = "object"


@dataclass(frozen=True, slots=True)
class Undo:
    """Take a decision back before it counts: one's own, or a senior's word. Whoever decided it holds the case again."""

    actor: Actor
    note_digest: str | None = None
    operation: Literal["undo"] = "undo"


@dataclass(frozen=True, slots=True)
class EscalateFurther:
    """Hand it on: to `route` when it is given, else to the next level. The assignee is released, the clock goes on."""

    actor: Actor
    route: Route | None = None
    note_digest: str | None = None
    operation: Literal["escalate_further"] = "escalate_further"


@dataclass(frozen=True, slots=True)
class Assign:
    """Give it to one person. A senior's, or the holder's own hand-over; `strategy` where it was given out by rule.

    `own_channel` is that of the person, who is told there as well; None where they have none.
    """

    actor: Actor
    assignee: str
    note_digest: str | None = None
    strategy: str | None = None
    own_channel: str | None = None
    operation: Literal["assign"] = "assign"


@dataclass(frozen=True, slots=True)
class Extend:
    """Keep the claim for longer: `by` from now, or the usual lease. `beat`: nobody asked for it, the case is only open
    on their screen."""

    actor: Actor
    by: timedelta | None = None
    beat: bool = False
    operation: Literal["extend"] = "extend"


@dataclass(frozen=True, slots=True)
class AskForHelp:
    """Keep the claim for `up_to` while somebody is asked for help; the clock goes on. The holder's alone.

    `asked` is a login or `team:NAME`, and `people` the logins who may look at the case meanwhile. None as `up_to`: the
    usual time.
    """

    actor: Actor
    asked: str
    people: tuple[str, ...]
    note_digest: str
    up_to: timedelta | None = None
    operation: Literal["ask_for_help"] = "ask_for_help"


@dataclass(frozen=True, slots=True)
class Comment:
    """Say something beside the case. By the holder it is a sign of life and renews the lease; by the requester it ends
    the pause in which they are asked."""

    actor: Actor
    text_digest: str
    operation: Literal["comment"] = "comment"


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The consumer gave up; nobody needs to decide any more."""

    actor: Actor
    operation: Literal["withdraw"] = "withdraw"


@dataclass(frozen=True, slots=True)
class WaitOnRequester:
    """Stop the clock until the requester has answered, for `up_to` at most, or for as long as the terms allow.

    The holder's, or a senior's. The clock goes on at the end of that time, or when the holder goes on or the requester
    comments before.
    """

    actor: Actor
    reason_digest: str
    up_to: timedelta | None = None
    operation: Literal["wait_on_requester"] = "wait_on_requester"


@dataclass(frozen=True, slots=True)
class Resume:
    """Let the clock go on. The holder's, or a senior's."""

    actor: Actor
    operation: Literal["resume"] = "resume"


@dataclass(frozen=True, slots=True)
class SetSeverity:
    """Say how severe it is. The holder's, or a senior's.

    A higher severity counts its target from creation, so the case may breach at once. A lower one keeps the deadline
    that there was, if it comes first; `later` lets a senior move it.
    """

    actor: Actor
    severity: Severity
    note_digest: str | None = None
    later: bool = False
    operation: Literal["set_severity"] = "set_severity"


@dataclass(frozen=True, slots=True)
class Recompute:
    """Hold it to other terms: those of today's settings, which the API read. An admin's."""

    actor: Actor
    terms: SlaTerms
    operation: Literal["recompute"] = "recompute"


Command = (
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
    | Recompute
)


@dataclass(frozen=True, slots=True)
class Routed:
    """The answer to a case's wish for its next route: None when no level is left.

    `assignee` is who of its team was chosen, by the `strategy` of that team, None when it waits in the queue;
    `own_channel` is that person's, where they have one. `skipped` says which legs of its chain were empty, and why.
    `exhausted`: that chain is at its end.
    """

    route: Route | None
    assignee: str | None = None
    strategy: str | None = None
    skipped: tuple[str, ...] = ()
    exhausted: Exhausted | None = None
    own_channel: str | None = None
