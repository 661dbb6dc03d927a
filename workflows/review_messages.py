"""What travels between the API, a second review and its activity; stored as long as what `workflows.messages` has, and
changed by the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escalations.commands import Actor
from escalations.second_review import ReviewEvent, ReviewOpening, SecondReview


@dataclass(frozen=True, slots=True)
class ReviewStart:
    """The one argument of a second review."""

    opening: ReviewOpening


@dataclass(frozen=True, slots=True)
class RefusedSignal:
    operation: str
    code: str
    number: int


@dataclass(frozen=True, slots=True)
class ReviewBatch:
    """Something that happened to a second review, and how it stands after it; or a signal that was `refused`."""

    review: SecondReview
    event: ReviewEvent
    actor: Actor
    at: datetime
    refused: RefusedSignal | None = None


@dataclass(frozen=True, slots=True)
class ReviewOutcome:
    """The true answer to an update of a second review, and the digest of what had been asked."""

    review: SecondReview
    payload_digest: str
