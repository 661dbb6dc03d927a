"""What may be asked of an escalation: updates, which get a true answer, and signals of the same names, which do not.

An update is refused in its validator, before anything is written. A signal proves nobody's identity: it waits in the
inbox until it was authorized. All of them mean the same commands, over the same rules.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from temporalio import workflow

from workflows.messages import Instruction, Outcome, Signal


class Handlers:
    """The handlers; what they do is the workflow's."""

    _inbox: list[Signal]

    @abstractmethod
    def _update(self, operation: str, instruction: Instruction) -> Outcome:
        """Carry the instruction out. Raises ApplicationError when it is refused."""

    @abstractmethod
    def _validate(self, operation: str, instruction: Instruction) -> None:
        """Raises ApplicationError when the instruction would be refused."""

    @workflow.update(name="claim", description="Take ownership")
    def claim(self, instruction: Instruction) -> Outcome:
        return self._update("claim", instruction)

    @claim.validator
    def _may_claim(self, instruction: Instruction) -> None:
        self._validate("claim", instruction)

    @workflow.signal(name="claim", description="Take ownership, without an answer")
    def claim_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("claim", message))

    @workflow.update(name="unclaim", description="Give it back to the queue")
    def unclaim(self, instruction: Instruction) -> Outcome:
        return self._update("unclaim", instruction)

    @unclaim.validator
    def _may_unclaim(self, instruction: Instruction) -> None:
        self._validate("unclaim", instruction)

    @workflow.signal(name="unclaim", description="Give it back to the queue, without an answer")
    def unclaim_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("unclaim", message))

    @workflow.update(name="resolve", description="Decide: allow, block, or redact and allow")
    def resolve(self, instruction: Instruction) -> Outcome:
        return self._update("resolve", instruction)

    @resolve.validator
    def _may_resolve(self, instruction: Instruction) -> None:
        self._validate("resolve", instruction)

    @workflow.signal(name="resolve", description="Decide, without an answer; unsigned it can only block")
    def resolve_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("resolve", message))

    @workflow.update(name="approve", description="Confirm the decision that another proposed")
    def approve(self, instruction: Instruction) -> Outcome:
        return self._update("approve", instruction)

    @approve.validator
    def _may_approve(self, instruction: Instruction) -> None:
        self._validate("approve", instruction)

    @workflow.signal(name="approve", description="Confirm a proposed decision, without an answer")
    def approve_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("approve", message))

    @workflow.update(name="object", description="Take a proposed decision off the table")
    def object_to(self, instruction: Instruction) -> Outcome:
        return self._update("object", instruction)

    @object_to.validator
    def _may_object(self, instruction: Instruction) -> None:
        self._validate("object", instruction)

    @workflow.signal(name="object", description="Object to a proposed decision, without an answer")
    def object_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("object", message))

    @workflow.update(name="undo", description="Take a decision back before it counts")
    def undo(self, instruction: Instruction) -> Outcome:
        return self._update("undo", instruction)

    @undo.validator
    def _may_undo(self, instruction: Instruction) -> None:
        self._validate("undo", instruction)

    @workflow.signal(name="undo", description="Take a decision back, without an answer")
    def undo_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("undo", message))

    @workflow.update(name="escalate_further", description="Hand it to the next level, a team or a person")
    def escalate_further(self, instruction: Instruction) -> Outcome:
        return self._update("escalate_further", instruction)

    @escalate_further.validator
    def _may_escalate_further(self, instruction: Instruction) -> None:
        self._validate("escalate_further", instruction)

    @workflow.signal(name="escalate_further", description="Hand it to the next level, without an answer")
    def escalate_further_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("escalate_further", message))

    @workflow.update(name="assign", description="Give it to one person")
    def assign(self, instruction: Instruction) -> Outcome:
        return self._update("assign", instruction)

    @assign.validator
    def _may_assign(self, instruction: Instruction) -> None:
        self._validate("assign", instruction)

    @workflow.signal(name="assign", description="Give it to one person, without an answer")
    def assign_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("assign", message))

    @workflow.update(name="extend", description="Keep a claim for longer")
    def extend(self, instruction: Instruction) -> Outcome:
        return self._update("extend", instruction)

    @extend.validator
    def _may_extend(self, instruction: Instruction) -> None:
        self._validate("extend", instruction)

    @workflow.signal(name="extend", description="Keep a claim for longer, without an answer")
    def extend_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("extend", message))

    @workflow.update(name="ask_for_help", description="Keep a claim while somebody is asked for help")
    def ask_for_help(self, instruction: Instruction) -> Outcome:
        return self._update("ask_for_help", instruction)

    @ask_for_help.validator
    def _may_ask_for_help(self, instruction: Instruction) -> None:
        self._validate("ask_for_help", instruction)

    @workflow.signal(name="ask_for_help", description="Ask somebody for help, without an answer")
    def ask_for_help_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("ask_for_help", message))

    @workflow.update(name="comment", description="Say something beside the case")
    def comment(self, instruction: Instruction) -> Outcome:
        return self._update("comment", instruction)

    @comment.validator
    def _may_comment(self, instruction: Instruction) -> None:
        self._validate("comment", instruction)

    @workflow.signal(name="comment", description="Say something beside the case, without an answer")
    def comment_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("comment", message))

    @workflow.update(name="withdraw", description="The consumer gave up")
    def withdraw(self, instruction: Instruction) -> Outcome:
        return self._update("withdraw", instruction)

    @withdraw.validator
    def _may_withdraw(self, instruction: Instruction) -> None:
        self._validate("withdraw", instruction)

    @workflow.signal(name="withdraw", description="The consumer gave up, without an answer")
    def withdraw_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("withdraw", message))

    @workflow.update(name="wait_on_requester", description="Stop the clock until the requester has answered")
    def wait_on_requester(self, instruction: Instruction) -> Outcome:
        return self._update("wait_on_requester", instruction)

    @wait_on_requester.validator
    def _may_wait_on_requester(self, instruction: Instruction) -> None:
        self._validate("wait_on_requester", instruction)

    @workflow.signal(name="wait_on_requester", description="Stop the clock, without an answer")
    def wait_on_requester_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("wait_on_requester", message))

    @workflow.update(name="resume", description="Let the clock go on")
    def resume(self, instruction: Instruction) -> Outcome:
        return self._update("resume", instruction)

    @resume.validator
    def _may_resume(self, instruction: Instruction) -> None:
        self._validate("resume", instruction)

    @workflow.signal(name="resume", description="Let the clock go on, without an answer")
    def resume_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("resume", message))

    @workflow.update(name="set_severity", description="Say how severe it is")
    def set_severity(self, instruction: Instruction) -> Outcome:
        return self._update("set_severity", instruction)

    @set_severity.validator
    def _may_set_severity(self, instruction: Instruction) -> None:
        self._validate("set_severity", instruction)

    @workflow.signal(name="set_severity", description="Say how severe it is, without an answer")
    def set_severity_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("set_severity", message))

    @workflow.update(name="recompute", description="Hold it to the terms of other settings")
    def recompute(self, instruction: Instruction) -> Outcome:
        return self._update("recompute", instruction)

    @recompute.validator
    def _may_recompute(self, instruction: Instruction) -> None:
        self._validate("recompute", instruction)

    @workflow.signal(name="recompute", description="Hold it to other terms, without an answer")
    def recompute_signal(self, message: Any = None) -> None:
        self._inbox.append(Signal("recompute", message))
