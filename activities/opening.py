"""Bringing an escalation into being: content and hold first, then the workflow. Nothing may leave before both are sure.

    1. route, clock and, where a team's cases are given out, the reviewer are fixed from the settings of this moment
    2. content (sealed), hold, event and ledger entry are durable
    3. Temporal acknowledges the start of the workflow

If 3 does not come in time, nobody knows whether it happened: the hold stays `opening`, the caller gets an error, and
`settle` later finds out. A retry of the same request starts the very same workflow again, which is idempotent.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import TemporalError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.assigning import choose_assignee
from activities.likeness import Likeness, likeness
from activities.opening_entries import abandoned_entry, opening_entry
from escalations.approvals import decision_terms
from escalations.assignment import Waiting
from escalations.case import EDITION, Appeal, Opening
from escalations.directory import Directory, Eligibility
from escalations.facts import Facts
from escalations.routing import Choice, Preset, choose
from escalations.second_review import is_sampled
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.sla import SlaTerms
from escalations.step import open_case
from escalations.terms import Frozen, terms_of
from escalations.views import View, view_of
from store.assigning import kind_of, release
from store.contents import ANSWER, FINDING, REQUEST, TOKENS, Contents
from store.database import Database
from store.directory import read_directory
from store.escalations import put_view
from store.events import GovernedEvent, event_row
from store.holds import HeldRequest, HoldState, has_leader, left_opening, register, set_state
from store.ledger import LedgerWriter
from store.schema import events
from store.settings import SettingsVersion, current_settings
from workflows.attributes import at_start
from workflows.messages import ESCALATIONS_QUEUE, TASK_TIMEOUT, Start

START_TIMEOUT_S = 4.0
SETTLE_AFTER = timedelta(seconds=20)
_START_FIELD = "start"

_start = TypeAdapter(Start)


class NotOpened(Exception):
    """The workflow's start was not acknowledged. It may or may not run; the hold is kept until that is known."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer to be held. `request`, `answer`, `finding` and `tokens` are JSON; `event` is its governed event.

    `request_digest` and `idempotency_key` are the keyed digests by which a retry finds this hold. `score` is how sure
    the policy was, in thousandths. `held_for`: in whose name the hold is, where that is not the event's consumer.
    """

    event: GovernedEvent
    request: bytes
    answer: bytes
    finding: bytes
    severity: Severity
    presets: tuple[Preset, ...] = ()
    requester: str | None = None
    reply_to: str | None = None
    consumer_channel: str | None = None
    completion_id: str | None = None
    request_digest: str = ""
    idempotency_key: str | None = None
    tokens: bytes | None = None
    appeal: Appeal | None = None
    score: int | None = None
    held_for: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """`merged`: the Idempotency-Key already had a hold, and this is that one."""

    escalation_id: str
    merged: bool = False


def new_id(prefix: str) -> str:
    """An id that sorts by time: 48 bits of milliseconds and 64 random bits, in hex."""
    return f"{prefix}_{int(time.time() * 1000):012x}{secrets.token_hex(8)}"


class Opener:
    """Opens escalations for the gateway and for the API."""

    def __init__(self, database: Database, ledger: LedgerWriter, contents: Contents, client: Client) -> None:
        self._database = database
        self._ledger = ledger
        self._contents = contents
        self._client = client
        self._frozen: dict[str, Frozen] = {}

    async def open(self, proposal: Proposal) -> Opened:
        """Raises StoreUnavailable (nothing was opened) or NotOpened (it is not known)."""
        event = proposal.event
        async with self._database.read() as connection:
            version = await current_settings(connection, event.tenant)
            directory = await read_directory(connection, event.tenant)
        opening, held_as = await self._hold(proposal, version, directory)
        if held_as is None:
            # The same request has come meanwhile, perhaps to another gateway: this one follows it.
            opening, held_as = await self._hold(proposal, version, directory, again=True)
        assert held_as is not None
        if opening is None:
            return Opened(held_as, merged=True)
        await self._ledger.append(opening_entry(event, opening, datetime.now(UTC)))
        await self._start(event.tenant, Start(opening))
        return Opened(opening.escalation_id)

    async def _hold(
        self, proposal: Proposal, version: SettingsVersion, directory: Directory, *, again: bool = False
    ) -> tuple[Opening | None, str | None]:
        """Content, hold and event are durable when it returns: the opening; or None and the id of the case whose hold
        the Idempotency-Key already had. Two Nones: a leader came meanwhile, and nothing was done; never when `again`.
        """
        now = datetime.now(UTC)
        event, escalation_id = proposal.event, proposal.event.escalation_id or new_id("esc")
        like, wanted = Likeness(), version.settings.decisions
        if proposal.request_digest and (wanted.follow_leader or wanted.sticky_rejection):
            asked = (event.tenant, event.consumer, proposal.request_digest, wanted, now)
            async with self._database.read() as connection:
                like = await likeness(connection, self._contents, *asked)
        if like.held is not None:
            held = like.held
            proposal = replace(
                proposal,
                request=held[REQUEST],
                answer=held[ANSWER],
                finding=held[FINDING],
                tokens=held.get(TOKENS),
            )
        key, wrapped = self._contents.new_key(event.tenant, escalation_id)
        opening, choice = await self._opening(
            proposal, version, directory, escalation_id, key.digest(proposal.answer), key.digest(proposal.request)
        )
        opening = replace(opening, leader=like.leader, precedent=like.precedent)
        second = wanted.second_review
        share = second.share_of(opening.policy_rule, opening.reason_code) if second is not None else 0
        if second is not None and is_sampled(key.digest(b"second review"), share):
            opening = replace(opening, second_review=second.wait)
        opening = await self._given_out(opening, version.settings, directory, now)
        hold = HeldRequest(
            escalation_id=escalation_id,
            consumer=proposal.held_for or event.consumer,
            request_digest=proposal.request_digest,
            idempotency_key=proposal.idempotency_key,
            completion_id=proposal.completion_id,
            state=HoldState.OPENING,
            created_at=now,
            start=key.seal(_START_FIELD, _start.dump_json(Start(opening))),
            original=like.original,
        )
        body = event.body | {"routing": [{"name": c.name, "verdict": c.verdict} for c in choice.considered]}
        leads = wanted.follow_leader and like.original is None and not again
        async with self._database.write() as connection:
            overtaken = leads and await has_leader(connection, event.tenant, hold)
            registered = hold if overtaken else await register(connection, event.tenant, hold)
            if overtaken or registered is not hold:
                if opening.assignee is not None:
                    await release(connection, event.tenant, [escalation_id])
                return None, None if overtaken else registered.escalation_id
            fields = {REQUEST: proposal.request, ANSWER: proposal.answer, FINDING: proposal.finding}
            if proposal.tokens is not None:
                fields[TOKENS] = proposal.tokens
            await self._contents.create(connection, event.tenant, escalation_id, wrapped, key, fields, now)
            await connection.execute(
                events.insert().values(event_row(event) | {"body": body, "escalation_id": escalation_id})
            )
        return opening, escalation_id

    async def open_again(self, tenant: str, hold: HeldRequest) -> None:
        """Start the workflow of a hold that was left opening; harmless when it runs. Raises as `open` does."""
        if hold.state is not HoldState.OPENING or hold.start is None:
            return
        async with self._database.read() as connection:
            key = await self._contents.key(connection, tenant, hold.escalation_id)
        await self._start(tenant, _start.validate_json(key.open(_START_FIELD, hold.start)))

    async def settle(self) -> int:
        """Find out about holds that were left opening: those whose workflow runs are held, the others withdrawn."""
        async with self._database.read() as connection:
            unsure = await left_opening(connection, datetime.now(UTC) - SETTLE_AFTER)
        settled = 0
        for tenant, hold in unsure:
            exists = await self._exists(hold.escalation_id)
            if exists is None:
                continue
            if not exists:
                await self._ledger.append(abandoned_entry(tenant, hold))
            async with self._database.write() as connection:
                state = HoldState.HELD if exists else HoldState.WITHDRAWN
                await set_state(connection, tenant, hold.escalation_id, state)
            settled += 1
        return settled

    async def _opening(
        self,
        proposal: Proposal,
        version: SettingsVersion,
        directory: Directory,
        escalation_id: str,
        content_digest: str,
        request_digest: str,
    ) -> tuple[Opening, Choice]:
        event = proposal.event
        requester = proposal.requester and (directory.user(proposal.requester) or proposal.requester)
        facts = Facts(
            policy_rule=event.policy_rule or "",
            reason_code=event.reason_code or "",
            severity=proposal.severity,
            team=event.team,
            consumer_group=event.consumer_group,
            requester=requester,
            consumer=event.consumer,
            provider=event.provider,
            model=event.model,
            score=proposal.score,
        )
        decided_by = proposal.appeal.decided_by if proposal.appeal else ()
        eligible = Eligibility(requester, frozenset(decided_by), leads=proposal.appeal is not None)
        settings, now = version.settings, datetime.now(UTC)
        choice = await asyncio.to_thread(choose, facts, settings, directory, now, proposal.presets, eligible)
        assert choice.route is not None
        opening = Opening(
            escalation_id=escalation_id,
            tenant=event.tenant,
            event_id=event.event_id,
            policy_rule=facts.policy_rule,
            reason_code=facts.reason_code,
            severity=proposal.severity,
            config_version=event.config_version,
            config_digest=event.config_digest,
            content_digest=content_digest,
            request_digest=request_digest,
            route=choice.route,
            sla=await self._terms(event.tenant, version, facts, now),
            decisions=decision_terms(settings, facts, choice.route.name, directory),
            consumer=event.consumer,
            consumer_team=event.team,
            consumer_group=event.consumer_group,
            requester=requester,
            gateway=event.gateway,
            provider=event.provider,
            target=event.target,
            model=event.model,
            reply_to=proposal.reply_to,
            consumer_channel=proposal.consumer_channel,
            unverified_signals=settings.unverified_signals,
            edition=EDITION,
            appeal=proposal.appeal,
            score=proposal.score,
            skipped=choice.skipped,
        )
        return opening, choice

    async def _given_out(
        self, opening: Opening, settings: EscalationSettings, directory: Directory, now: datetime
    ) -> Opening:
        """With who of the team is given it, by which strategy, and that person's own channel. Nobody looks at what
        another case decides, and an appeal waits for whoever may take it."""
        team = opening.route.team
        if team is None or opening.leader or opening.precedent or opening.appeal:
            return opening
        never = frozenset({opening.requester} if opening.requester else ())
        waiting = Waiting(opening.escalation_id, now, kind_of(opening.consumer, opening.policy_rule), never)
        login = await choose_assignee(self._database, opening.tenant, settings, team, waiting)
        if login is None:
            return opening
        strategy = settings.assignment.of(team).strategy.value
        own = settings.notification_defaults.person(login, directory)
        return replace(opening, assignee=login, strategy=strategy, own_channel=own)

    async def _terms(self, tenant: str, version: SettingsVersion, facts: Facts, now: datetime) -> SlaTerms:
        """In a thread: holidays are loaded from disk the first time, and a calendar takes its milliseconds."""
        frozen = self._frozen.setdefault(tenant, {})
        return await asyncio.to_thread(terms_of, version.settings, version.version, facts, now, frozen)

    async def _start(self, tenant: str, start: Start) -> None:
        opening = start.opening
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._client.start_workflow(
                    "Escalation",
                    start,
                    id=opening.escalation_id,
                    task_queue=ESCALATIONS_QUEUE,
                    task_timeout=TASK_TIMEOUT,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    search_attributes=at_start(opening, opening.sla.due_at(datetime.now(UTC))),
                    static_summary=f"{opening.severity.value} · {opening.reason_code} · {opening.route.destination}",
                    priority=Priority(priority_key=opening.severity.rank + 1),
                )
        except WorkflowAlreadyStartedError:
            pass
        except (TimeoutError, RPCError, TemporalError, OSError, RuntimeError) as fault:
            # A RuntimeError is that of a client that connects on first use, and cannot.
            raise NotOpened(f"Temporal did not acknowledge {opening.escalation_id}: {type(fault).__name__}") from None
        async with self._database.write() as connection:
            await set_state(connection, tenant, opening.escalation_id, HoldState.HELD)
            await put_view(connection, _first_view(opening))
            if opening.assignee is not None:
                await release(connection, tenant, [opening.escalation_id])

    async def _exists(self, escalation_id: str) -> bool | None:
        """Whether the workflow is there; None when Temporal cannot say."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._client.get_workflow_handle(escalation_id).describe()
        except RPCError as fault:
            return False if fault.status is RPCStatusCode.NOT_FOUND else None
        except (TimeoutError, TemporalError, OSError):
            return None
        return True


def _first_view(opening: Opening) -> View:
    """The case as the queue shows it until its worker has written it down: version 0, which every other replaces.

    Its times are by this process's clock; the workflow's own replace them within milliseconds.
    """
    case, _ = open_case(opening, datetime.now(UTC))
    return replace(view_of(case), version=0)
