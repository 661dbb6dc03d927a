"""What becomes of one request: input policies, the model, output policies, a verdict, and its event.

Nothing of the answer is handed on before event and ledger entry are durable; and an answer that is escalated is handed
on to nobody: it becomes a hold.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import orjson

from activities.opening import NotOpened, Proposal, new_id
from gateway.calls import Call, Held, Released
from gateway.errors import GatewayError, unavailable
from gateway.limits import too_many_held
from gateway.proposing import finding, presets
from gateway.services import Services
from gateway.targets import Answered
from ledger.entries import Draft
from policies.canaries import planted, without_echo
from policies.chain import Finding, Screened, Verdict
from policies.config import OVERSIGHT_CATEGORIES
from policies.read_request import ReadRequest
from policies.targets import Target
from store.contents import TOKENS
from store.database import StoreUnavailable
from store.events import GovernedEvent
from store.holds import count_waiting
from vault.envelopes import VaultError

_logger = logging.getLogger("keeptrusts.gateway")
Looked = TypeVar("Looked")
LOOKED_AT_INLINE = 8 * 1024
"""Bytes of text that the policies look at without leaving the event loop."""


class Governor:
    def __init__(self, services: Services) -> None:
        self._services = services
        # More threads would not look at more: they share one interpreter with the event loop.
        self._beside = ThreadPoolExecutor(2, "looking")

    async def screen(self, call: Call) -> Screened:
        """The input policies."""
        look = partial(call.rules.chain.screen_request, call.asked.body, call.who, later=True)
        screened = await call.rules.second_looks.look(await self._looked(look, call.asked.size))
        return await call.rules.detectors.look(screened, "input", call.asked.body, call.who)

    async def _looked(self, look: Callable[[], Looked], size: int) -> Looked:
        """A short text is looked at in less time than a thread takes to start; a long one must not stop the others."""
        if size <= LOOKED_AT_INLINE:
            return look()
        return await asyncio.get_running_loop().run_in_executor(self._beside, look)

    async def refuse(self, call: Call, screened: Screened) -> GatewayError:
        """The error for a request that an input policy blocks; recorded before it is answered."""
        cause = screened.cause
        assert cause is not None
        await self.record(self.event(call, screened.findings, Verdict.BLOCKED, cause))
        span = cause.spans[0] if cause.spans else None
        code = "prompt_injection_detected" if cause.policy == "prompt-injection" else "blocked_by_policy"
        what = f"this request was blocked by the policy {cause.policy} ({cause.reason_code})"
        return GatewayError(400, code, what, param=_param(span.path) if span else None, retry=False)

    async def cut_off(self, call: Call, found: Finding, target: Target) -> GatewayError:
        """The error for a stream that was already leaving; an event of its own says why it ended."""
        try:
            await self.record(self.event(call, (found,), Verdict.BLOCKED, found, target, streamed=True))
        except GatewayError as fault:
            return fault
        return _blocked(found)

    async def complete(self, call: Call) -> Released | Held:
        """The whole way of a request whose answer is looked at before it leaves. Raises GatewayError."""
        surface = call.asked.surface
        asked = await self.screen(call)
        if asked.verdict is Verdict.BLOCKED:
            raise await self.refuse(call, asked)
        if call.rules.limits.held is not None and surface.holds:
            await self._check_held(call)
        wanted = surface.plain_request(asked.document)
        watched = self.watched(call, wanted)
        try:
            answer, read = await self._answered(call, asked.document, watched or wanted)
        except GatewayError as fault:
            await self.record(self.event(call, asked.findings, None, None, upstream=fault.code))
            raise
        document = without_echo(answer.document, wanted) if watched else answer.document
        if call.document_id is not None:
            document = {**document, "id": call.document_id, "background": True}
        usage = surface.usage(document)
        self._services.limiter.spend(call.consumer.login, call.rules.limits, _tokens(usage))
        both = await self._judge(call, asked, read, document, answer.size)
        event = self.event(call, both.findings, both.verdict, both.cause, answer.target, usage=usage)
        if both.verdict is Verdict.BLOCKED:
            await self.record(event)
            raise _blocked(both.cause)
        if both.verdict is Verdict.ESCALATED:
            return await self._hold(call, event, both, asked.document, answer.target)
        if both.tokens:
            await self._keep(event, both)
        await self.record(event)
        return Released(both.document, both.verdict, event.event_id, answer.headers, answer.seconds)

    async def _answered(
        self, call: Call, screened: dict[str, Any], wanted: dict[str, Any]
    ) -> tuple[Answered, ReadRequest | None]:
        """The model's answer to `wanted`, and what output policies read of the request, which is done meanwhile."""
        surface, chain = call.asked.surface, call.rules.chain
        asking = self._services.targets.ask(surface, call.candidates, call.asked.model, wanted)
        if not surface.holds or not chain.looks_at_answers:
            return await asking, None
        answering = asyncio.ensure_future(asking)
        try:
            await asyncio.sleep(0)  # the request leaves first
            read = await self._looked(partial(chain.prepare, screened), call.asked.size)
            return await answering, read
        finally:
            answering.cancel()

    @staticmethod
    def watched(call: Call, request: dict[str, Any]) -> dict[str, Any] | None:
        """The request with a canary in its system prompt; None where there is nothing to watch, or nobody wants to."""
        word = call.rules.chain.canary_for(call.who) if call.asked.surface.holds else None
        return planted(request, word) if word else None

    async def _judge(
        self, call: Call, asked: Screened, read: ReadRequest | None, document: dict[str, Any], size: int
    ) -> Screened:
        """The output policies, and what the application itself demands."""
        if not call.asked.surface.holds:
            return Screened(document, asked.findings, asked.tokens)
        look = partial(call.rules.chain.screen_answer, asked.document, document, call.who, later=True, asked=read)
        said = await call.rules.second_looks.look(await self._looked(look, call.asked.size + size))
        said = await call.rules.detectors.look(said, "output", asked.document, call.who)
        demanded = (_demanded(call),) if call.asked.review is not None else ()
        return Screened(said.document, (*asked.findings, *said.findings, *demanded), {**asked.tokens, **said.tokens})

    async def _check_held(self, call: Call) -> None:
        limit = call.rules.limits.held
        assert limit is not None
        try:
            async with self._services.database.read() as connection:
                waiting = await count_waiting(connection, self._services.tenant, call.consumer.login)
        except StoreUnavailable:
            raise unavailable() from None
        if waiting >= limit:
            raise too_many_held(limit)

    async def _hold(
        self, call: Call, event: GovernedEvent, both: Screened, request: dict[str, Any], target: Target
    ) -> Held:
        """Hold the answer. Raises GatewayError 503 unless content, event, ledger entry and workflow are all sure."""
        cause = both.cause
        assert cause is not None
        proposal = Proposal(
            event=event,
            request=orjson.dumps(request),
            answer=orjson.dumps(both.document),
            finding=orjson.dumps(await self._looked(partial(finding, call, both, request), call.asked.size)),
            severity=cause.severity,
            score=cause.score,
            presets=presets(target, call.asked.model),
            requester=call.consumer.consumer.owner if call.consumer.consumer else None,
            reply_to=self._services.reply_to,
            consumer_channel=call.rules.hold.webhook,
            completion_id=str(both.document["id"]) if both.document.get("id") else None,
            request_digest=call.request_digest,
            idempotency_key=call.key_digest,
            tokens=orjson.dumps(both.tokens) if both.tokens else None,
        )
        try:
            async with asyncio.timeout(5):
                opened = await self._services.opener.open(proposal)
        except (StoreUnavailable, NotOpened, TimeoutError, VaultError) as fault:
            _logger.error("an answer could not be held and was not released: %s", type(fault).__name__)
            raise unavailable() from None
        return Held(opened.escalation_id, None if opened.merged else event.event_id)

    async def _keep(self, event: GovernedEvent, both: Screened) -> None:
        """What the tokens of an answer that may leave stand for, into the vault. Raises GatewayError 503."""
        services = self._services
        key, wrapped = services.contents.new_key(event.tenant, event.event_id)
        fields = {TOKENS: orjson.dumps(both.tokens)}
        try:
            async with asyncio.timeout(5), services.database.write() as connection:
                create = services.contents.create
                await create(connection, event.tenant, event.event_id, wrapped, key, fields, event.at)
        except (StoreUnavailable, TimeoutError) as fault:
            _logger.error("an answer's tokens could not be kept and it was not released: %s", type(fault).__name__)
            raise unavailable() from None

    async def record(self, event: GovernedEvent) -> None:
        """Ledger entry and event, durable together. Without the ledger nothing goes on."""
        drafted = Draft(
            event_id=event.event_id,
            type="request.decided",
            at=event.at,
            ts_source=event.gateway,
            tenant=event.tenant,
            op="govern",
            outcome=event.verdict,
            actor={"id": event.consumer, "kind": "consumer", "roles": ["gateway"]},
            request_id=event.request_id,
            data={
                "policy_rule": event.policy_rule,
                "reason_code": event.reason_code,
                "model": event.model,
                "provider": event.provider,
                "target": event.target,
                "team": event.team,
                "consumer_group": event.consumer_group,
                "config_version": event.config_version,
                "config_digest": event.config_digest,
            },
        )
        try:
            await self._services.ledger.append(drafted, event=event)
        except StoreUnavailable as fault:
            _logger.error("the record is away: %s", fault)
            raise GatewayError(
                503, "record_unavailable", "this request cannot be recorded right now", kind="server_error"
            ) from None

    def event(
        self,
        call: Call,
        findings: tuple[Finding, ...],
        verdict: Verdict | None,
        cause: Finding | None,
        target: Target | None = None,
        **body: Any,
    ) -> GovernedEvent:
        services, consumer, rules = self._services, call.consumer.consumer, call.rules
        target = target or call.candidates[0]
        return GovernedEvent(
            event_id=new_id("evt"),
            at=datetime.now(UTC),
            verdict=verdict.value if verdict else "failed",
            policy_rule=cause.policy if cause else None,
            reason_code=cause.reason_code if cause else None,
            severity=cause.severity.value if cause else None,
            escalation_id=new_id("esc") if verdict is Verdict.ESCALATED else None,
            request_id=call.request_id,
            consumer=call.consumer.login,
            team=consumer.team if consumer else None,
            consumer_group=consumer.consumer_group if consumer else None,
            gateway=services.name,
            provider=target.provider,
            target=target.id,
            model=call.asked.model,
            config_version=rules.config.name,
            config_digest=rules.digest,
            tenant=services.tenant,
            body={
                "policies": [finding.summary() for finding in findings],
                "chain": list(rules.chain.names),
                "surface": call.asked.surface.name,
                "stream": call.asked.stream,
                "elapsed_ms": round((time.monotonic() - call.started) * 1000),
                **{name: value for name, value in body.items() if value is not None},
            },
        )


def _blocked(cause: Finding | None) -> GatewayError:
    what = f"{cause.policy} ({cause.reason_code})" if cause else "a policy"
    return GatewayError(
        403, "blocked_by_policy", f"this answer was blocked by {what}", kind="policy_violation", retry=False
    )


def _demanded(call: Call) -> Finding:
    """The application's own word that a person must see this answer (`x-kt-require-review`)."""
    category = call.asked.review
    assert category is not None
    options = call.rules.config.policy.human_oversight
    severity = options.severity_of(category) if options else OVERSIGHT_CATEGORIES[category]
    return Finding(
        "human-oversight", "output", Verdict.ESCALATED, "escalate", category, "required-by-caller/1", severity=severity
    )


def _tokens(usage: dict[str, Any] | None) -> int:
    """What an answer cost in all, whichever API's names its usage has."""
    if not usage:
        return 0
    total = usage.get("total_tokens")
    if not isinstance(total, int):
        total = sum(n for name in ("input_tokens", "output_tokens") if isinstance(n := usage.get(name), int))
    return total


def _param(pointer: str) -> str:
    """`/messages/2/content` as clients name it: `messages[2].content`."""
    written = ""
    for part in pointer.split("/")[1:]:
        written += f"[{part}]" if part.isdigit() else f".{part}"
    return written.lstrip(".")
