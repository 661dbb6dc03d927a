"""What becomes of one request: input policies, the model, output policies, a verdict, and its event.

Nothing of the answer is handed on before event and ledger entry are durable; and an answer that is escalated is handed
on to nobody: it becomes a hold.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from activities.opening import NotOpened, Proposal, new_id
from escalations.routes import Chooser
from escalations.routing import Preset
from gateway.asking import Asked
from gateway.errors import GatewayError, unavailable
from gateway.services import Services
from ledger.entries import Draft
from policies.chain import Finding, Screened, Verdict
from policies.config import Target
from store.database import StoreUnavailable
from store.events import GovernedEvent
from store.tokens import Principal
from vault.envelopes import VaultError

_logger = logging.getLogger("keeptrusts.gateway")

COMPLETIONS = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Released:
    """An answer that may leave at once. `headers` are the model's own that callers may know."""

    completion: dict[str, Any]
    verdict: Verdict
    event_id: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Held:
    """An answer that waits for a person."""

    escalation_id: str
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request with who sent it and where it goes. `request_digest` and `key_digest` find it again for retries."""

    asked: Asked
    consumer: Principal
    target: Target
    request_id: str
    request_digest: str
    key_digest: str | None
    started: float


class Governor:
    def __init__(self, services: Services) -> None:
        self._services = services

    def screen(self, call: Call) -> Screened:
        """The input policies."""
        return self._services.chain.screen_request(call.asked.body)

    async def refuse(self, call: Call, screened: Screened) -> GatewayError:
        """The error for a request that an input policy blocks; recorded before it is answered."""
        cause = screened.cause
        assert cause is not None
        await self.record(self.event(call, screened.findings, Verdict.BLOCKED, cause))
        span = cause.spans[0] if cause.spans else None
        code = "prompt_injection_detected" if cause.policy == "prompt-injection" else "blocked_by_policy"
        what = f"this request was blocked by the policy {cause.policy} ({cause.reason_code})"
        return GatewayError(400, code, what, param=_param(span.path) if span else None, retry=False)

    async def complete(self, call: Call) -> Released | Held:
        """The whole way of a request whose answer is looked at before it leaves. Raises GatewayError."""
        asked = self.screen(call)
        if asked.verdict is Verdict.BLOCKED:
            raise await self.refuse(call, asked)
        wanted = {name: value for name, value in asked.document.items() if name not in ("stream", "stream_options")}
        try:
            endpoint = self._services.endpoints[call.target.id]
            answer = await self._services.upstream.complete(endpoint, COMPLETIONS, wanted)
        except GatewayError as fault:
            await self.record(self.event(call, asked.findings, None, None, upstream=fault.code))
            raise
        said = self._services.chain.screen_answer(asked.document, answer.completion)
        both = Screened(said.document, (*asked.findings, *said.findings))
        usage = answer.completion.get("usage")
        event = self.event(call, both.findings, both.verdict, both.cause, usage=usage)
        if both.verdict is Verdict.BLOCKED:
            await self.record(event)
            raise _blocked(both.cause)
        if both.verdict is Verdict.ESCALATED:
            return await self._hold(call, event, both, asked.document)
        await self.record(event)
        return Released(both.document, both.verdict, event.event_id, answer.headers)

    async def _hold(self, call: Call, event: GovernedEvent, both: Screened, request: dict[str, Any]) -> Held:
        """Hold the answer. Raises GatewayError 503 unless content, event, ledger entry and workflow are all sure."""
        cause = both.cause
        assert cause is not None
        proposal = Proposal(
            event=event,
            request=orjson.dumps(request),
            answer=orjson.dumps(both.document),
            finding=orjson.dumps(_finding(both.findings, request, both.document)),
            severity=cause.severity,
            presets=_presets(call.target, call.asked.model),
            requester=call.consumer.consumer.owner if call.consumer.consumer else None,
            reply_to=self._services.reply_to,
            completion_id=str(both.document["id"]) if both.document.get("id") else None,
            request_digest=call.request_digest,
            idempotency_key=call.key_digest,
        )
        try:
            async with asyncio.timeout(5):
                opened = await self._services.opener.open(proposal)
        except (StoreUnavailable, NotOpened, TimeoutError, VaultError) as fault:
            _logger.error("an answer could not be held and was not released: %s", type(fault).__name__)
            raise unavailable() from None
        return Held(opened.escalation_id, None if opened.merged else event.event_id)

    async def record(self, event: GovernedEvent) -> None:
        """Event and ledger entry, durable. Without the ledger nothing goes on; the event may follow later."""
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
            await asyncio.gather(self._services.ledger.append(drafted), self._services.events.put(event))
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
        **body: Any,
    ) -> GovernedEvent:
        services, consumer = self._services, call.consumer.consumer
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
            provider=call.target.provider,
            target=call.target.id,
            model=call.asked.model,
            config_version=services.config.name,
            config_digest=services.config_digest,
            tenant=services.tenant,
            body={
                "policies": [finding.summary() for finding in findings],
                "chain": list(services.chain.names),
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


def _param(pointer: str) -> str:
    """`/messages/2/content` as clients name it: `messages[2].content`."""
    written = ""
    for part in pointer.split("/")[1:]:
        written += f"[{part}]" if part.isdigit() else f".{part}"
    return written.lstrip(".")


def _presets(target: Target, model: str) -> tuple[Preset, ...]:
    """The configured routes of this request: the model's before the target's."""
    presets = []
    entry = target.model_entry(model)
    for chosen_by, name, routing in (
        (Chooser.MODEL, f"model {model} of {target.id}", entry.escalation_routing if entry else None),
        (Chooser.TARGET, f"provider target {target.id}", target.escalation_routing),
    ):
        if routing is not None:
            presets.append(Preset(chosen_by, name, routing.team_id, routing.user_id))
    return tuple(presets)


def _finding(findings: tuple[Finding, ...], request: dict[str, Any], completion: dict[str, Any]) -> dict[str, Any]:
    """What fired and on which words: for the vault, because the words are content."""
    return {
        "findings": [
            {
                **finding.summary(),
                "spans": [
                    {
                        "path": span.path,
                        "start": span.start,
                        "end": span.end,
                        "label": span.label,
                        "pattern": span.pattern,
                    }
                    for span in finding.spans[:50]
                ],
            }
            for finding in findings
        ],
        "request_model": request.get("model"),
        "answer_model": completion.get("model"),
    }
