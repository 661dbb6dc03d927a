"""Nobody has a part in the review of what they asked for: every operation, every role, every relation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import get_args

import pytest

from escalations.case import ApprovalTerms, Case, DecisionTerms
from escalations.commands import (
    Actor,
    ActorKind,
    Approve,
    AskForHelp,
    Assign,
    Claim,
    Command,
    Comment,
    EscalateFurther,
    Extend,
    Object,
    Recompute,
    Resume,
    Role,
    Routed,
    SetSeverity,
    Unclaim,
    Undo,
    WaitOnRequester,
    Withdraw,
)
from escalations.decisions import DEFAULT_CATEGORIES, Resolution
from escalations.directory import Directory, Person
from escalations.errors import ConflictOfInterest, EscalationError, NotAllowed
from escalations.events import EventType
from escalations.facts import Facts
from escalations.routes import Chooser, Route
from escalations.routing import Preset, choose, choose_next
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.standing import standing_of, standing_of_view
from escalations.step import open_case, step
from escalations.views import view_of
from tests.escalations.cases import ANA, BEN, NEXT, SENIOR, START, TO_ANA, opened, opening, resolve
from tests.escalations.test_amending import TERMS

LATER = START + timedelta(minutes=1)
OPERATIONS: dict[str, Callable[[Actor], Command]] = {
    "claim": Claim,
    "unclaim": Unclaim,
    "allow": resolve,
    "block": lambda actor: resolve(actor, Resolution.BLOCK),
    "redact": lambda actor: resolve(actor, Resolution.REDACT_AND_ALLOW),
    "approve": Approve,
    "undo": Undo,
    "object": lambda actor: Object(actor, "o" * 64),
    "escalate": EscalateFurther,
    "escalate to a team": lambda actor: EscalateFurther(actor, NEXT),
    "assign": lambda actor: Assign(actor, "ben"),
    "assign to me": lambda actor: Assign(actor, actor.login),
    "extend": Extend,
    "ask for help": lambda actor: AskForHelp(actor, "ben", ("ben",), "h" * 64),
    "wait": lambda actor: WaitOnRequester(actor, "r" * 64),
    "resume": Resume,
    "severity": lambda actor: SetSeverity(actor, Severity.LOW),
}
PERMITTED: dict[str, Callable[[Actor], Command]] = {
    "comment": lambda actor: Comment(actor, "b" * 64),
    "withdraw": Withdraw,
    "recompute": lambda actor: Recompute(actor, TERMS),
}
ROLES = {
    "reviewer": (Role.REVIEWER,),
    "senior": (Role.SENIOR,),
    "admin": (Role.ADMIN,),
    "all of them": tuple(Role),
}
STATES = {
    "open": lambda case: case,
    "held by another": lambda case: step(case, Claim(ANA), START)[0],
    "proposed by another": lambda case: step(step(case, Claim(ANA), START)[0], resolve(ANA), START)[0],
    "decided by another": lambda case: step(STATES["proposed by another"](case), Approve(BEN), START)[0],
    "waiting": lambda case: step(case, WaitOnRequester(SENIOR, "r" * 64), START)[0],
}


def test_no_command_is_left_out() -> None:
    made = {type(make(ANA)) for make in (*OPERATIONS.values(), *PERMITTED.values())}
    assert made == set(get_args(Command))


def case_of(requester: str | None, state: str = "open", edition: int = 1) -> Case:
    decisions = DecisionTerms(
        DEFAULT_CATEGORIES, approvals=(ApprovalTerms(Severity.HIGH, 2),), undo_window=TERMS.target
    )
    case = opened(requester=requester, edition=edition, sla=TERMS, unverified_signals=True, decisions=decisions)
    return STATES[state](case)


def refusal(case: Case, command: Command) -> EscalationError | None:
    try:
        step(case, command, LATER)
    except EscalationError as refused:
        return refused
    return None


@pytest.mark.parametrize(("operation", "role", "state"), list(product(OPERATIONS, ROLES, STATES)))
def test_the_requester_has_no_part_in_the_review(operation: str, role: str, state: str) -> None:
    for login, kind in product(("rita", "Rita"), (ActorKind.USER, ActorKind.OPERATOR)):
        actor = Actor(login, kind, ROLES[role])
        case = case_of("rita", state)
        with pytest.raises(NotAllowed) as refused:
            step(case, OPERATIONS[operation](actor), LATER)
        if kind is ActorKind.USER:
            assert isinstance(refused.value, ConflictOfInterest)


@pytest.mark.parametrize(("operation", "role", "state"), list(product(OPERATIONS, ROLES, STATES)))
def test_everybody_else_is_refused_for_other_reasons_only(operation: str, role: str, state: str) -> None:
    actor = Actor("rita", roles=ROLES[role])
    for requester in (None, "somebody", "rit"):
        refused = refusal(case_of(requester, state), OPERATIONS[operation](actor))
        assert not isinstance(refused, ConflictOfInterest)


@pytest.mark.parametrize(("operation", "role"), list(product(PERMITTED, ROLES)))
def test_the_requester_may_say_something_and_give_up(operation: str, role: str) -> None:
    refused = refusal(case_of("rita"), PERMITTED[operation](Actor("rita", roles=ROLES[role])))
    assert not isinstance(refused, ConflictOfInterest)


@pytest.mark.parametrize("login", ["rita", "RITA"])
def test_nobody_gives_the_requester_the_case(login: str) -> None:
    to_rita = Route(Chooser.PERSON, "sam", user=login)
    for command in (Assign(SENIOR, login), EscalateFurther(SENIOR, to_rita)):
        with pytest.raises(ConflictOfInterest):
            step(case_of("rita"), command, LATER)
    held = case_of("rita", "held by another")
    with pytest.raises(ConflictOfInterest):
        step(held, Assign(ANA, login), LATER)


def test_no_route_gives_the_requester_the_case() -> None:
    case, events = open_case(opening(requester="ana", route=TO_ANA), START)
    assert (case.hold, [event.type for event in events]) == (None, [EventType.OPENED])
    wants = step(opened(requester="ana"), EscalateFurther(SENIOR), LATER)[0]
    case, events = step(wants, Routed(TO_ANA), LATER)
    assert (case.hold, [event.type for event in events]) == (None, [EventType.UNROUTED])


def test_routing_passes_the_requester_over_and_says_so() -> None:
    rules = [
        {"name": "to ana", "match": {"any": True}, "route_to": "ana@example.com"},
        {"name": "to all", "match": {"any": True}, "route_to": "team:legal"},
    ]
    settings = EscalationSettings.model_validate({"escalation_routing": {"rules": rules}})
    people = {"ben": Person(frozenset({Role.REVIEWER}), frozenset({"legal"}))}
    directory = Directory(frozenset({"legal"}), {"ana": "ana", "ana@example.com": "ana"}, people)
    facts = Facts("p", "r", Severity.HIGH, requester="ana")
    choice = choose(facts, settings, directory, START, (Preset(Chooser.MODEL, "model x", None, "ana"),))
    assert choice.route is not None
    assert choice.route.team == "legal"
    assert [considered.verdict for considered in choice.considered] == [
        "passed over: ana made the request",
        "passed over: ana made the request",
        "won",
    ]
    stranger = choose_next(replace(facts, requester="ben"), settings, directory, START, None)
    assert stranger.route is not None
    assert stranger.route.user == "ana"


def test_the_view_refuses_as_the_case_does_and_a_case_of_before_goes_on_as_it_was() -> None:
    case = case_of("rita")
    assert standing_of_view(view_of(case)) == standing_of(case)
    before = case_of("rita", edition=0)
    assert standing_of(before).requester is None
    assert step(before, Claim(Actor("rita", roles=(Role.REVIEWER,))), LATER)[0].hold is not None
