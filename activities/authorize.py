"""Who may ask a workflow for something: the API's signature on updates and signals; a bare signal proves nobody.

An update without a valid signature is refused in its validator. A signal waits in the workflow's inbox for the
activity here: signed, it is the person whom the API authenticated; unsigned, it is `operator (unverified)` under
whatever login it claims, and the rules decide how little that may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from temporalio import activity, workflow
from temporalio.worker import (
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from escalations.commands import (
    Actor,
    ActorKind,
    Assign,
    Claim,
    Comment,
    EscalateFurther,
    Extend,
    Resolve,
    Unclaim,
    Withdraw,
)
from escalations.decisions import parse_resolution
from escalations.errors import EscalationError, Invalid, NotAllowed
from vault.signatures import Verifier
from workflows.messages import AnyCommand, Authorization, AuthorizationWanted, Instruction, bytes_to_sign
from workflows.ports import Authorizing
from workflows.refusals import to_application_error

_instruction = TypeAdapter(Instruction)
_NAMES = ("actor", "login", "reviewer", "assignee", "by", "user")
"""The fields under which a bare signal may name who sends it."""


class SignedUpdates(Interceptor):
    """Lets only updates through that the API signed, for this escalation and not long ago."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def workflow_interceptor_class(self, _input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        verifier = self._verifier

        class CheckSignature(WorkflowInboundInterceptor):
            def handle_update_validator(self, input: HandleUpdateInput) -> None:
                instruction = input.args[0] if input.args else None
                fault = _fault(verifier, instruction, workflow.info().workflow_id, workflow.now())
                if fault is not None:
                    raise to_application_error(NotAllowed(fault))
                super().handle_update_validator(input)

        return CheckSignature


@dataclass(frozen=True, slots=True)
class Authorizer(Authorizing):
    verifier: Verifier

    @activity.defn(name="authorize")
    async def authorize(self, wanted: AuthorizationWanted) -> Authorization:
        message = wanted.signal.message
        if isinstance(message, Mapping) and message.get("signature"):
            return self._signed(message, wanted)
        actor = Actor(_sender(message), ActorKind.OPERATOR)
        try:
            return Authorization(_bare_command(wanted.signal.operation, message, actor), actor=actor.login)
        except EscalationError as error:
            return Authorization(None, actor=actor.login, problem=error.code)

    def _signed(self, message: Mapping[str, Any], wanted: AuthorizationWanted) -> Authorization:
        try:
            instruction = _instruction.validate_python(message)
        except ValidationError:
            return Authorization(None, problem=Invalid.code)
        fault = _fault(self.verifier, instruction, wanted.escalation_id, datetime.now(UTC))
        if fault is not None or instruction.command.operation != wanted.signal.operation:
            return Authorization(None, actor=_sender(message), problem=NotAllowed.code)
        return Authorization(
            instruction.command, instruction.id, instruction.payload_digest, instruction.command.actor.login
        )


def _fault(verifier: Verifier, instruction: object, escalation_id: str, now: datetime) -> str | None:
    """What is wrong with an instruction's credentials, None when nothing is."""
    if not isinstance(instruction, Instruction):
        return "updates come from the API, signed; use kt or HTTP"
    if instruction.escalation_id != escalation_id:
        return "this instruction was signed for another escalation"
    if not verifier.verifies(instruction.key_id, bytes_to_sign(instruction), instruction.signature):
        return "this instruction is not signed by the API of this installation"
    if instruction.expires_at < now:
        return "this instruction has expired; ask again"
    return None


def _sender(message: object) -> str:
    if isinstance(message, str) and message.strip():
        return message.strip()[:200]
    if isinstance(message, Mapping):
        # An instruction that lost its signature is still whose word it says it is.
        command = message.get("command")
        named = command if isinstance(command, Mapping) else message
        for name in _NAMES:
            value = named.get(name)
            if isinstance(value, Mapping):
                value = value.get("login")
            if isinstance(value, str) and value.strip():
                return value.strip()[:200]
    return "operator"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _bare_command(operation: str, message: object, actor: Actor) -> AnyCommand:
    """The command that an unsigned signal means. Texts in it are ignored: they would have no place in the vault."""
    given = message if isinstance(message, Mapping) else {}
    match operation:
        case "claim":
            return Claim(actor)
        case "unclaim":
            return Unclaim(actor)
        case "resolve":
            word = given.get("resolution") or given.get("outcome") or given.get("action") or "block"
            return Resolve(actor, parse_resolution(str(word)), category=_text(given.get("category")))
        case "escalate_further":
            return EscalateFurther(actor)
        case "assign":
            return Assign(actor, str(given.get("assignee") or ""))
        case "extend":
            return Extend(actor)
        case "comment":
            return Comment(actor, "")
        case "withdraw":
            return Withdraw(actor)
        case _:
            raise Invalid(f"there is no operation {operation!r}")
