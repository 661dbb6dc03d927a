"""What a decision is sent as: resolving, approving, objecting, undoing."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, model_validator

from api.schemas import Body, Text
from escalations.decisions import FollowUpKind, Resolution, parse_resolution
from escalations.errors import EscalationError


def _resolution(value: Any) -> Any:
    """Every word that means a resolution. Raises ValueError for others."""
    if not isinstance(value, str):
        return value
    try:
        return parse_resolution(value)
    except EscalationError as refusal:
        raise ValueError(refusal.message) from None


AnyResolution = Annotated[Resolution, BeforeValidator(_resolution)]


class RedactionBody(Body):
    """One stretch of the held answer: a JSON Pointer and code points, as `/choices/0/message/content` 13 to 24.

    Without a `path` it is the answer's first text (`context.texts` has them all).
    """

    path: Annotated[str, Field(max_length=500)] | None = None
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(gt=0)]
    label: Annotated[str, Field(max_length=40)] = "REDACTED"


class FollowUpBody(Body):
    kind: FollowUpKind
    text: Annotated[str, Field(max_length=2000)] = ""
    link: Annotated[str, Field(max_length=2000)] = ""


class ResolveBody(Body):
    """`resolution`: allow (approved), block (blocked, rejected) or redact_and_allow. `reason` is another word for note.

    Without `redactions`, redact_and_allow strips what the pii-detector finds in the held answer; 422 when it finds
    nothing. `content_digest` and `claim_epoch`, when given, must be those of the case as it was shown.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"resolution": "approved", "category": "false_positive", "note": "Advisory training content."},
                {
                    "resolution": "redact_and_allow",
                    "category": "true_positive",
                    "note": "Patient name redacted before release.",
                    "redactions": [{"path": "/choices/0/message/content", "start": 8, "end": 18, "label": "PERSON"}],
                },
            ]
        }
    )

    resolution: AnyResolution
    category: Annotated[str, Field(max_length=100, description="without one: other")] | None = None
    note: Text | None = None
    redactions: Annotated[list[RedactionBody], Field(max_length=1000)] | None = None
    follow_ups: Annotated[list[FollowUpBody], Field(max_length=20)] = Field(default_factory=list)
    content_digest: str | None = None
    claim_epoch: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _aliases(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        for alias, name in (("outcome", "resolution"), ("action", "resolution"), ("reason", "note")):
            if alias in data and name not in data:
                data[name] = data.pop(alias)
        return data


class BulkItem(Body):
    """`reason` is another word for note: why this very case is decided so."""

    escalation_id: Annotated[str, Field(min_length=1, max_length=64)]
    note: Annotated[str, Field(min_length=1, max_length=10_000, validation_alias=AliasChoices("note", "reason"))]


class BulkBody(Body):
    """Several cases of one policy that are all allowed, or all blocked, each with a note of its own."""

    resolution: Annotated[AnyResolution, Field(validation_alias=AliasChoices("resolution", "outcome"))]
    category: Annotated[str, Field(max_length=100, description="without one: other")] | None = None
    items: Annotated[list[BulkItem], Field(min_length=1, max_length=1000)]


class SecondDecisionBody(Body):
    """`resolution`: how you would have decided, in the words of a case. Nothing is released by it, or taken back."""

    resolution: AnyResolution
    category: Annotated[str, Field(max_length=100, description="without one: other")] | None = None
    note: Text | None = None


class ApproveBody(Body):
    """`proposal` is the number of the one that the caller has seen, and must be the one that stands; `content_digest`,
    when given, must be that of the case."""

    proposal: int
    content_digest: str | None = None
    note: Text | None = None


class ObjectBody(Body):
    """`reason` is another word for note: why the proposed decision should not stand."""

    note: Annotated[
        str, Field(min_length=1, max_length=10_000, validation_alias=AliasChoices("note", "reason"), examples=["Wrong"])
    ]
    proposal: int | None = None


class UndoBody(Body):
    note: Text | None = None
