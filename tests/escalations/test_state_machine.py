"""Whatever happens in whatever order, these hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from escalations.case import ApprovalTerms, Case, Decision, DecisionTerms, LeaderEnded, Status
from escalations.clock import alarms_of, next_alarm
from escalations.commands import (
    Actor,
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
from escalations.errors import EscalationError
from escalations.events import FINAL, Event, EventType
from escalations.routes import Exhausted, OnExhausted, Place, Route
from escalations.severity import Severity
from escalations.sla import Alarm, AlarmKind, SlaState, SlaTerms
from escalations.step import open_case, step
from escalations.views import view_of
from escalations.windows import OpenTime
from tests.escalations.cases import (
    ANA,
    AUDITOR,
    BEN,
    CONSUMER,
    CONTENT,
    LEGAL,
    NEXT,
    OPERATOR,
    SENIOR,
    START,
    TO_ANA,
    opening,
    resolve,
)

RITA = Actor("rita", roles=tuple(Role))
"""Who asked for it."""
PEOPLE = st.sampled_from([ANA, BEN, SENIOR, AUDITOR, OPERATOR, CONSUMER, RITA])
FIRST_LEG = replace(LEGAL, place=Place("c", 0, 0, timedelta(minutes=10)))
ANAS_LEG = replace(TO_ANA, place=Place("c", 1, 2, timedelta(minutes=25)))
ROUTES = st.sampled_from([LEGAL, TO_ANA, NEXT, FIRST_LEG, ANAS_LEG])
ENDS = st.one_of(st.none(), st.sampled_from([Exhausted(end, ("log",)) for end in OnExhausted]))
MANY = ("dan", "eli", "fay")
ADMIN = Actor("root", roles=(Role.ADMIN,))
TARGETS = (
    (Severity.CRITICAL, timedelta(minutes=15), None),
    (Severity.HIGH, timedelta(hours=1), timedelta(minutes=20)),
    (Severity.MEDIUM, timedelta(hours=2), timedelta(minutes=40)),
    (Severity.LOW, timedelta(hours=4), None),
)
_HALF_HOUR = timedelta(minutes=30)
HALF_HOURS = OpenTime(
    "half hours",
    1,
    "",
    tuple((START + number * 2 * _HALF_HOUR, START + (number * 2 + 1) * _HALF_HOUR) for number in range(12)),
    START + 23 * _HALF_HOUR,
)


class CaseMachine(RuleBasedStateMachine):
    """Commands, alarms and routes in any order, against what must always be true."""

    @initialize(
        route=ROUTES,
        unverified=st.booleans(),
        lease=st.sampled_from([None, 5, 30]),
        calendar=st.booleans(),
        people=st.integers(1, 3),
        named=st.booleans(),
        window=st.sampled_from([None, 5]),
        leader=st.sampled_from([None, None, "esc_leader"]),
    )
    def open(
        self,
        route: Route,
        unverified: bool,
        lease: int | None,
        calendar: bool,
        people: int,
        named: bool,
        window: int | None,
        leader: str | None,
    ) -> None:
        self.now = START
        sla = SlaTerms(
            timedelta(hours=1),
            expire_after=timedelta(hours=3),
            claim_lease=timedelta(minutes=lease) if lease else None,
            open_time=HALF_HOURS if calendar else None,
            claim_target=timedelta(minutes=20),
            notify_at_remaining=(50, 30, 10),
            max_pause=timedelta(minutes=40),
            by_severity=TARGETS,
            warn_at_lease=80,
        )
        approvals = (
            ApprovalTerms(Severity.HIGH, people, ("ben", "sam", "rita") if named else None),
            ApprovalTerms(Severity.CRITICAL, people + 1),
        )
        begins = opening(
            route=route,
            sla=sla,
            unverified_signals=unverified,
            requester="rita",
            leader=leader,
            decisions=DecisionTerms(
                DEFAULT_CATEGORIES, approvals=approvals, undo_window=timedelta(minutes=window) if window else None
            ),
        )
        self.case, events = open_case(begins, START)
        self.events = list(events)
        self.epochs = [self.case.claim_epoch]
        self.closed: Case | None = None

    def _do(self, command: Command) -> None:
        before = self.case
        try:
            self.case, events = step(before, command, self.now)
        except EscalationError:
            return
        self._happened(events)

    def _happened(self, events: tuple[Event, ...]) -> None:
        self.events += events
        self.epochs.append(self.case.claim_epoch)

    @rule(actor=PEOPLE)
    def claim(self, actor: Actor) -> None:
        holder = self.case.hold
        self._do(Claim(actor))
        if holder is not None and not self.case.closed:
            assert self.case.hold == holder, "a claim never takes a case from somebody"

    @rule(actor=PEOPLE)
    def unclaim(self, actor: Actor) -> None:
        self._do(Unclaim(actor))

    @rule(actor=PEOPLE, resolution=st.sampled_from(list(Resolution)))
    def decide(self, actor: Actor, resolution: Resolution) -> None:
        before, holder = self.case, self.case.hold.login if self.case.hold else None
        self._do(resolve(actor, resolution))
        if self.case != before:
            assert holder == actor.login, "only the holder decides"
            assert actor is not OPERATOR or resolution is Resolution.BLOCK
            alone = before.required_approvals == 1
            at_once = before.opening.decisions.undo_window is None
            assert (self.case.decision is not None) == (alone and at_once)
            assert (self.case.pending is not None) == (alone and not at_once)

    @rule(actor=PEOPLE)
    def approve(self, actor: Actor) -> None:
        before = self.case
        self._do(Approve(actor))
        if self.case != before:
            assert actor in (ANA, BEN, SENIOR), "a signal's word confirms nothing"
            assert actor.login not in before.apart
            assert before.approvers is None or actor.login in before.approvers

    @rule(actor=PEOPLE)
    def undo(self, actor: Actor) -> None:
        before = self.case
        self._do(Undo(actor))
        if self.case != before:
            assert before.pending is not None
            assert actor.leads or actor.login == before.pending.by.login
            assert self.case.hold is not None

    @rule(actor=PEOPLE)
    def object_to(self, actor: Actor) -> None:
        self._do(Object(actor, "o" * 64))

    @rule(actor=PEOPLE, route=st.one_of(st.none(), ROUTES))
    def escalate(self, actor: Actor, route: Route | None) -> None:
        self._do(EscalateFurther(actor, route))

    @rule(actor=PEOPLE, assignee=st.sampled_from(["ana", "ben"]))
    def assign(self, actor: Actor, assignee: str) -> None:
        self._do(Assign(actor, assignee))

    @rule(actor=PEOPLE)
    def extend(self, actor: Actor) -> None:
        self._do(Extend(actor))

    @rule(actor=PEOPLE)
    def comment(self, actor: Actor) -> None:
        self._do(Comment(actor, "b" * 64))

    @rule(actor=PEOPLE, minutes=st.integers(1, 300))
    def ask_for_help(self, actor: Actor, minutes: int) -> None:
        before = self.case
        self._do(AskForHelp(actor, "ben", ("ben",), "h" * 64, timedelta(minutes=minutes)))
        assert self.case.due_at == before.due_at, "asking for help stops no clock"

    @rule(actor=PEOPLE)
    def withdraw(self, actor: Actor) -> None:
        self._do(Withdraw(actor))

    @rule(actor=PEOPLE, minutes=st.one_of(st.none(), st.integers(1, 45)))
    def wait(self, actor: Actor, minutes: int | None) -> None:
        before = self.case
        self._do(WaitOnRequester(actor, "r" * 64, None if minutes is None else timedelta(minutes=minutes)))
        if self.case.paused and not before.paused:
            assert self.case.due_at >= self.case.pauses[-1][1], "no deadline lies in a pause"

    @rule(actor=PEOPLE)
    def resume(self, actor: Actor) -> None:
        self._do(Resume(actor))

    @rule(actor=PEOPLE, severity=st.sampled_from(list(Severity)), later=st.booleans())
    def set_severity(self, actor: Actor, severity: Severity, later: bool) -> None:
        before = self.case.due_at
        self._do(SetSeverity(actor, severity, later=later))
        assert later or self.case.due_at <= before, "only a senior's word moves a deadline later"

    @rule(minutes=st.integers(10, 120))
    def recompute(self, minutes: int) -> None:
        self._do(Recompute(ADMIN, replace(self.case.opening.sla, target=timedelta(minutes=minutes))))

    @rule(decided=st.booleans())
    def leader_ended(self, decided: bool) -> None:
        decision = Decision(Resolution.BLOCK, "other", "cara", self.now, CONTENT, None, None, approved_by=MANY)
        self.case, events = step(self.case, LeaderEnded(decision if decided else None), self.now)
        self._happened(events)

    @rule(route=st.one_of(st.none(), ROUTES), exhausted=ENDS)
    def routed(self, route: Route | None, exhausted: Exhausted | None) -> None:
        before = self.case
        self.case, events = step(before, Routed(route, exhausted=exhausted if route is None else None), self.now)
        self._happened(events)
        if self.case.decision is not None and not before.closed:
            assert exhausted is not None
            assert exhausted.end is OnExhausted.ALLOW, "only an end that says so in words decides"
            assert before.required_approvals == 1

    @rule(minutes=st.integers(0, 90))
    def time_passes(self, minutes: int) -> None:
        self._pass(self.now + timedelta(minutes=minutes))

    @precondition(lambda self: self.case.ack_until is not None)
    @rule()
    def the_time_of_its_leg_passes(self) -> None:
        assert self.case.ack_until is not None
        self._pass(max(self.now, self.case.ack_until))

    def _pass(self, end: datetime) -> None:
        while (alarm := next_alarm(self.case)) is not None and alarm.at <= end:
            self.now = max(self.now, alarm.at)
            due = self.case.due_at
            self.case, events = step(self.case, alarm, self.now)
            assert events, "an alarm that rings does something, or the clock would never go on"
            if alarm.kind is AlarmKind.ACK:
                assert (self.case.due_at, self.case.hold) == (due, None), "a leg that is passed on moves no deadline"
            self._happened(events)
        self.now = end

    @invariant()
    def held_exactly_when_claimed(self) -> None:
        assert (self.case.hold is not None) == (self.case.status is Status.CLAIMED)

    @invariant()
    def numbered_without_a_gap(self) -> None:
        assert [event.seq for event in self.events] == list(range(1, len(self.events) + 1))
        assert self.case.version == len(self.events)

    @invariant()
    def ends_once_and_stays_ended(self) -> None:
        finals = [event for event in self.events if event.type in FINAL]
        assert len(finals) == (1 if self.case.closed else 0)
        if self.closed is not None:
            assert self.case == self.closed
        if self.case.closed:
            assert finals[-1] is self.events[-1]
            self.closed = self.case

    @invariant()
    def nothing_is_released_without_a_decision(self) -> None:
        view = view_of(self.case)
        assert view.released_digest is None or view.status is Status.RESOLVED
        assert (view.resolution is None) == (view.status is not Status.RESOLVED)

    @invariant()
    def a_decision_is_that_of_as_many_people_as_it_takes(self) -> None:
        pending, proposal = self.case.pending, self.case.proposal
        decision = self.case.decision or (pending.decision if pending else None)
        for one in (decision, proposal.decision if proposal else None):
            if one is not None:
                people = {one.reviewer, *one.approved_by}
                assert len(people) == 1 + len(one.approved_by)
                assert (len(people) >= self.case.required_approvals) == (one is decision)
        assert proposal is None or decision is None

    @invariant()
    def the_requester_has_no_part_in_it(self) -> None:
        case = self.case
        assert case.hold is None or case.hold.login != "rita"
        waiting = case.pending or case.proposal
        decided = case.decision or (waiting.decision if waiting else None)
        assert decided is None or "rita" not in (decided.reviewer, *decided.approved_by)

    @invariant()
    def nobody_holds_or_decides_what_follows_another(self) -> None:
        if self.case.leader is not None and not self.case.closed:
            assert self.case.hold is None
            assert (self.case.proposal, self.case.pending) == (None, None)

    @invariant()
    def a_breach_comes_once_after_amber_and_stays(self) -> None:
        kinds = [event.type for event in self.events]
        assert kinds.count(EventType.BREACHED) <= 1
        if EventType.BREACHED in kinds:
            assert kinds.index(EventType.AMBER) < kinds.index(EventType.BREACHED)
        assert (self.case.sla_state is SlaState.BREACHED) == (EventType.BREACHED in kinds)
        assert kinds.count(EventType.CLAIM_OVERDUE) <= 1

    @invariant()
    def pauses_are_apart_within_their_budget_and_never_of_a_critical_case(self) -> None:
        case = self.case
        assert sum((end - start for start, end in case.pauses), timedelta(0)) <= timedelta(minutes=40)
        assert all(one[1] <= other[0] for one, other in pairwise(case.pauses))
        if case.paused:
            assert case.severity is not Severity.CRITICAL
            assert case.sla_state is not SlaState.BREACHED
            assert not case.closed
        assert (view_of(case).sla_state is SlaState.PAUSED) == case.paused

    @invariant()
    def the_deadline_is_as_much_open_time_away_as_the_target(self) -> None:
        terms = self.case.terms
        if terms.due_no_later_than is None and terms.open_time is not None:
            counted = terms.open_time.between(self.case.created_at, self.case.due_at, self.case.pauses)
            assert counted == terms.target

    @invariant()
    def in_a_chain_somebody_has_it_or_the_next_is_asked_in_time(self) -> None:
        case, place = self.case, self.case.route.place
        asked = place is not None and place.ack_timeout is not None and case.leader is None and case.pending is None
        if case.ack_until is not None:
            assert asked
            assert not case.closed
            alarms = list(alarms_of(case))
            waits = case.paused or case.wanted_route is not None
            assert waits or Alarm(AlarmKind.ACK, case.ack_until) in alarms
        elif asked and not case.closed and case.wanted_route is None:
            assert case.hold is not None, "nobody has it, and nobody would ever be asked"

    @invariant()
    def epochs_only_grow(self) -> None:
        assert self.epochs == sorted(self.epochs)

    @invariant()
    def time_always_has_a_next_step_for_what_is_open(self) -> None:
        assert (next_alarm(self.case) is None) == self.case.closed


TestCaseMachine = CaseMachine.TestCase
TestCaseMachine.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
