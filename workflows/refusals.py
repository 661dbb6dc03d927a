"""A refusal on its way through Temporal and back: the one place that knows both shapes."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from escalations.errors import BY_CODE, EscalationError


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a command would be told: code, sentence and details of an EscalationError."""

    code: str
    message: str
    details: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would become of a command now: `refusal` is None where it would be carried out."""

    refusal: Refusal | None = None


def to_application_error(error: EscalationError) -> ApplicationError:
    """Benign and final: nothing is wrong with the workflow, and asking again would not help."""
    return ApplicationError(
        error.message,
        error.details,
        type=error.code,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def from_application_error(failure: ApplicationError) -> EscalationError | None:
    """The refusal again, None when it is something else."""
    kind = BY_CODE.get(failure.type or "")
    if kind is None:
        return None
    details = failure.details[0] if failure.details and isinstance(failure.details[0], dict) else {}
    return kind(failure.message, **details)
