"""Everything that can be refused, and why.

    EscalationError
    ├── Refused                 the case is not in a state that allows it (HTTP 409, exit 6)
    │   ├── AlreadyClaimed      somebody else holds it
    │   ├── NotClaimed          nobody holds it: claim it first
    │   ├── NotHolder           somebody else holds it, and only the holder may do this
    │   ├── AlreadyResolved     it was decided
    │   ├── AlreadyExpired      it expired, or its consumer gave up
    │   ├── StaleContent        the decision quotes another content than the one that is held
    │   ├── StaleClaim          the decision was made under an earlier claim
    │   ├── NoNextLevel         there is no further level to escalate to
    │   ├── AlreadyProposed     a decision waits to be confirmed
    │   ├── NothingProposed     there is no decision to confirm or to object to
    │   ├── StaleProposal       another decision is proposed than the one that is meant
    │   ├── AlreadyDecided      a decision is about to count: undo it first
    │   ├── NothingToUndo       no decision waits, or it counts already
    │   ├── FollowsLeader       the same request waits as another case, which is to be decided
    │   ├── NotAppealable       only a block by people can be contested, and not an appeal itself
    │   ├── AlreadyAppealed     it was contested once
    │   ├── CannotPause         the clock of this case cannot be stopped, or no longer
    │   └── NotPaused           its clock runs
    ├── NotAllowed              this person may never do this (HTTP 403, exit 1)
    │   ├── ConflictOfInterest  the case is about their own request
    │   └── NotIndependent      they proposed the decision or handed the case on: another has to confirm
    ├── Invalid                 the command itself is wrong (HTTP 422, exit 2)
    │   ├── NoteRequired
    │   ├── CategoryRequired
    │   ├── UnknownCategory
    │   ├── InvalidRedaction
    │   ├── NotTogether         these cases cannot be decided in one go
    │   └── KeyReused           the idempotency key was used for another payload
    └── NotFound                no such thing, or not for these eyes (HTTP 404, exit 5)
        └── NothingWaits        there is no case to take

`code` is stable: it is the same word in HTTP, in the CLI, in the ledger and in the docs. `details` are
small JSON values for machines (who holds it, since when); they never hold content.
"""

from __future__ import annotations

from typing import ClassVar


class EscalationError(Exception):
    """Base of all refusals. `str(error)` is one sentence that says what to do."""

    code: ClassVar[str] = "escalation_error"

    def __init__(self, message: str, **details: str | int | None) -> None:
        super().__init__(message)
        self.message = message
        self.details = {name: value for name, value in details.items() if value is not None}


class Refused(EscalationError):
    code = "refused"


class AlreadyClaimed(Refused):
    code = "already_claimed"


class NotClaimed(Refused):
    code = "not_claimed"


class NotHolder(Refused):
    code = "not_holder"


class AlreadyResolved(Refused):
    code = "already_resolved"


class AlreadyExpired(Refused):
    code = "already_expired"


class StaleContent(Refused):
    code = "stale_content"


class StaleClaim(Refused):
    code = "stale_claim"


class NoNextLevel(Refused):
    code = "no_next_level"


class AlreadyProposed(Refused):
    code = "already_proposed"


class NothingProposed(Refused):
    code = "nothing_proposed"


class StaleProposal(Refused):
    code = "stale_proposal"


class AlreadyDecided(Refused):
    code = "already_decided"


class NothingToUndo(Refused):
    code = "nothing_to_undo"


class FollowsLeader(Refused):
    code = "follows_leader"


class NotAppealable(Refused):
    code = "not_appealable"


class AlreadyAppealed(Refused):
    code = "already_appealed"


class CannotPause(Refused):
    code = "cannot_pause"


class NotPaused(Refused):
    code = "not_paused"


class NotAllowed(EscalationError):
    code = "not_allowed"


class ConflictOfInterest(NotAllowed):
    code = "conflict_of_interest"


class NotIndependent(NotAllowed):
    code = "not_independent"


class Invalid(EscalationError):
    code = "invalid"


class NoteRequired(Invalid):
    code = "note_required"


class CategoryRequired(Invalid):
    code = "category_required"


class UnknownCategory(Invalid):
    code = "unknown_category"


class InvalidRedaction(Invalid):
    code = "invalid_redaction"


class NotTogether(Invalid):
    code = "not_together"


class KeyReused(Invalid):
    code = "idempotency_key_reused"


class NotFound(EscalationError):
    code = "not_found"


class NothingWaits(NotFound):
    code = "nothing_waits"


def _tree(root: type[EscalationError]) -> dict[str, type[EscalationError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


BY_CODE = _tree(EscalationError)
"""Every error class by its code, to rebuild an error that crossed a wire."""
