"""How sure a policy was, as settings ask about it: `>=0.9`, or `>=0.5, <0.9` for what lies between.

A score goes from 0 to 1 and is kept in thousandths, as findings have it.
"""

from __future__ import annotations

import operator
import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_COMPARISON = re.compile(r"(>=|<=|>|<)\s*(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)")
_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def read_scores(written: str) -> list[tuple[str, int]]:
    """The comparisons of a writing, with thousandths. Raises ValueError."""
    found = [_COMPARISON.fullmatch(part.strip()) for part in written.split(",")]
    if None in found:
        raise ValueError(f"{written!r} is not a score; write >=0.9, or two with a comma between, from 0 to 1")
    read = [(one[1], round(float(one[2]) * 1000)) for one in found if one is not None]
    if not any(all(_OPERATORS[sign](score, limit) for sign, limit in read) for score in range(1001)):
        raise ValueError(f"no score is {written}; it goes from 0 to 1")
    return read


def holds(written: str, score: int) -> bool:
    """Whether a score, in thousandths, is what the writing asks for."""
    return all(_OPERATORS[sign](score, limit) for sign, limit in read_scores(written))


def _written(value: Any) -> str:
    """A number alone is the least that it may be."""
    text = f">={value}" if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise ValueError(f"{value!r} is not a score; write >=0.9")
    read_scores(text)
    return text


Score = Annotated[str, BeforeValidator(_written)]
