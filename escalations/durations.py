"""Lengths of time as people write them: `15s`, `15m`, `4h`, `7d`, `1h30m`, `PT15M`, or a number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SHORT = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+\Z")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?\Z"
)

LONGEST = timedelta(days=3660)


def parse_duration(value: str | int | float | timedelta) -> timedelta:
    """Read a length of time. Raises ValueError, with a sentence for the person who wrote it."""
    if isinstance(value, bool) or not isinstance(value, timedelta | int | float | str):
        raise ValueError("a duration is a number of seconds or a text such as 15s, 15m, 4h, 7d or PT15M")
    try:
        length = _read(value)
    except OverflowError:
        raise ValueError("a duration must be at most ten years") from None
    if length <= timedelta(0):
        raise ValueError(f"a duration must be longer than zero, not {value!r}")
    if length > LONGEST:
        raise ValueError(f"a duration must be at most ten years, not {value!r}")
    return length


def _read(value: str | int | float | timedelta) -> timedelta:
    if isinstance(value, timedelta):
        return value
    return _from_text(value) if isinstance(value, str) else timedelta(seconds=value)


def _from_text(value: str) -> timedelta:
    text = value.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return timedelta(seconds=float(text))
    if _SHORT.match(text.lower()):
        return timedelta(seconds=sum(float(n) * _UNITS[u] for n, u in _PART.findall(text.lower())))
    iso = _ISO.match(text.upper())
    if iso and any(iso.groupdict().values()):
        return timedelta(seconds=sum(float(n) * _UNITS[u] for u, n in iso.groupdict().items() if n))
    raise ValueError(f"{value!r} is not a duration; write for example 15s, 15m, 4h, 7d or PT15M")


def format_duration(length: timedelta, *, days: bool = True) -> str:
    """The shortest exact writing: `15m`, `1h30m`, `90.5s`; `24h` for `1d` without `days`. The inverse of
    `parse_duration`."""
    seconds = length.total_seconds()
    if seconds != int(seconds):
        return f"{seconds:g}s"
    left, parts = int(seconds), []
    for unit in ("d", "h", "m", "s") if days else ("h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def paused(left: timedelta) -> str:
    """Of a clock that stands still: what is left on it, in whole minutes."""
    hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
    parts = [f"{count} {unit}" for count, unit in ((hours, "h"), (minutes, "min")) if count]
    return f"Paused, {' '.join(parts) or 'less than 1 min'} left"
