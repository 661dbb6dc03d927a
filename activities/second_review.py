"""Writing down what happened to a second review: the ledger first, then the table."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from activities.record import actor_entry
from ledger.entries import Draft
from store.database import Database
from store.ledger import LedgerWriter
from store.second_reviews import put_review
from workflows.ports import SecondReviewing
from workflows.review_messages import RefusedSignal, ReviewBatch


@dataclass(frozen=True, slots=True)
class SecondReviewer(SecondReviewing):
    database: Database
    ledger: LedgerWriter

    @activity.defn(name="record_second_review")
    async def record(self, batch: ReviewBatch) -> None:
        if batch.refused is not None:
            await self.ledger.append(_refusal(batch, batch.refused))
            return
        await self.ledger.append(_draft(batch))
        async with self.database.write() as connection:
            await put_review(connection, batch.review)


def _refusal(batch: ReviewBatch, refused: RefusedSignal) -> Draft:
    """As the API writes down what it refused."""
    opening = batch.review.opening
    return Draft(
        event_id=f"{opening.review_id}/refused/{refused.number}",
        type="escalation.refused",
        at=batch.at,
        ts_source="workflow",
        tenant=opening.tenant,
        op=f"second_review.{refused.operation}",
        outcome="refused",
        actor=actor_entry(batch.actor),
        escalation_id=opening.escalation_id,
        data={"code": refused.code, "count": 1},
    )


def _draft(batch: ReviewBatch) -> Draft:
    review = batch.review
    opening = review.opening
    data = {
        "review_id": opening.review_id,
        "version": review.version,
        "resolution": review.resolution,
        "category": review.category,
        "note": review.note_digest,
    }
    return Draft(
        event_id=f"{opening.review_id}/{review.version}",
        type=f"second_review.{batch.event.value}",
        at=batch.at,
        ts_source="workflow",
        tenant=opening.tenant,
        op=batch.event.value,
        outcome="ok",
        actor=actor_entry(batch.actor),
        escalation_id=opening.escalation_id,
        data={name: value for name, value in data.items() if value is not None},
    )
