"""How many people a decision takes and who they are, by the settings and the directory of the moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from escalations.case import ApprovalTerms, DecisionTerms
from escalations.chains import legs_of
from escalations.commands import REVIEWERS, Role
from escalations.decision_settings import ApprovalMatch, ApprovalRule
from escalations.directory import Directory, destination
from escalations.facts import Facts
from escalations.routing import CATCH_ALL_TEAM, Preset
from escalations.settings import EscalationSettings, Rule
from escalations.severity import Severity


def decision_terms(settings: EscalationSettings, facts: Facts, rule: str, directory: Directory) -> DecisionTerms:
    """What decisions of a case must bring, by each severity that it may come to have. `rule` routed it."""
    wanted = settings.decisions
    approvals: list[ApprovalTerms] = []
    for severity in Severity:
        found = next((one for one in wanted.approvals if one.match.fits(facts, severity, rule)), None)
        if found is not None:
            approvers = None if found.approvers is None else tuple(sorted(people_of(found.approvers, directory)))
            approvals.append(ApprovalTerms(severity, found.required, approvers))
    return DecisionTerms(wanted.categories, wanted.require_note_from, tuple(approvals), wanted.undo_window)


def people_of(names: tuple[str, ...], directory: Directory) -> frozenset[str]:
    """The logins of those who may review, of people and teams."""
    found: set[str] = set()
    for name in names:
        team, login = destination(name, directory)
        members = {one for one, person in directory.people.items() if team is not None and team in person.teams}
        found |= members if login is None else {login}
    return frozenset(login for login in found if _reviews(directory, login))


def shortages(
    settings: EscalationSettings, directory: Directory, fixed: Sequence[Preset] = ()
) -> Iterator[tuple[int, str, str]]:
    """Approval rules that could not be fulfilled: which one, which field of it, and why. `fixed` are the routes that
    policy configurations fix. Not even for the owner of an application, who has no part in the review of its requests.
    """
    for number, rule in enumerate(settings.decisions.approvals):
        names = {one.name for one in settings.escalation_routing.rules}
        unknown = next((name for name in rule.match.rule or () if name not in names), None)
        if unknown is not None:
            yield number, "match.rule", f"there is no routing rule {unknown!r}"
        elif (short := _short(rule, settings, directory, fixed)) is not None:
            yield number, *short


def _short(
    rule: ApprovalRule, settings: EscalationSettings, directory: Directory, fixed: Sequence[Preset]
) -> tuple[str, str] | None:
    for place, name in enumerate(rule.approvers or ()):
        if destination(name, directory) == (None, None):
            return f"approvers.{place}", f"there is no team or active user {name!r}"
    if rule.approvers is not None:
        able = people_of(rule.approvers, directory)
        if len(able) < rule.required - 1:
            return "approvers", f"{rule.required - 1} must confirm, and of these {_count(able)} may review"
        owner = next(iter(sorted(able & directory.owners)), None)
        if owner is not None and len(able) == rule.required - 1:
            asked = f"a request of {owner}'s application"
            return (
                "approvers",
                f"{rule.required - 1} must confirm, and of these {_count(able - {owner})} can for {asked}",
            )
    for where, able in _audiences(rule, settings, directory, fixed):
        deciders = able | (people_of(rule.approvers, directory) if rule.approvers else frozenset())
        told = f"{rule.required} people must agree, and"
        if len(deciders) < rule.required:
            return "required", f"{told} {_count(deciders)} can for a case of {where}"
        owner = next(iter(sorted(deciders & directory.owners)), None)
        if owner is not None and len(deciders) == rule.required:
            asked = f"a request of {owner}'s application that goes to {where}"
            return "required", f"{told} {_count(deciders - {owner})} can for {asked}"
    return None


def _audiences(
    rule: ApprovalRule, settings: EscalationSettings, directory: Directory, fixed: Sequence[Preset]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Where such cases may go, and who may review them there: the members of a team or the person, and every admin."""
    rules = settings.escalation_routing.rules
    admins = {login for login, person in directory.people.items() if Role.ADMIN in person.roles}
    places = [name for one in rules if _may_meet(rule.match, one) for name in _places(one.route_to, settings)]
    if rule.match.rule is None:
        places += [one.user_id or f"team:{(one.team_id or '').removeprefix('team:')}" for one in fixed]
    for name in places:
        team, login = destination(name, directory)
        if team is not None:
            yield f"team:{team}", people_of((f"team:{team}",), directory) | admins
        elif login is not None:
            yield login, frozenset({login, *admins})
    if not any(one.catches_all for one in rules) and rule.match.rule is None and CATCH_ALL_TEAM in directory.teams:
        yield f"team:{CATCH_ALL_TEAM}", people_of((f"team:{CATCH_ALL_TEAM}",), directory) | admins


def _places(route_to: str, settings: EscalationSettings) -> Iterator[str]:
    """The teams and people of a route: those of every leg of a chain, and each person whom a schedule may name."""
    kind, _, name = route_to.partition(":")
    for place in [leg.to for leg in legs_of(settings.chains, name)] if kind == "chain" else [route_to]:
        kind, _, name = place.partition(":")
        schedule = settings.schedules.get(name) if kind == "schedule" else None
        yield from [place] if schedule is None else sorted(schedule.schedule(name).people)


def _may_meet(match: ApprovalMatch, rule: Rule) -> bool:
    """Whether a case can be of both."""
    if match.rule is not None and rule.name not in match.rule:
        return False
    return (
        match.severity is None or rule.match.severity is None or not set(match.severity).isdisjoint(rule.match.severity)
    )


def _reviews(directory: Directory, login: str) -> bool:
    person = directory.people.get(login)
    return person is not None and not REVIEWERS.isdisjoint(person.roles)


def _count(people: frozenset[str]) -> str:
    return f"only {', '.join(sorted(people))}" if people else "nobody"
