"""Decisions by more than one: who proposes, who may confirm, who may not, and which rules could never be fulfilled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from escalations.approvals import decision_terms, shortages
from escalations.case import ApprovalTerms, Case, DecisionTerms, Status
from escalations.commands import (
    Actor,
    Approve,
    Assign,
    Claim,
    Command,
    EscalateFurther,
    Object,
    Role,
    Routed,
    SetSeverity,
)
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.directory import Directory, Person
from escalations.errors import (
    AlreadyProposed,
    AlreadyResolved,
    ConflictOfInterest,
    EscalationError,
    NotAllowed,
    NothingProposed,
    NotHolder,
    NotIndependent,
    StaleContent,
    StaleProposal,
)
from escalations.events import EventType
from escalations.facts import Facts
from escalations.routes import Chooser
from escalations.routing import Preset
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.standing import standing_of, standing_of_view
from escalations.step import step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, NEXT, OPERATOR, REDACTED, SENIOR, START, TO_ANA, opened, resolve
from tests.escalations.test_amending import TERMS

LATER = START + timedelta(minutes=2)
CARA = Actor("cara", roles=(Role.REVIEWER,))
WHY = "w" * 64


def needing(people: int, *approvers: str, **changes: Any) -> Case:
    approvals = (ApprovalTerms(Severity.HIGH, people, approvers or None),)
    return opened(decisions=DecisionTerms(DEFAULT_CATEGORIES, approvals=approvals), **changes)


def after(case: Case, *commands: Command) -> Case:
    for command in commands:
        case, _ = step(case, command, LATER)
    return case


def proposed(people: int = 2, *approvers: str, **changes: Any) -> Case:
    return after(needing(people, *approvers, **changes), Claim(ANA), resolve(ANA))


def kinds(case: Case, command: Command) -> list[EventType]:
    return [event.type for event in step(case, command, LATER)[1]]


def refused(case: Case, command: Command) -> type[EscalationError]:
    with pytest.raises(EscalationError) as error:
        step(case, command, LATER)
    return type(error.value)


def test_the_first_decision_is_a_proposal_and_releases_nothing() -> None:
    case, events = step(after(needing(2), Claim(ANA)), resolve(ANA), LATER)
    assert [event.type for event in events] == [EventType.PROPOSED]
    assert (case.status, case.hold, case.decision) == (Status.OPEN, None, None)
    assert case.proposal is not None
    assert (case.proposal.seq, case.proposal.people) == (events[0].seq, ("ana",))
    assert view_of(case).released_digest is None


def test_another_confirms_and_the_case_is_resolved_as_it_was_proposed() -> None:
    case, events = step(proposed(), Approve(BEN), LATER)
    assert [event.type for event in events] == [EventType.APPROVED, EventType.RESOLVED]
    view = view_of(case)
    assert (view.resolution, view.reviewer, view.approved_by, view.proposal) == ("allow", "ana", ("ben",), None)
    assert (events[1].actor.login, events[1].data["approved_by"]) == ("ben", "ben")
    assert refused(case, Approve(CARA)) is AlreadyResolved


def test_three_of_many_take_three_people_and_one_counts_once() -> None:
    case = after(proposed(3), Approve(BEN))
    assert step(case, Approve(BEN), LATER) == (case, ())
    assert kinds(case, Approve(SENIOR)) == [EventType.APPROVED, EventType.RESOLVED]


@pytest.mark.parametrize("resolution", list(Resolution))
def test_every_decision_takes_them(resolution: Resolution) -> None:
    case = after(needing(2), Claim(ANA), resolve(ANA, resolution))
    decision = after(case, Approve(BEN)).decision
    assert decision is not None
    assert (decision.resolution, decision.released_digest) == (
        resolution,
        {"allow": case.opening.content_digest, "block": None, "redact_and_allow": REDACTED}[resolution],
    )


def test_who_proposed_cannot_confirm() -> None:
    assert refused(proposed(), Approve(ANA)) is NotIndependent
    assert refused(proposed(), Approve(Actor("Ana", roles=(Role.ADMIN,)))) is NotIndependent


def test_who_handed_it_on_cannot_confirm() -> None:
    case = after(needing(2), Claim(BEN), EscalateFurther(BEN, NEXT), Claim(ANA), resolve(ANA))
    assert refused(case, Approve(BEN)) is NotIndependent
    handed_on = after(proposed(), EscalateFurther(SENIOR, NEXT))
    assert refused(handed_on, Approve(SENIOR)) is NotIndependent
    assert handed_on.proposal is not None, "the proposal goes with the case"


def test_who_proposed_before_an_objection_cannot_confirm_what_comes_after_it() -> None:
    case = after(proposed(), Object(BEN, WHY), Claim(BEN), resolve(BEN, Resolution.BLOCK))
    assert refused(case, Approve(ANA)) is NotIndependent
    assert kinds(case, Approve(CARA))[-1] is EventType.RESOLVED
    again = after(proposed(), Object(BEN, WHY), Claim(ANA), resolve(ANA, Resolution.BLOCK))
    assert kinds(again, Approve(BEN))[-1] is EventType.RESOLVED


def test_the_requester_neither_proposes_nor_confirms_nor_objects() -> None:
    case = proposed(requester="ben")
    for command in (Approve(BEN), Object(BEN, WHY), Claim(BEN)):
        assert refused(case, command) is ConflictOfInterest


def test_only_named_approvers_confirm() -> None:
    case = proposed(2, "sam", "cara")
    assert refused(case, Approve(BEN)) is NotAllowed
    assert kinds(case, Approve(CARA))[-1] is EventType.RESOLVED


def test_while_it_is_proposed_only_who_may_confirm_can_hold_it() -> None:
    case = proposed()
    assert refused(case, Claim(ANA)) is NotIndependent
    assert refused(case, Assign(SENIOR, "ana")) is NotIndependent
    assert refused(case, EscalateFurther(SENIOR, TO_ANA)) is NotIndependent
    held = after(case, Claim(BEN))
    assert refused(held, Approve(CARA)) is NotHolder
    assert refused(held, resolve(BEN)) is AlreadyProposed
    assert kinds(held, Approve(BEN)) == [EventType.APPROVED, EventType.RESOLVED]
    wants = after(case, EscalateFurther(SENIOR))
    assert [event.type for event in step(wants, Routed(TO_ANA), LATER)[1]] == [EventType.UNROUTED]


def test_an_objection_asks_for_a_new_decision() -> None:
    case, events = step(proposed(), Object(BEN, WHY), LATER)
    assert [event.type for event in events] == [EventType.OBJECTED]
    assert (case.proposal, case.status, events[0].data["reviewer"]) == (None, Status.OPEN, "ana")
    assert refused(case, Approve(CARA)) is NothingProposed
    assert after(proposed(), Object(ANA, WHY)).proposal is None, "one's own is taken back"
    assert after(proposed(), Claim(BEN), Object(BEN, WHY)).hold is not None, "whoever holds it goes on"


def test_a_word_for_another_proposal_or_another_content_counts_for_nothing() -> None:
    case = proposed()
    assert case.proposal is not None
    assert refused(case, Approve(BEN, case.proposal.seq - 1)) is StaleProposal
    assert refused(case, Object(BEN, WHY, case.proposal.seq + 1)) is StaleProposal
    assert refused(case, Approve(BEN, case.proposal.seq, "0" * 64)) is StaleContent


def test_nobody_confirms_by_an_unsigned_signal() -> None:
    case = proposed(unverified_signals=True)
    assert refused(case, Approve(OPERATOR)) is NotAllowed
    assert refused(case, Object(OPERATOR, WHY)) is NotAllowed


def test_a_higher_severity_takes_more_people_and_a_lower_one_lets_nobody_off() -> None:
    approvals = (ApprovalTerms(Severity.CRITICAL, 3), ApprovalTerms(Severity.HIGH, 2))
    case = opened(sla=TERMS, decisions=DecisionTerms(DEFAULT_CATEGORIES, approvals=approvals))
    assert case.required_approvals == 2
    raised = after(case, Claim(ANA), SetSeverity(ANA, Severity.CRITICAL))
    assert raised.required_approvals == 3
    lowered = after(raised, SetSeverity(ANA, Severity.LOW))
    assert lowered.required_approvals == 3
    assert after(lowered, resolve(ANA), Approve(BEN)).decision is None


def test_the_view_refuses_as_the_case_does() -> None:
    for case in (
        needing(2),
        proposed(),
        after(proposed(3, "ben", "cara"), Approve(BEN)),
        after(proposed(), Claim(BEN)),
    ):
        assert standing_of_view(view_of(case)) == standing_of(case)


# Settings

PEOPLE = {
    "ana": Person(frozenset({Role.REVIEWER}), frozenset({"legal"})),
    "ben": Person(frozenset({Role.REVIEWER}), frozenset({"legal", "hiring"})),
    "sam": Person(frozenset({Role.SENIOR}), frozenset({"compliance"})),
    "eve": Person(frozenset({Role.AUDITOR}), frozenset({"legal", "compliance"})),
}
DIRECTORY = Directory(
    frozenset({"legal", "hiring", "compliance", "empty"}),
    {**{login: login for login in PEOPLE}, "sam@example.com": "sam"},
    PEOPLE,
)
FACTS = Facts("human-oversight", "hiring", Severity.HIGH)
TO_LEGAL = {"name": "all", "match": {"any": True}, "route_to": "team:legal"}


def settings(*approvals: dict[str, Any], rules: tuple[dict[str, Any], ...] = (TO_LEGAL,)) -> EscalationSettings:
    return EscalationSettings.model_validate(
        {"decisions": {"approvals": list(approvals)}, "escalation_routing": {"rules": list(rules)}}
    )


def test_the_first_matching_rule_says_how_many_by_severity() -> None:
    made = settings(
        {"match": {"policy_rule": "hiring", "severity": ["critical"]}, "required": 3},
        {"match": {"rule": "all"}, "approvers": ["team:compliance", "ben"]},
    )
    terms = decision_terms(made, FACTS, "all", DIRECTORY).approvals
    by_severity = {one.severity: (one.required, one.approvers) for one in terms}
    assert by_severity[Severity.CRITICAL] == (3, None)
    assert by_severity[Severity.LOW] == (2, ("ben", "sam"))
    assert decision_terms(made, replace(FACTS, reason_code="legal"), "another", DIRECTORY).approvals == ()


@pytest.mark.parametrize(
    "approval",
    [
        {"match": {}},
        {"match": {"any": True}, "required": 1},
        {"match": {"any": True}, "required": 21},
        {"match": {"any": True}, "approvers": []},
        {"match": {"severity": "urgent"}},
        {"required": 2},
    ],
)
def test_what_makes_no_sense_is_refused(approval: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(approval)


@pytest.mark.parametrize(
    ("approval", "route_to", "field"),
    [
        ({"match": {"any": True}}, "team:legal", None),
        ({"match": {"any": True}, "required": 3}, "team:legal", "required"),
        ({"match": {"any": True}}, "team:compliance", "required"),
        ({"match": {"any": True}}, "team:empty", "required"),
        ({"match": {"any": True}}, "ana", "required"),
        ({"match": {"any": True}, "approvers": ["sam@example.com"]}, "team:hiring", None),
        ({"match": {"any": True}, "approvers": ["team:compliance"]}, "team:compliance", "required"),
        ({"match": {"any": True}, "required": 3, "approvers": ["sam"]}, "team:legal", "approvers"),
        ({"match": {"any": True}, "approvers": ["eve"]}, "team:legal", "approvers"),
        ({"match": {"any": True}, "approvers": ["sam", "nobody"]}, "team:legal", "approvers.1"),
        ({"match": {"rule": "another"}}, "team:legal", "match.rule"),
    ],
)
def test_a_rule_that_leaves_nobody_eligible_is_found(
    approval: dict[str, Any], route_to: str, field: str | None
) -> None:
    made = settings(approval, rules=({**TO_LEGAL, "route_to": route_to},))
    assert [found[:2] for found in shortages(made, DIRECTORY)] == ([] if field is None else [(0, field)])


@pytest.mark.parametrize("route_to", ["schedule:nights", "chain:nights"])
def test_who_is_on_call_has_a_case_alone(route_to: str) -> None:
    made = EscalationSettings.model_validate(
        {
            "decisions": {"approvals": [{"match": {"any": True}, "required": 3}]},
            "schedules": {
                "nights": {"zone": "UTC", "layers": [{"name": "all", "members": ["ana"], "start": "2026-05-04"}]}
            },
            "chains": {"nights": {"legs": [{"to": "schedule:nights", "ack_timeout": "5m"}], "on_exhausted": "hold"}},
            "escalation_routing": {"rules": [{"name": "all", "match": {"any": True}, "route_to": route_to}]},
        }
    )
    assert [found[:2] for found in shortages(made, DIRECTORY)] == [(0, "required")]


def test_a_rule_is_asked_only_about_the_routes_that_its_cases_take() -> None:
    rules = ({"name": "low", "match": {"severity": "low"}, "route_to": "team:empty"}, TO_LEGAL)
    assert list(shortages(settings({"match": {"severity": "high"}}, rules=rules), DIRECTORY)) == []
    assert list(shortages(settings({"match": {"rule": "all"}}, rules=rules), DIRECTORY)) == []
    assert list(shortages(settings({"match": {"any": True}}, rules=rules), DIRECTORY)) != []


def test_the_owner_of_an_application_does_not_count_for_its_requests() -> None:
    [(_, field, told)] = shortages(settings({"match": {"any": True}}), replace(DIRECTORY, owners=frozenset({"ana"})))
    assert (field, told) == (
        "required",
        "2 people must agree, and only ben can for a request of ana's application that goes to team:legal",
    )
    assert list(shortages(settings({"match": {"any": True}}), replace(DIRECTORY, owners=frozenset({"sam"})))) == []


def test_nor_does_an_owner_count_among_the_approvers_of_a_rule() -> None:
    made = settings({"match": {"any": True}, "approvers": ["ben"]})
    assert list(shortages(made, DIRECTORY)) == []
    [(_, field, told)] = shortages(made, replace(DIRECTORY, owners=frozenset({"ben"})))
    assert (field, told) == (
        "approvers",
        "1 must confirm, and of these nobody can for a request of ben's application",
    )


@pytest.mark.parametrize(("team", "user"), [("team:compliance", None), ("compliance", None), (None, "sam@example.com")])
def test_where_a_policy_configuration_routes_by_itself_enough_people_must_be_able_to_agree(
    team: str | None, user: str | None
) -> None:
    preset = Preset(Chooser.TARGET, "provider target openai", team, user)
    made = settings({"match": {"any": True}})
    assert [found[:2] for found in shortages(made, DIRECTORY, [preset])] == [(0, "required")]
    assert list(shortages(settings({"match": {"rule": "all"}}), DIRECTORY, [preset])) == []
