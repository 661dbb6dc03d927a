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
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from escalations.case import DecisionTerms
from escalations.decisions import DEFAULT_CATEGORIES
from escalations.durations import format_duration, parse_duration
from escalations.severity import Severity
from escalations.sla import (
    DEFAULT_AMBER,
    DEFAULT_CLAIM_LEASE,
    DEFAULT_EXPIRE_AFTER,
    DEFAULT_TARGETS,
    SlaTerms,
)

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
]


def _percent(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d{1,3}\s*%", value.strip()):
        return int(value.strip().rstrip("%"))
    if isinstance(value, float) and 0 < value < 1:
        return round(value * 100)
    return value


Percent = Annotated[int, BeforeValidator(_percent), Field(ge=1, le=99)]


class Part(BaseModel):
    """Base of every block of settings: unknown keys are errors, for a typo must not switch a rule off."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SlaSettings(Part):
    """Targets per severity, and the clock's other lengths. `targets` may hold the four, or they stand beside it."""

    critical: Duration = DEFAULT_TARGETS[Severity.CRITICAL]
    high: Duration = DEFAULT_TARGETS[Severity.HIGH]
    medium: Duration = DEFAULT_TARGETS[Severity.MEDIUM]
    low: Duration = DEFAULT_TARGETS[Severity.LOW]
    amber_at_remaining: Percent = DEFAULT_AMBER
    expire_after: Duration = DEFAULT_EXPIRE_AFTER
    claim_lease: Duration | None = DEFAULT_CLAIM_LEASE

    @model_validator(mode="before")
    @classmethod
    def _lift_targets(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("targets"), dict):
            rest = {key: value for key, value in data.items() if key != "targets"}
            return {**data["targets"], **rest}
        return data

    @field_validator("claim_lease", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value in ("off", "never", False) else value

    def terms(self, severity: Severity, settings_version: int) -> SlaTerms:
        return SlaTerms(
            target=getattr(self, severity.value),
            amber_at_remaining=self.amber_at_remaining,
            expire_after=self.expire_after,
            claim_lease=self.claim_lease,
            settings_version=settings_version,
        )


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{value!r} is not a time zone; write for example Europe/Berlin") from None
    return value


Zone = Annotated[str, AfterValidator(_known_zone)]
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"


class TimeOfDay(Part):
    """A stretch of the day in one time zone; one that ends before it starts goes over midnight."""

    start: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="from")]
    end: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="to")]
    zone: Zone = "UTC"


class BusinessHours(Part):
    """What `inside_business_hours` and `outside_business_hours` mean. Days: 1 is Monday."""

    start: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="from")] = "09:00"
    end: Annotated[str, Field(pattern=rf"^{_CLOCK}$", alias="to")] = "17:00"
    days: tuple[Annotated[int, Field(ge=1, le=7)], ...] = (1, 2, 3, 4, 5)
    zone: Zone = "UTC"


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class Match(Part):
    """When a rule fires: every criterion that is given must hold. A list means any of its members.

    `policy_rule` names a policy (`human-oversight`), or what it found (`legal_opinions`), or both joined by a dot.
    `team` is the originating team, that of the consumer. `any: true` always matches.
    """

    any: Literal[True] | None = None
    policy_rule: Names | None = None
    severity: Annotated[tuple[Severity, ...], BeforeValidator(_one_or_many)] | None = None
    team: Names | None = None
    consumer_group: Names | None = None
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
    """One routing rule. The first that matches decides; the following ones are the next levels."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    match: Match
    route_to: Annotated[str, Field(min_length=1, max_length=200)]
    notification_channel: str = "log"

    @field_validator("route_to")
    @classmethod
    def _destination(cls, value: str) -> str:
        kind, found, rest = value.partition(":")
        if found and (kind not in ("team", "user") or not rest):
            raise ValueError("route_to is `team:NAME`, a login or an e-mail address")
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


class SecretReference(Part):
    """Where a secret is read from: an environment variable or a file. Never the secret itself."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretReference:
        if (self.env is None) == (self.file is None):
            raise ValueError("set exactly one of env and file")
        return self


class WebhookChannel(Part):
    """A receiver of signed webhooks (Standard Webhooks 1.0.0); the secret is `whsec_` and base64."""

    type: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://")]
    secret_key_ref: SecretReference


class LogChannel(Part):
    """A line in the worker's log."""

    type: Literal["log"]


Channel = Annotated[WebhookChannel | LogChannel, Field(discriminator="type")]


class DecisionSettings(Part):
    """What a decision must bring. From `require_note_from` on, a category and a note of three words at least."""

    categories: tuple[str, ...] = DEFAULT_CATEGORIES
    require_note_from: Severity | None = None

    @field_validator("categories")
    @classmethod
    def _has_other(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        if "other" not in categories:
            raise ValueError("the list must hold 'other', which is the default")
        return categories

    def terms(self) -> DecisionTerms:
        return DecisionTerms(self.categories, self.require_note_from)


class EscalationSettings(Part):
    """The whole document. An absent part has its defaults.

    `unverified_signals` lets somebody with access to Temporal claim, unclaim, block or escalate by a bare
    `temporal workflow signal`, recorded as unverified; nobody can ever allow that way.
    """

    sla: SlaSettings = SlaSettings()
    escalation_routing: RoutingSettings = RoutingSettings()
    business_hours: BusinessHours = BusinessHours()
    notification_channels: dict[str, Channel] = Field(default_factory=dict)
    decisions: DecisionSettings = DecisionSettings()
    unverified_signals: bool = False
