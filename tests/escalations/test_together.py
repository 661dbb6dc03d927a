"""What may be decided in one go."""

from __future__ import annotations

import pytest

from escalations.decisions import Resolution
from escalations.errors import NotTogether
from escalations.severity import Severity
from escalations.step import open_case
from escalations.together import MOST, check_number, check_together
from escalations.views import View, view_of
from tests.escalations.cases import START, opening


def view(number: int, **changes: object) -> View:
    return view_of(open_case(opening(escalation_id=f"esc_{number}", **changes), START)[0])


def test_as_many_as_are_allowed_go_together() -> None:
    check_number([f"esc_{number}" for number in range(MOST)])
    check_together([view(number) for number in range(3)], Resolution.BLOCK)


@pytest.mark.parametrize(
    ("ids", "told"),
    [([f"esc_{number}" for number in range(MOST + 1)], "51 escalations"), (["esc_1", "esc_2", "esc_1"], "esc_1 is")],
    ids=["too many", "twice"],
)
def test_a_list_that_is_too_long_or_names_a_case_twice_is_refused(ids: list[str], told: str) -> None:
    with pytest.raises(NotTogether, match=told):
        check_number(ids)


def test_a_critical_case_is_decided_by_itself() -> None:
    with pytest.raises(NotTogether, match="esc_2 is critical"):
        check_together([view(1), view(2, severity=Severity.CRITICAL)], Resolution.ALLOW)


def test_cases_of_two_policies_do_not_go_together() -> None:
    with pytest.raises(NotTogether, match="only cases of one policy"):
        check_together([view(1), view(2, policy_rule="pii-detector")], Resolution.ALLOW)


def test_what_is_redacted_is_decided_case_by_case() -> None:
    with pytest.raises(NotTogether, match="redacted"):
        check_together([view(1)], Resolution.REDACT_AND_ALLOW)
