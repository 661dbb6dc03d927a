"""The settings that govern reviews: SLA targets, routing rules, notification channels, what a decision must bring.

One document in the seeds' form, with each part optional:

    sla:
      critical: 15m
      high: 1h
      amber_at_remaining: 50%
      expire_after: 7d
      claim_lease: 1h
    escalation_routing:
      rules:
      - name: "Critical to senior compliance"
        match: {severity: critical}
        route_to: "compliance-senior@acme.com"
        notification_channel: "pagerduty"
    notification_channels:
      legal-hook: {type: webhook, url: "https://…", secret_key_ref: {env: LEGAL_HOOK_SECRET}}
    decisions: {require_note_from: critical, categories: [false_positive, true_positive, policy_gap, other]}

More of `sla` is in `sla_settings`, of `decisions` in `decision_settings`, the channels are in `channels`,
`notification_defaults` in `default_channels`, the `chains` in `chains`; `calendars`, `schedules` and `assignment` are
those of `operations_settings`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from escalations.chains import Chains
from escalations.channels import Channel
from escalations.commands import Role
from escalations.decision_settings import DecisionSettings
from escalations.default_channels import NotificationDefaults
from escalations.golden import GoldenSettings
from escalations.operations_settings import AssignmentSettings, Calendars, Schedules, read_weekdays
from escalations.parts import Names, Part, Zone, one_or_many
from escalations.scores import Score
from escalations.severity import Severity
from escalations.sla_settings import SlaSettings

_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"


class TimeOfDay(Part):
    """A stretch of the day in one time zone; one that ends before it starts goes over midnight."""

    start: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="from")]
    end: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="to")]
    zone: Zone = "UTC"


class BusinessHours(Part):
    """What `inside_business_hours` and `outside_business_hours` mean: the open time of a `calendar`, with its holidays
    and closed days, or else a stretch of some days. Days: 1 is Monday; of a stretch over midnight, that of its start.
    """

    calendar: str | None = None
    start: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="from")] = "09:00"
    end: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="to")] = "17:00"
    days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = (1, 2, 3, 4, 5)
    zone: Zone = "UTC"

    @model_validator(mode="after")
    def _one_of_both(self) -> BusinessHours:
        if self.calendar is not None and self.model_fields_set - {"calendar"}:
            raise ValueError("a calendar has hours, days and a zone of its own; give it alone, or these")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return plain(self) if self.calendar is None else {"calendar": self.calendar}


def _weekdays(written: tuple[str, ...]) -> tuple[str, ...]:
    for days in written:
        read_weekdays(days)
    return written


class Match(Part):
    """When a rule fires: every criterion that is given must hold. A list means any of its members.

    `policy_rule` names a policy (`human-oversight`), or what it found (`legal_opinions`), or both joined by a dot;
    `category` is what it found. `team` is the originating team, that of the consumer. A `*` in `model` stands for
    anything. `score` (`>=0.9`) is how sure the policy was. `weekday` (`mon`, `mon-fri`) is that of the zone of
    `business_hours`; with a stretch of the day, it is the day on which that began, by its own zone. `any: true` always
    matches.
    """

    any: Literal[True] | None = None
    policy_rule: Names | None = None
    severity: Annotated[tuple[Severity, ...], BeforeValidator(one_or_many)] | None = None
    team: Names | None = None
    consumer_group: Names | None = None
    category: Names | None = None
    consumer: Names | None = None
    provider: Names | None = None
    model: Names | None = None
    score: Score | None = None
    weekday: Annotated[Names, AfterValidator(_weekdays)] | None = None
    time_of_day: Literal["inside_business_hours", "outside_business_hours"] | TimeOfDay | None = None

    @field_validator("time_of_day", mode="before")
    @classmethod
    def _stretch(cls, value: Any) -> Any:
        found = re.fullmatch(rf"({_CLOCK})\s*-\s*({_CLOCK})(?:\s+(\S+))?", value) if isinstance(value, str) else None
        return {"from": found[1], "to": found[2], "zone": found[3] or "UTC"} if found else value

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        if not self.model_fields_set or all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("a match with no criterion never says when it fires; write `any: true` for a catch-all")
        return self


class Rule(Part):
    """One routing rule. The first that matches decides; the following ones are the next levels.

    Without a `notification_channel` whoever the case comes to is told on their own of `notification_defaults`.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    match: Match
    route_to: Annotated[str, Field(min_length=1, max_length=200)]
    notification_channel: str | None = None

    @field_validator("route_to")
    @classmethod
    def _destination(cls, value: str) -> str:
        kind, found, rest = value.partition(":")
        if found and (kind not in ("team", "user", "schedule", "chain") or not rest):
            raise ValueError("route_to is `team:NAME`, `schedule:NAME`, `chain:NAME`, a login or an e-mail address")
        return value

    @property
    def catches_all(self) -> bool:
        return self.match.any is True and self.match.model_fields_set == {"any"}


class RoutingSettings(Part):
    rules: tuple[Rule, ...] = ()

    @field_validator("rules")
    @classmethod
    def _names_are_unique(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        seen: set[str] = set()
        for rule in rules:
            if rule.name in seen:
                raise ValueError(f"two rules are named {rule.name!r}; a name is how an explanation refers to a rule")
            seen.add(rule.name)
        return rules


class PrivacySettings(Part):
    """`may_reveal`: the roles that may see personal data that is masked, each time on the record."""

    may_reveal: Annotated[tuple[Role, ...], BeforeValidator(one_or_many)] = (Role.SENIOR, Role.ADMIN)

    @field_validator("may_reveal")
    @classmethod
    def _people(cls, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        if Role.GATEWAY in roles:
            raise ValueError("a gateway is nobody to whom anything could be shown")
        return roles


class EscalationSettings(Part):
    """The whole document. An absent part has its defaults.

    `unverified_signals` lets somebody with access to Temporal claim, unclaim, block or escalate by a bare
    `temporal workflow signal`, recorded as unverified; nobody can ever allow that way.
    """

    sla: SlaSettings = SlaSettings()
    escalation_routing: RoutingSettings = RoutingSettings()
    business_hours: BusinessHours = BusinessHours()
    notification_channels: dict[str, Channel] = Field(default_factory=dict)
    notification_defaults: NotificationDefaults = NotificationDefaults()
    calendars: Calendars = Field(default_factory=dict)
    schedules: Schedules = Field(default_factory=dict)
    chains: Chains = Field(default_factory=dict)
    assignment: AssignmentSettings = AssignmentSettings()
    decisions: DecisionSettings = DecisionSettings()
    golden_cases: GoldenSettings | None = None
    privacy: PrivacySettings = PrivacySettings()
    unverified_signals: bool = False
