"""When several notifications become one message: bursts, and hours in which people are left alone. Never for critical.

group: {first: at_once, wait: 10s, interval: 5m, at_least: 5}
quiet_hours: {from: "20:00", to: "07:00", zone: Europe/Berlin, severity: [low, medium]}
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from escalations.parts import Duration, Part, Zone, one_or_many
from escalations.severity import Severity
from escalations.zones import instant, zone_of

_CLOCK = r"^(?:[01]\d|2[0-3]):[0-5]\d$"


class Grouping(Part):
    """Notifications of one team and policy wait for each other: `wait` from the first on, `interval` after a message
    for several. Fewer cases than `at_least` are told one by one all the same.

    Where nothing came for so long, the `first` is told at once, and what follows waits; or it waits with them.
    """

    first: Literal["at_once", "waits"] = "at_once"
    wait: Duration = timedelta(seconds=10)
    interval: Duration = timedelta(minutes=5)
    at_least: Annotated[int, Field(ge=2, le=1000)] = 5

    @field_validator("wait", "interval")
    @classmethod
    def _is_no_pause(cls, value: timedelta) -> timedelta:
        if not timedelta(0) < value <= timedelta(hours=1):
            raise ValueError("it is more than nothing and an hour at most: reviewers have to hear of their cases")
        return value


class QuietHours(Part):
    """A stretch of every day by the wall clock of a zone, in which nobody is told of cases of these severities."""

    start: Annotated[str, Field(pattern=_CLOCK, alias="from")]
    end: Annotated[str, Field(pattern=_CLOCK, alias="to")]
    zone: Zone = "UTC"
    severity: Annotated[tuple[Severity, ...], BeforeValidator(one_or_many)] = (Severity.LOW, Severity.MEDIUM)

    @field_validator("severity")
    @classmethod
    def _not_critical(cls, severities: tuple[Severity, ...]) -> tuple[Severity, ...]:
        if Severity.CRITICAL in severities:
            raise ValueError("of critical cases people are told at any hour")
        return severities

    @model_validator(mode="after")
    def _has_a_length(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError("quiet hours that end when they begin are none, or the whole day")
        return self

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours that it is in end, in UTC; None outside of them."""
        zone = zone_of(self.zone)
        local = now.astimezone(zone)
        clock = local.strftime("%H:%M")
        over_midnight = self.start > self.end
        inside = (clock >= self.start or clock < self.end) if over_midnight else self.start <= clock < self.end
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if over_midnight and clock >= self.start else 0)
        hour, minute = self.end.split(":")
        return instant(zone, datetime.combine(day, time(int(hour), int(minute)))).astimezone(UTC)


class Groups(Part):
    """What a channel that writes to people has of both."""

    group: Grouping | None = Grouping()
    quiet_hours: QuietHours | None = None

    @field_validator("group", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value in ("off", "never", False) else value

    @model_serializer(mode="wrap")
    def _as_written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`off` is written down, for what is left out is the default."""
        shown: dict[str, Any] = plain(self)
        return {**shown, "group": "off"} if self.group is None else shown

    def quiet(self, severity: Severity) -> bool:
        """Whether cases of this severity have quiet hours."""
        return self.quiet_hours is not None and severity in self.quiet_hours.severity

    def groups(self, severity: Severity, now: datetime) -> bool:
        """Whether a notification of a case this severe waits for others at this moment."""
        if severity is Severity.CRITICAL:
            return False
        quiet = self.quiet_hours if self.quiet(severity) else None
        return self.group is not None or (quiet is not None and quiet.until(now) is not None)
