"""The shapes of requests and answers, with examples: the source of the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from escalations.durations import parse_duration
from escalations.severity import Severity

ID_PATTERN = r"^[a-z0-9][a-z0-9._@-]{0,199}$"

Name = Annotated[str, Field(pattern=ID_PATTERN, examples=["legal"])]
Text = Annotated[str, Field(max_length=10_000)]


class Body(BaseModel):
    """Base of what clients send: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, str_strip_whitespace=True)


class EscalateBody(Body):
    """`to`: `team:NAME`, a login or an e-mail address; without it, the next level of the route."""

    to: Annotated[str, Field(max_length=200)] | None = None
    note: Text | None = None


class AssignBody(Body):
    assignee: Annotated[str, Field(min_length=1, max_length=320, examples=["senior"])]
    note: Text | None = None


class NextBody(Body):
    """`team`: only this team's queue; without it, those of all your teams."""

    team: Annotated[str, Field(max_length=200)] | None = None


class Heartbeat(BaseModel):
    """`lease_until`: until when the claim lasts now. `again_in_seconds`: when to send the next, null for never."""

    escalation_id: str
    lease_until: datetime | None
    again_in_seconds: float | None


class ExtendBody(Body):
    """`by`: how long from now, as `30m`; without it, the usual lease."""

    by: str | int | None = None

    @field_validator("by")
    @classmethod
    def _length(cls, value: str | int | None) -> str | int | None:
        if value is not None:
            parse_duration(value)
        return value


class HelpBody(Body):
    """`ask`: a login, an e-mail address or `team:NAME`. `up_to`: for how long, as `30m`; without it, an hour."""

    ask: Annotated[str, Field(min_length=1, max_length=320, examples=["senior"])]
    note: Annotated[str, Field(min_length=1, max_length=10_000, examples=["Is section 3 advice?"])]
    up_to: str | int | None = None

    @field_validator("up_to")
    @classmethod
    def _length(cls, value: str | int | None) -> str | int | None:
        if value is not None:
            parse_duration(value)
        return value


class WaitBody(Body):
    """Why the clock stands still, and for how long at most, as `30m`; without it, as long as the settings allow."""

    reason: Annotated[str, Field(min_length=1, max_length=10_000, examples=["Asked the author for section 3."])]
    up_to: str | int | None = None

    @field_validator("up_to")
    @classmethod
    def _length(cls, value: str | int | None) -> str | int | None:
        if value is not None:
            parse_duration(value)
        return value


class SeverityBody(Body):
    """`later`: let a lower severity move the deadline later; for seniors and admins."""

    severity: Severity
    note: Text | None = None
    later: bool = False


class RecomputeBody(Body):
    """Without `apply` it is only said where the deadline would be."""

    apply: bool = False


class CommentBody(Body):
    text: Annotated[str, Field(min_length=1, max_length=10_000)]


class CreateBody(Body):
    """An answer that another system holds. `answer` is a chat completion, or just its text."""

    request: Annotated[Any, Field(description="the prompt or request, any JSON")] = None
    answer: str | dict[str, Any]
    policy_rule: Annotated[str, Field(min_length=1, max_length=200, examples=["human-oversight"])]
    reason_code: Annotated[str, Field(min_length=1, max_length=200, examples=["legal_opinions"])]
    severity: Severity = Severity.MEDIUM
    score: Annotated[float, Field(ge=0, le=1, description="how sure the policy was")] | None = None
    consumer: Annotated[str, Field(max_length=200)] | None = None
    model: Annotated[str, Field(max_length=200)] | None = None
    provider: Annotated[str, Field(max_length=100)] | None = None
    finding: Annotated[
        dict[str, Any], Field(description="what was found; what only the gateway may say is left out")
    ] = Field(default_factory=dict)


class ChannelTestBody(Body):
    """`channel` as a rule names it: `pagerduty`, `slack:#legal`, `email:ana@example.com`."""

    channel: Annotated[str, Field(min_length=1, max_length=300, examples=["slack:#legal-review"])]


class ReplayBody(Body):
    """What was given up is sent once more: all of it, or that of one escalation or channel."""

    escalation_id: Annotated[str, Field(max_length=64)] | None = None
    channel: Annotated[str, Field(max_length=300)] | None = None


class RouteJson(BaseModel):
    """`leg` and `round` count from 1; they are set where it is a leg of the `chain`. `also` are further channels."""

    destination: str
    chosen_by: str
    name: str
    channel: str
    also: list[str] = []
    chain: str | None = None
    leg: int | None = None
    round: int | None = None


class ProposalJson(BaseModel):
    """A decision that waits until `missing` more people have confirmed it. `number` binds an approval to it."""

    number: int
    resolution: Literal["allow", "block", "redact_and_allow"]
    category: str
    reviewer: str
    at: datetime
    redactions: int
    approved_by: list[str]
    missing: int
    note: str | None = None


class PendingJson(BaseModel):
    """A decision that counts from `release_at` on, and can be undone until then."""

    resolution: Literal["allow", "block", "redact_and_allow"]
    category: str
    reviewer: str
    decided_by: str
    at: datetime
    release_at: datetime
    note: str | None = None


class Escalation(BaseModel):
    """One escalation, as every surface shows it. `note` is joined from the vault for those who may read it."""

    escalation_id: str
    status: Literal["open", "claimed", "resolved", "expired"]
    sla_state: Literal["ok", "amber", "breached", "paused"]
    version: int
    reason_code: str
    policy_rule: str
    severity: Severity
    severity_description: str
    created_at: datetime
    sla_deadline: datetime
    amber_at: datetime
    expires_at: datetime
    breached_at: datetime | None
    claim_due_at: datetime | None = None
    ack_until: Annotated[datetime | None, Field(description="in a chain, when its next leg is asked")] = None
    score: Annotated[float | None, Field(description="how sure the policy was, from 0 to 1")] = None
    paused_until: datetime | None = None
    left_when_paused: Annotated[int | None, Field(description="seconds to the deadline while the clock stands")] = None
    calendar: str | None = None
    assignee: str | None
    claimed_at: datetime | None
    lease_until: datetime | None
    help_asked: str | None = None
    help_until: datetime | None = None
    claim_epoch: int
    team: str | None
    route: RouteJson
    gateway: str | None
    consumer: str
    consumer_team: str | None
    consumer_group: str | None
    provider: str | None
    target: str | None
    model: str | None
    config_version: str
    config_digest: str
    settings_version: int
    event_id: str
    content_digest: str
    temporal_url: str | None
    end: Literal["resolved", "expired", "withdrawn"] | None
    ended_at: datetime | None
    resolution: Literal["allow", "block", "redact_and_allow"] | None
    category: str | None
    note: str | None
    reviewer: str | None
    resolution_time_seconds: int | None
    required_approvals: int = 1
    proposal: ProposalJson | None = None
    pending: PendingJson | None = None
    leader: str | None = None
    precedent: str | None = None
    appeal_of: str | None = None
    appealed_as: str | None = None
    approvers: list[str] | None = None
    approved_by: list[str] = Field(default_factory=list)
    context: dict[str, Any] | None = None


class EscalationPage(BaseModel):
    escalations: list[Escalation]
    next_cursor: str | None = None


class HistoryEntry(BaseModel):
    seq: int
    type: str
    at: datetime
    actor: str
    actor_kind: str
    data: dict[str, Any]
    ledger: str


class History(BaseModel):
    escalation_id: str
    history: list[HistoryEntry]
