"""Detectors of the user's own: what they are given, and what they may say.

A Python function and an HTTP service speak the same words. Given: `{"policy", "stage": "input" | "output", "asked",
"texts": [{"path", "text"}]}`; said: a list of findings, or `{"findings": [...]}`, each `{"label", "score": 0..1,
"path", "start", "end"}` with all but the label optional. Whatever else comes back is a failure, never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from policies.detectors import Span
from policies.findings import VERDICTS, Finding
from policies.options import OwnDetector

MOST_FINDINGS = 1000


class Nonsense(Exception):
    """A detector said what nobody can read."""


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    label: Annotated[str, Field(pattern=r"^[\w.:-]{1,100}$")]
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    path: str | None = None
    start: Annotated[int, Field(ge=0)] | None = None
    end: Annotated[int, Field(ge=0)] | None = None


_FINDINGS = TypeAdapter(Annotated[list[_Said], Field(max_length=MOST_FINDINGS)])


def load_detector(reference: str) -> Callable[[dict[str, Any]], Any]:
    """The function that `package.module:function` names. Raises ValueError, with what is wrong."""
    module, _, name = reference.partition(":")
    try:
        found = getattr(import_module(module), name, None)
    except Exception as fault:
        raise ValueError(f"{module} cannot be imported ({type(fault).__name__}: {fault})") from None
    if not callable(found):
        raise ValueError(f"{module} has no function {name!r}")
    function: Callable[[dict[str, Any]], Any] = found
    return function


def given(name: str, stage: str, asked: str, texts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What a detector is given."""
    told = [{"path": path, "text": text} for path, text in texts]
    return {"policy": name, "stage": stage, "asked": asked, "texts": told}


def finding_of(
    name: str, options: OwnDetector, stage: str, texts: Sequence[tuple[str, str]], said: Any
) -> Finding | None:
    """What follows from what a detector said; None where that is nothing. Raises Nonsense."""
    if isinstance(said, dict):
        said = said.get("findings")
    try:
        found = _FINDINGS.validate_python(said)
    except (ValidationError, RecursionError):
        raise Nonsense("what it said is no list of findings") from None
    lengths = {path: len(text) for path, text in texts}
    sure = [one for one in found if one.score >= options.threshold]
    if not sure:
        return None
    best = max(sure, key=lambda one: one.score)
    return Finding(
        policy=name,
        stage=stage,
        verdict=VERDICTS[options.action],
        action=options.action,
        reason_code=best.label,
        detector=options.detector or "http",
        score=round(best.score * 1000),
        severity=options.severity,
        spans=tuple(span for one in sure if (span := _span(one, lengths)) is not None),
    )


def _span(said: _Said, lengths: dict[str, int]) -> Span | None:
    """Where it is, None where the detector does not say, or says a place that is not there."""
    if said.path is None or said.start is None or said.end is None:
        return None
    if not 0 <= said.start < said.end <= lengths.get(said.path, 0):
        return None
    return Span(said.path, said.start, said.end, said.label.upper(), said.label)
