"""Which cases may be decided in one go: few, of one policy, none of them critical, each allowed or each blocked.

Deciding together saves typing, not thinking: everything else is checked for each case as for a single decision.
"""

from __future__ import annotations

from collections.abc import Sequence

from escalations.decisions import Resolution
from escalations.errors import NotTogether
from escalations.severity import Severity
from escalations.views import View

MOST = 50


def check_number(ids: Sequence[str]) -> None:
    """Raises NotTogether for too many cases, or one that is named twice."""
    if len(ids) > MOST:
        raise NotTogether(f"{len(ids)} escalations are too many; {MOST} at once at most", field="items")
    twice = next((one for number, one in enumerate(ids) if one in ids[:number]), None)
    if twice is not None:
        raise NotTogether(f"{twice} is named twice", field="items", escalation_id=twice)


def check_together(views: Sequence[View], resolution: Resolution) -> None:
    """Raises NotTogether."""
    if resolution is Resolution.REDACT_AND_ALLOW:
        raise NotTogether("what is redacted differs from case to case; only allow and block go together", field="items")
    for view in views:
        if view.severity is Severity.CRITICAL:
            raise NotTogether(
                f"{view.escalation_id} is critical, and is decided by itself", escalation_id=view.escalation_id
            )
        first = views[0]
        if view.policy_rule != first.policy_rule:
            raise NotTogether(
                f"{view.escalation_id} was held by {view.policy_rule} and {first.escalation_id} by"
                f" {first.policy_rule}; only cases of one policy go together",
                escalation_id=view.escalation_id,
            )
