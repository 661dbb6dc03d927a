"""Which route a case gets, and why: model > provider target > ordered rules > catch-all.

Not for workflow code: time-zone data is not deterministic. The opener, the API and the `route` activity ask here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from escalations.directory import Directory, Eligibility, destination
from escalations.facts import Facts
from escalations.legs import next_leg, on_call_in
from escalations.matching import mismatch
from escalations.routes import Chooser, LegReason, Route
from escalations.settings import EscalationSettings, Rule

CATCH_ALL_TEAM = "default-reviewers"


@dataclass(frozen=True, slots=True)
class Considered:
    """One candidate, in the order of precedence, and what became of it: `won`, or why not."""

    name: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The route, None when no level is left, and every candidate that was looked at on the way.

    `skipped` says which legs of the chain that it is in, or was in, were empty, and why. `deserted` is the last of the
    rules' teams that were passed over because nobody in them may have the case.
    """

    route: Route | None
    considered: tuple[Considered, ...]
    skipped: tuple[str, ...] = ()
    deserted: Route | None = None


@dataclass(frozen=True, slots=True)
class Preset:
    """A route that the policy configuration fixes for a model or a provider target."""

    chosen_by: Chooser
    name: str
    team_id: str | None
    user_id: str | None


def choose(
    facts: Facts,
    settings: EscalationSettings,
    directory: Directory,
    now: datetime,
    presets: tuple[Preset, ...] = (),
    eligible: Eligibility | None = None,
) -> Choice:
    """The route of a case that opens. `presets` are the configured ones, the model's before the target's.

    Never without a route: behind all rules stands the built-in catch-all, the team `default-reviewers`. Where nobody
    there may have the case either, it waits where the last rule would have it, so that its channel is told.
    """
    able = eligible or Eligibility(facts.requester)
    looked: list[Considered] = []
    for preset in presets:
        route = _preset_route(preset, settings, directory)
        missed = _barred(route, directory, able) if route else _unknown(preset.team_id or preset.user_id)
        looked.append(Considered(preset.name, missed or "won"))
        if route and not missed:
            return Choice(route, tuple(looked))
    later = choose_next(facts, settings, directory, now, after=None, eligible=eligible)
    looked += later.considered
    if later.route is not None:
        return Choice(later.route, tuple(looked), later.skipped)
    if later.deserted is not None and not able.among(CATCH_ALL_TEAM, directory):
        waits = Considered(later.deserted.name, "won: nobody else may have it either, so it waits there")
        return Choice(later.deserted, (*looked, waits))
    channel = settings.notification_defaults.of(CATCH_ALL_TEAM, None, directory)
    route = Route(Chooser.CATCH_ALL, "built-in catch-all", team=CATCH_ALL_TEAM, channel=channel)
    return Choice(route, (*looked, Considered(route.name, "won")))


def choose_next(
    facts: Facts,
    settings: EscalationSettings,
    directory: Directory,
    now: datetime,
    after: int | None,
    eligible: Eligibility | None = None,
) -> Choice:
    """The next level: the first matching rule behind the one at `after`, or of all when that is None.

    `eligible` says who may have the case, without it everybody but the requester.
    """
    eligible = eligible or Eligibility(facts.requester)
    looked: list[Considered] = []
    deserted: Route | None = None
    for position, rule in enumerate(settings.escalation_routing.rules):
        if after is not None and position <= after:
            continue
        missed = mismatch(rule.match, facts, settings, now)
        if missed:
            looked.append(Considered(rule.name, missed))
            continue
        found = _rule_route(rule, position, settings, directory, now, eligible)
        looked += found.considered
        if found.route is not None:
            return Choice(found.route, tuple(looked), found.skipped)
        deserted = found.deserted or deserted
    return Choice(None, tuple(looked), deserted=deserted)


def choose_behind(
    route: Route,
    reason: LegReason,
    facts: Facts,
    settings: EscalationSettings,
    directory: Directory,
    now: datetime,
    eligible: Eligibility,
) -> Choice:
    """The next level behind `route`: in a chain its next leg, and where none is left, the rules behind it for who hands
    the case on; time alone never leaves a chain, which has an end of its own."""
    if route.place is None:
        return choose_next(facts, settings, directory, now, route.position, eligible)
    base = _base(route, settings)
    leg = next_leg(route.place.chain, route.place, base, settings, directory, now, eligible)
    looked = tuple(Considered(route.name, skipped) for skipped in leg.skipped)
    if leg.route is not None or reason is not LegReason.ESCALATED:
        return Choice(leg.route, looked, leg.skipped)
    later = choose_next(facts, settings, directory, now, route.position, eligible)
    return Choice(later.route, looked + later.considered, leg.skipped + later.skipped)


def _base(route: Route, settings: EscalationSettings) -> Route:
    """The route as the rule of its chain has it; its channel is empty where the rule names none."""
    rules = settings.escalation_routing.rules
    known = route.position is not None and route.position < len(rules)
    channel = rules[route.position or 0].notification_channel or "" if known else route.channel
    return replace(route, channel=channel, also=(), place=None)


def _unknown(name: str | None) -> str:
    return f"passed over: {name} is not a known team or user"


def _barred(route: Route, directory: Directory, eligible: Eligibility) -> str | None:
    """Why a case cannot go there: a person who may not have it, above all not their own request; a team of such."""
    if route.team is not None:
        able = eligible.among(route.team, directory)
        return None if able else f"passed over: nobody in {route.destination} may have it"
    reason = eligible.bars(route.user or "", directory)
    return None if reason is None else f"passed over: {route.user} {reason}"


def _preset_route(preset: Preset, settings: EscalationSettings, directory: Directory) -> Route | None:
    team = preset.team_id.removeprefix("team:") if preset.team_id is not None else None
    login = directory.user(preset.user_id or "") if team is None else None
    if login is None and team not in directory.teams:
        return None
    channel = settings.notification_defaults.of(team, login, directory)
    return Route(preset.chosen_by, preset.name, team=team, user=login, channel=channel)


def _rule_route(
    rule: Rule,
    position: int,
    settings: EscalationSettings,
    directory: Directory,
    now: datetime,
    eligible: Eligibility,
) -> Choice:
    """The route of a rule, and what was passed over on the way; None when that is all of it."""
    kind, _, name = rule.route_to.partition(":")
    team, login, missed, deserted = None, None, None, None
    if kind == "chain":
        return _chain_route(rule, name, position, settings, directory, now, eligible)
    if kind == "schedule":
        reached = on_call_in(name, settings, directory, now, eligible)
        login, missed = reached.user, f"passed over: {reached.missed}" if reached.missed else None
    else:
        team, login = destination(rule.route_to, directory)
        missed = _unknown(rule.route_to) if team is None and login is None else None
    if missed is None:
        channel = rule.notification_channel or settings.notification_defaults.of(team, login, directory)
        route = Route(Chooser.RULE, rule.name, team=team, user=login, channel=channel, position=position)
        missed = _barred(route, directory, eligible)
        if missed is None:
            return Choice(route, (Considered(rule.name, "won"),))
        deserted = route if team is not None else None
    return Choice(None, (Considered(rule.name, missed),), deserted=deserted)


def _chain_route(
    rule: Rule,
    chain: str,
    position: int,
    settings: EscalationSettings,
    directory: Directory,
    now: datetime,
    eligible: Eligibility,
) -> Choice:
    """A chain in which nobody is there is passed over, like everything that leads to nobody."""
    base = Route(Chooser.RULE, rule.name, team=chain, channel=rule.notification_channel or "", position=position)
    leg = next_leg(chain, None, base, settings, directory, now, eligible)
    looked = tuple(Considered(rule.name, f"passed over: {skipped}") for skipped in leg.skipped)
    if leg.route is None:
        return Choice(None, looked)
    won = Considered(rule.name, f"won: {leg.route.place}, {leg.route.destination}")
    return Choice(leg.route, (*looked, won), leg.skipped)
