"""The settings of clocks: targets for each severity, reminders, pauses, and who has others.

sla:
  critical: 15m
  high: 1h
  amber_at_remaining: 50%
  notify_at_remaining: [50%, 10%]
  claim_targets: {critical: 5m}
  max_pause: 4h
  calendar: office
  overrides:
  - match: {policy: human-oversight, consumer_group: trading}
    high: 30m
    calendar: trading-floor
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from escalations.durations import format_duration
from escalations.facts import Facts
from escalations.parts import Duration, Names, Part, Percent, one_or_many
from escalations.severity import Severity
from escalations.sla import (
    DEFAULT_AMBER,
    DEFAULT_CLAIM_LEASE,
    DEFAULT_EXPIRE_AFTER,
    DEFAULT_REMINDERS,
    DEFAULT_TARGETS,
    LEASE_WARNING,
    SlaTerms,
)
from escalations.windows import OpenTime

Target = Annotated[Duration, PlainSerializer(lambda length: format_duration(length, days=False), return_type=str)]
"""Counted in open time where there is a calendar, so it is written in hours: a day of it would be read as another."""


def _lift_targets(data: Any) -> Any:
    if isinstance(data, dict) and isinstance(data.get("targets"), dict):
        rest = {key: value for key, value in data.items() if key != "targets"}
        return {**data["targets"], **rest}
    return data


class SlaMatch(Part):
    """Whose targets an override is: every criterion that is given must hold. A list means any of its members.

    `policy` names a policy, or what it found, or both joined by a dot. `team` is the consumer's own.
    """

    policy: Names | None = None
    team: Names | None = None
    consumer_group: Names | None = None

    @model_validator(mode="after")
    def _says_something(self) -> SlaMatch:
        if self.policy is None and self.team is None and self.consumer_group is None:
            raise ValueError("name a policy, a team or a consumer_group; what is for everybody stands beside overrides")
        return self

    def fits(self, facts: Facts) -> bool:
        return (
            (self.policy is None or not facts.policy_names.isdisjoint(self.policy))
            and (self.team is None or facts.team in self.team)
            and (self.consumer_group is None or facts.consumer_group in self.consumer_group)
        )


class SlaOverride(Part):
    """Other targets, or another calendar, for some cases. What is not given stays. The first that matches counts."""

    match: SlaMatch
    critical: Target | None = None
    high: Target | None = None
    medium: Target | None = None
    low: Target | None = None
    claim_targets: dict[Severity, Target] = Field(default_factory=dict)
    calendar: str | None = None
    calendar_for_critical: bool | None = None

    _lift = model_validator(mode="before")(_lift_targets)

    @property
    def targets(self) -> dict[str, timedelta]:
        """Those that it gives."""
        given = {severity.value: getattr(self, severity.value) for severity in Severity}
        return {severity: target for severity, target in given.items() if target is not None}


def _lease(given: dict[str, Any]) -> timedelta:
    """An hour, but no longer than any target: a claim that outlasts every deadline would say nothing."""
    targets = [given[severity.value] for severity in Severity if isinstance(given.get(severity.value), timedelta)]
    return min(DEFAULT_CLAIM_LEASE, max(targets, default=DEFAULT_CLAIM_LEASE))


class SlaSettings(Part):
    """Targets per severity, and the clock's other lengths. `targets` may hold the four, or they stand beside it.

    `claim_targets` say, where given, how soon somebody should have claimed a case. `calendar` names an entry of
    `calendars`: only its open time counts, for critical cases too if `calendar_for_critical`: else they run through
    every closed hour. `max_pause` lets the clock stand still while the requester is asked.
    A `claim_lease` that nobody gave is no longer than the target of its case; one that is given and is longer, is
    refused.
    """

    critical: Target = DEFAULT_TARGETS[Severity.CRITICAL]
    high: Target = DEFAULT_TARGETS[Severity.HIGH]
    medium: Target = DEFAULT_TARGETS[Severity.MEDIUM]
    low: Target = DEFAULT_TARGETS[Severity.LOW]
    claim_targets: dict[Severity, Target] = Field(default_factory=dict)
    amber_at_remaining: Percent = DEFAULT_AMBER
    notify_at_remaining: Annotated[tuple[Percent, ...], BeforeValidator(one_or_many), Field(max_length=20)] = (
        DEFAULT_REMINDERS
    )
    expire_after: Duration = DEFAULT_EXPIRE_AFTER
    claim_lease: Duration | None = Field(default_factory=_lease)
    max_pause: Duration | None = None
    calendar: str | None = None
    calendar_for_critical: bool = False
    overrides: tuple[SlaOverride, ...] = ()

    _lift = model_validator(mode="before")(_lift_targets)

    @field_validator("claim_lease", "max_pause", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value in ("off", "never", False) else value

    @model_serializer(mode="wrap")
    def _as_written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A lease that nobody gave is not written down as if somebody had: it goes with the target. `off` is."""
        shown: dict[str, Any] = plain(self)
        shown.pop("claim_lease", None)
        if "claim_lease" in self.model_fields_set:
            shown["claim_lease"] = "off" if self.claim_lease is None else format_duration(self.claim_lease)
        return shown

    @property
    def given_lease(self) -> timedelta | None:
        """The lease that was written; None where it is the default, or off."""
        return self.claim_lease if "claim_lease" in self.model_fields_set else None

    def for_case(self, facts: Facts | None) -> SlaSettings:
        """These settings as they are for one case, its override applied."""
        override = next((one for one in self.overrides if facts is not None and one.match.fits(facts)), None)
        return self if override is None else self.with_override(override)

    def with_override(self, override: SlaOverride) -> SlaSettings:
        changes: dict[str, Any] = {**override.targets, "claim_targets": self.claim_targets | override.claim_targets}
        if override.calendar is not None:
            changes["calendar"] = override.calendar
        if override.calendar_for_critical is not None:
            changes["calendar_for_critical"] = override.calendar_for_critical
        return self.model_copy(update=changes)

    @property
    def longest(self) -> timedelta:
        """How much open time a case may need at most, whatever its severity becomes, with all its pauses."""
        return max(self.critical, self.high, self.medium, self.low) + (self.max_pause or timedelta(0))

    def terms(self, severity: Severity, settings_version: int, open_time: OpenTime | None = None) -> SlaTerms:
        """What a case is held to. A reminder that would come with the amber threshold is left out."""
        reminders = set(self.notify_at_remaining) - {self.amber_at_remaining}
        follows = open_time is None or self.calendar_for_critical
        every_hour_for = () if follows else (Severity.CRITICAL,)
        return SlaTerms(
            target=getattr(self, severity.value),
            amber_at_remaining=self.amber_at_remaining,
            expire_after=self.expire_after,
            claim_lease=self.claim_lease,
            settings_version=settings_version,
            open_time=open_time,
            claim_target=self.claim_targets.get(severity),
            notify_at_remaining=tuple(sorted(reminders, reverse=True)),
            max_pause=self.max_pause,
            warn_at_lease=LEASE_WARNING,
            lease_within_target="claim_lease" not in self.model_fields_set,
            by_severity=tuple((one, getattr(self, one.value), self.claim_targets.get(one)) for one in Severity),
            every_hour_for=every_hour_for,
            every_hour=severity in every_hour_for,
        )
