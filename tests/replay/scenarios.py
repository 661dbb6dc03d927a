"""The cases whose histories are kept, one file each. Run `python -m tests.replay.scenarios` to record them anew.

A stored history is a promise: code that cannot replay it would break an escalation that is open while it is deployed.
Record again only for a scenario that is new; never to make a failing replay pass.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from escalations.case import ApprovalTerms, DecisionTerms, Opening, Precedent
from escalations.commands import (
    Actor,
    Approve,
    Assign,
    Claim,
    Comment,
    EscalateFurther,
    Extend,
    Object,
    Recompute,
    Resume,
    Role,
    SetSeverity,
    Unclaim,
    Undo,
    WaitOnRequester,
    Withdraw,
)
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.routes import Chooser, Place, Route
from escalations.second_review import ReviewOpening
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.sla import SlaTerms
from escalations.windows import OpenTime
from runtime.temporal_binary import find_cli, usual_sources
from store.contents import ANSWER, Contents
from store.holds import HeldRequest, HoldState, register
from store.settings import put_settings
from tests.escalations.cases import CONSUMER, opening, resolve
from tests.support.bench import Bench, reviewer, running_worker
from vault.envelopes import Envelopes
from workflows.attributes import ALL
from workflows.messages import ESCALATIONS_QUEUE
from workflows.review_messages import ReviewStart

HISTORIES = Path(__file__).parent / "histories"
_TRACE = re.compile(r'"stackTrace": "(?:[^"\\]|\\.)*"')
HOURS = SlaTerms(timedelta(hours=1), claim_lease=timedelta(minutes=30))
SECONDS = SlaTerms(timedelta(seconds=1), expire_after=timedelta(seconds=3), claim_lease=None)
SOON = SlaTerms(timedelta(seconds=2), claim_lease=None, claim_target=timedelta(seconds=1), notify_at_remaining=(40, 10))
BRIEFLY_HELD = SlaTerms(timedelta(hours=1), claim_lease=timedelta(seconds=1), warn_at_lease=80)
OPEN_FROM_NOW_ON = OpenTime("always", 1, "", (), datetime(2026, 1, 1, tzinfo=UTC))
AMENDABLE = SlaTerms(
    timedelta(hours=1),
    claim_lease=timedelta(minutes=30),
    open_time=OPEN_FROM_NOW_ON,
    max_pause=timedelta(hours=1),
    by_severity=tuple((severity, timedelta(hours=1 + severity.rank), None) for severity in Severity),
)
CLOSED_FOR_LONG = replace(
    AMENDABLE,
    open_time=OpenTime("office", 1, "", (), datetime(2126, 1, 1, tzinfo=UTC)),
    every_hour_for=(Severity.CRITICAL,),
)
ANA, BEN = reviewer("reviewer"), reviewer("reviewer2")
SLACK = Route(Chooser.RULE, "legal", team="legal", channel="slack:#legal", position=0)
PAGER = Route(Chooser.PERSON, "reviewer", team="legal", channel="pagerduty", position=0)
BY_THREE = DecisionTerms(DEFAULT_CATEGORIES, approvals=(ApprovalTerms(Severity.HIGH, 3),))
UNDOABLE = DecisionTerms(DEFAULT_CATEGORIES, undo_window=timedelta(seconds=2))
BLOCKED = Precedent("esc_before", "true_positive", datetime(2026, 1, 1, tzinfo=UTC))
ASKED = Route(
    Chooser.RULE,
    "in turn",
    team="legal",
    channel="slack:#legal",
    position=0,
    place=Place("asked", 0, 0, timedelta(seconds=2)),
    also=("pagerduty",),
)
IN_TURN = {
    "chains": {
        "asked": {
            "legs": [
                {"to": "team:legal", "ack_timeout": "2s", "notify": ["slack:#legal", "pagerduty"]},
                {"to": "user:senior", "ack_timeout": "2s"},
            ],
            "repeat": 1,
            "on_exhausted": "expire_block",
        }
    },
    "escalation_routing": {"rules": [{"name": "in turn", "match": {"any": True}, "route_to": "chain:asked"}]},
}
GONE, LED = "esc_a_leader_that_left", "esc_a_leader_that_decided"
SENIOR = Route(Chooser.PERSON, "reviewer", user="senior")


async def allowed(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA))


async def redacted_after_a_change_of_hands(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, Comment(ANA, "a" * 64))
    await bench.do(held, Extend(ANA, timedelta(hours=2)))
    await bench.do(held, Unclaim(ANA))
    await bench.do(held, Claim(BEN))
    await bench.do(held, Assign(BEN, "reviewer"))
    await bench.do(held, resolve(ANA, Resolution.REDACT_AND_ALLOW))


async def escalated_to_a_person_and_blocked(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, EscalateFurther(ANA, SENIOR))
    await bench.do(held, resolve(reviewer("senior"), Resolution.BLOCK))


async def breached_and_expired(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.happened(held, "expired")


async def signalled_without_a_signature(bench: Bench, held: str) -> None:
    handle = bench.client.get_workflow_handle(held)
    await handle.signal("claim", {"actor": "reviewer"})
    await bench.happened(held, "claimed")
    await handle.signal("resolve", {"actor": "reviewer", "resolution": "allow"})
    await bench.happened(held, "refused")
    await handle.signal("escalate_further", {"actor": "reviewer"})
    await bench.happened(held, "unrouted")
    await handle.signal("claim", {"actor": "reviewer"})
    await handle.signal("resolve", {"actor": "reviewer", "resolution": "block"})
    await bench.happened(held, "resolved")


async def withdrawn(bench: Bench, held: str) -> None:
    await bench.do(held, Withdraw(CONSUMER))


async def told_on_every_channel(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, EscalateFurther(ANA, PAGER))
    await bench.do(held, Claim(BEN))
    await bench.do(held, Unclaim(BEN))
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA))


async def reminded_and_overdue(bench: Bench, held: str) -> None:
    await bench.happened(held, "reminder")
    await bench.happened(held, "breached")
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA))


async def waited_and_of_another_severity(bench: Bench, held: str) -> None:
    lead = Actor("root", roles=(Role.ADMIN,))
    await bench.do(held, Claim(ANA))
    await bench.do(held, WaitOnRequester(ANA, "a" * 64, timedelta(seconds=1)))
    await bench.happened(held, "resumed")
    await bench.do(held, WaitOnRequester(ANA, "b" * 64))
    await bench.do(held, Resume(ANA))
    await bench.do(held, SetSeverity(ANA, Severity.LOW))
    await bench.do(held, Recompute(lead, replace(AMENDABLE, target=timedelta(hours=3))))
    await bench.do(held, SetSeverity(ANA, Severity.CRITICAL))
    await bench.do(held, resolve(ANA))


async def answered_and_critical_while_closed(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, WaitOnRequester(ANA, "a" * 64))
    await bench.do(held, Comment(BEN, "b" * 64))
    await bench.do(held, SetSeverity(ANA, Severity.CRITICAL))
    await bench.do(held, SetSeverity(ANA, Severity.LOW))
    await bench.do(held, resolve(ANA))


async def warned_and_back_in_the_queue(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.happened(held, "lease_warning")
    await bench.happened(held, "lease_expired")
    await bench.do(held, Withdraw(CONSUMER))


async def kept_by_beats_up_to_the_bound(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    with suppress(WorkflowUpdateFailedError):
        while True:
            await bench.do(held, Extend(ANA, beat=True))
            await asyncio.sleep(0.3)
    await bench.happened(held, "extended")
    await bench.happened(held, "lease_expired")
    await bench.do(held, Withdraw(CONSUMER))


async def decided_by_three(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA, Resolution.BLOCK))
    await bench.do(held, Object(BEN, "a" * 64))
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA))
    await bench.do(held, Approve(BEN))
    await bench.do(held, EscalateFurther(reviewer("cara"), PAGER))
    await bench.do(held, Claim(reviewer("dan")))
    await bench.do(held, Approve(reviewer("dan")))


async def undone_and_then_released(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA))
    await bench.do(held, Undo(ANA))
    await bench.do(held, resolve(ANA, Resolution.BLOCK))
    await bench.happened(held, "resolved")


async def blocked_as_before(bench: Bench, held: str) -> None:
    await bench.happened(held, "resolved")


async def asked_in_turn(bench: Bench, held: str) -> None:
    async with bench.database.write() as connection:
        chosen = EscalationSettings.model_validate(IN_TURN)
        kept = await put_settings(connection, "default", chosen, "admin", datetime.now(UTC))
        assert kept.version == 1
    await bench.happened(held, "assigned")
    await bench.do(held, Claim(reviewer("senior")))
    await bench.do(held, Unclaim(reviewer("senior")))
    await bench.happened(held, "expired")


async def let_go_by_its_leader(bench: Bench, held: str) -> None:
    await keep_answer(bench, held)
    leader = HeldRequest(GONE, "consumer:app", "d" * 64, None, None, HoldState.WITHDRAWN, datetime.now(UTC))
    async with bench.database.write() as connection:
        await register(connection, "default", leader)
    await bench.happened(held, "leader_left")
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA))


async def decided_with_its_leader(bench: Bench, held: str) -> None:
    await keep_answer(bench, held)
    leader = await bench.start(opening(escalation_id=LED, sla=HOURS))
    await bench.happened(LED, "opened")
    await bench.do(LED, Claim(ANA))
    await bench.do(LED, resolve(ANA, Resolution.BLOCK))
    await leader.result()
    await bench.happened(held, "resolved")


async def keep_answer(bench: Bench, held: str) -> None:
    """What a follower holds; its decision is about that."""
    contents = Contents(Envelopes(bench.keyring))
    key, wrapped = contents.new_key("default", held)
    async with bench.database.write() as connection:
        await contents.create(connection, "default", held, wrapped, key, {ANSWER: b"{}"}, datetime.now(UTC))


async def decided_and_to_be_reviewed_again(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.do(held, resolve(ANA, Resolution.BLOCK))


async def taken_given_back_and_done(bench: Bench, review_id: str) -> None:
    await bench.judge(review_id, Claim(ANA))
    await bench.judge(review_id, Unclaim(ANA))
    await bench.judge(review_id, Claim(BEN))
    await bench.judge(review_id, resolve(BEN, Resolution.BLOCK))


async def signalled_in_vain(bench: Bench, review_id: str) -> None:
    handle = bench.client.get_workflow_handle(review_id)
    await handle.signal("claim", {"actor": "sam"})
    await handle.signal("resolve", "reviewer")
    await bench.judge(review_id, Claim(BEN))
    await bench.judge(review_id, resolve(BEN, Resolution.BLOCK))


async def done_by_nobody(bench: Bench, review_id: str) -> None:
    await bench.judge(review_id, Claim(ANA))


async def cancelled(bench: Bench, held: str) -> None:
    await bench.do(held, Claim(ANA))
    await bench.client.get_workflow_handle(held).cancel()


SCENARIOS: dict[str, tuple[Opening, Callable[[Bench, str], Awaitable[None]]]] = {
    "allowed": (opening(sla=HOURS), allowed),
    "redacted-after-a-change-of-hands": (opening(sla=HOURS), redacted_after_a_change_of_hands),
    "escalated-to-a-person-and-blocked": (opening(sla=HOURS), escalated_to_a_person_and_blocked),
    "breached-and-expired": (opening(sla=SECONDS), breached_and_expired),
    "signalled-without-a-signature": (opening(sla=HOURS, unverified_signals=True), signalled_without_a_signature),
    "withdrawn": (opening(sla=HOURS), withdrawn),
    "told-on-every-channel": (opening(sla=HOURS, route=SLACK), told_on_every_channel),
    "reminded-and-overdue": (opening(sla=SOON), reminded_and_overdue),
    "waited-and-of-another-severity": (opening(sla=AMENDABLE), waited_and_of_another_severity),
    "answered-and-critical-while-closed": (
        opening(sla=CLOSED_FOR_LONG, requester="reviewer2"),
        answered_and_critical_while_closed,
    ),
    "warned-and-back-in-the-queue": (opening(sla=BRIEFLY_HELD), warned_and_back_in_the_queue),
    "kept-by-beats-up-to-the-bound": (opening(sla=BRIEFLY_HELD), kept_by_beats_up_to_the_bound),
    "decided-by-three": (opening(sla=HOURS, route=SLACK, decisions=BY_THREE), decided_by_three),
    "undone-and-then-released": (opening(sla=HOURS, decisions=UNDOABLE), undone_and_then_released),
    "blocked-as-before": (opening(sla=HOURS, precedent=BLOCKED), blocked_as_before),
    "asked-in-turn": (opening(sla=replace(HOURS, settings_version=1), route=ASKED), asked_in_turn),
    "let-go-by-its-leader": (opening(sla=HOURS, leader=GONE), let_go_by_its_leader),
    "decided-with-its-leader": (opening(sla=HOURS, leader=LED), decided_with_its_leader),
    "decided-and-to-be-reviewed-again": (
        opening(sla=HOURS, second_review=timedelta(days=1)),
        decided_and_to_be_reviewed_again,
    ),
    "cancelled": (opening(sla=HOURS), cancelled),
}
REVIEWS: dict[str, tuple[timedelta, Callable[[Bench, str], Awaitable[None]]]] = {
    "reviewed-again-after-a-change-of-hands": (timedelta(days=1), taken_given_back_and_done),
    "reviewed-again-and-signalled-in-vain": (timedelta(days=1), signalled_in_vain),
    "reviewed-again-by-nobody": (timedelta(seconds=2), done_by_nobody),
}
"""Second reviews: how long somebody may do them, and what happens meanwhile."""


async def record(names: list[str]) -> None:
    """Play scenarios on a dev server, without encryption, and keep their histories."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_cli(usual_sources())),
        search_attributes=ALL,
        data_converter=pydantic_data_converter,
        identity="recorder",
    )
    with tempfile.TemporaryDirectory() as directory:
        async with environment, running_worker(environment.client, Path(directory)) as bench:
            HISTORIES.mkdir(exist_ok=True)
            for name in names:
                await _record_one(bench, name)


async def _record_one(bench: Bench, name: str) -> None:
    handle = await (_play_review(bench, name) if name in REVIEWS else _play(bench, name))
    await handle.result()
    history = await handle.fetch_history()
    # A trace names the places of the machine that it was recorded on; no replay reads it.
    told = _TRACE.sub('"stackTrace": ""', history.to_json())
    (HISTORIES / f"{name}.json").write_text(told + "\n")
    print(f"recorded {name}: {len(history.events)} events")


async def _play(bench: Bench, name: str) -> WorkflowHandle[Any, Any]:
    begins, play = SCENARIOS[name]
    held = f"esc_{name}"
    handle = await bench.start(replace(begins, escalation_id=held))
    await bench.happened(held, "opened")
    await play(bench, held)
    return handle


async def _play_review(bench: Bench, name: str) -> WorkflowHandle[Any, Any]:
    wait, play = REVIEWS[name]
    review_id = f"esc_{name}"
    begins = ReviewOpening(
        review_id,
        f"{review_id}_first",
        "default",
        "legal",
        "human-oversight",
        "legal_opinions",
        Severity.HIGH,
        ("sam",),
        wait,
    )
    handle = await bench.client.start_workflow(
        "SecondReview", ReviewStart(begins), id=review_id, task_queue=ESCALATIONS_QUEUE
    )
    await play(bench, review_id)
    return handle


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or [*SCENARIOS, *REVIEWS]))
