"""What every block of settings is made of: its base, and the kinds of values that people write in several ways."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from escalations.durations import format_duration, parse_duration
from escalations.zones import zone_of


class Part(BaseModel):
    """Base of every block of settings: unknown keys are errors, for a typo must not switch a rule off."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


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
Share = Annotated[int, BeforeValidator(_percent), Field(ge=1, le=100)]
"""Percent, all of it included."""


def _known_zone(value: str) -> str:
    zone_of(value)
    return value


Zone = Annotated[str, AfterValidator(_known_zone)]


def one_or_many(value: Any) -> Any:
    """A single value stands for a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


Names = Annotated[tuple[str, ...], BeforeValidator(one_or_many)]
