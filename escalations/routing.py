"""Which route a case gets, and why: model > provider target > ordered rules > catch-all.

Not for workflow code: time-zone data is not deterministic. The opener, the API and the `route` activity ask here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from escalations.calendars import DAYS
from escalations.commands import Role
from escalations.facts import Facts
from escalations.operations_settings import read_weekdays
from escalations.routes import Chooser, Route
from escalations.schedules import on_call
from escalations.settings import BusinessHours, EscalationSettings, Match, Rule, TimeOfDay
from escalations.zones import zone_of

CATCH_ALL_TEAM = "default-reviewers"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody active: what they may do, and in which teams."""

    roles: frozenset[Role]
    teams: frozenset[str]


@dataclass(frozen=True, slots=True)
class Directory:
    """Who exists: team ids, logins by login and by e-mail address (in lower case), and people by login."""

    teams: frozenset[str]
    users: Mapping[str, str]
    people: Mapping[str, Person] = field(default_factory=dict)

    def user(self, name: str) -> str | None:
        return self.users.get(name.lower())


@dataclass(frozen=True, slots=True)
class Considered:
    """One candidate, in the order of precedence, and what became of it: `won`, or why not."""

    name: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The route, None when no level is left, and every candidate that was looked at on the way."""

    route: Route | None
    considered: tuple[Considered, ...]


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
) -> Choice:
    """The route of a case that opens. `presets` are the configured ones, the model's before the target's.

    Never without a route: behind all rules stands the built-in catch-all, the team `default-reviewers`.
    """
    looked: list[Considered] = []
    for preset in presets:
        route = _preset_route(preset, directory)
        missed = _own(route, facts) if route else _unknown(preset.team_id or preset.user_id)
        looked.append(Considered(preset.name, missed or "won"))
        if route and not missed:
            return Choice(route, tuple(looked))
    later = choose_next(facts, settings, directory, now, after=None)
    looked += later.considered
    if later.route is not None:
        return Choice(later.route, tuple(looked))
    route = Route(Chooser.CATCH_ALL, "built-in catch-all", team=CATCH_ALL_TEAM)
    return Choice(route, (*looked, Considered(route.name, "won")))


def choose_next(
    facts: Facts, settings: EscalationSettings, directory: Directory, now: datetime, after: int | None
) -> Choice:
    """The next level: the first matching rule behind the one at `after`, or of all when that is None."""
    looked: list[Considered] = []
    for position, rule in enumerate(settings.escalation_routing.rules):
        if after is not None and position <= after:
            continue
        route, missed = None, _mismatch(rule.match, facts, settings.business_hours, now)
        if not missed:
            route, missed = _rule_route(rule, position, facts, settings, directory, now)
        if route:
            return Choice(route, (*looked, Considered(rule.name, "won")))
        looked.append(Considered(rule.name, missed or ""))
    return Choice(None, tuple(looked))


def _unknown(name: str | None) -> str:
    return f"passed over: {name} is not a known team or user"


def _own(route: Route, facts: Facts) -> str | None:
    """Why a case cannot go there: nobody reviews what they asked for."""
    if route.user is None or facts.requester is None or route.user.lower() != facts.requester.lower():
        return None
    return f"passed over: {route.user} made the request"


def _preset_route(preset: Preset, directory: Directory) -> Route | None:
    if preset.team_id is not None:
        known = preset.team_id.removeprefix("team:") in directory.teams
        team = preset.team_id.removeprefix("team:")
        return Route(preset.chosen_by, preset.name, team=team) if known else None
    login = directory.user(preset.user_id or "")
    return Route(preset.chosen_by, preset.name, user=login) if login else None


def destination(name: str, directory: Directory) -> tuple[str | None, str | None]:
    """(team, None) or (None, login) for `team:NAME`, `user:NAME`, a login, an e-mail or a bare team; else two Nones."""
    kind, _, rest = name.partition(":")
    if kind == "team" and rest:
        return (rest, None) if rest in directory.teams else (None, None)
    login = directory.user(rest if kind == "user" and rest else name)
    if login:
        return None, login
    return (name, None) if name in directory.teams else (None, None)


def _rule_route(
    rule: Rule, position: int, facts: Facts, settings: EscalationSettings, directory: Directory, now: datetime
) -> tuple[Route | None, str | None]:
    """The route of a rule, or why it is passed over."""
    kind, _, schedule = rule.route_to.partition(":")
    if kind == "schedule":
        team, login, missed = None, *_on_call(schedule, facts, settings, directory, now)
    else:
        team, login = destination(rule.route_to, directory)
        missed = _unknown(rule.route_to) if team is None and login is None else None
    if missed:
        return None, missed
    route = Route(Chooser.RULE, rule.name, team=team, user=login, channel=rule.notification_channel, position=position)
    own = _own(route, facts)
    return (None, own) if own else (route, None)


def _on_call(
    name: str, facts: Facts, settings: EscalationSettings, directory: Directory, now: datetime
) -> tuple[str | None, str | None]:
    """Who of those on call gets it: the first who is there and did not make the request. Else why nobody does."""
    schedule = settings.schedules.get(name)
    if schedule is None:
        return None, f"passed over: there is no schedule {name}"
    people = [directory.user(login) for login in on_call(schedule.schedule(name), now)]
    known = [login for login in people if login is not None]
    if not known:
        return None, f"passed over: nobody is on call in {name}"
    able = [login for login in known if facts.requester is None or login.lower() != facts.requester.lower()]
    return (able[0], None) if able else (None, f"passed over: {known[0]} made the request")


def _mismatch(match: Match, facts: Facts, hours: BusinessHours, now: datetime) -> str | None:
    """Which criterion does not hold; None when all do."""
    if match.policy_rule is not None and facts.policy_names.isdisjoint(match.policy_rule):
        return f"policy_rule is {facts.policy_rule}.{facts.reason_code}"
    if match.severity is not None and facts.severity not in match.severity:
        return f"severity is {facts.severity.value}"
    if match.team is not None and facts.team not in match.team:
        return f"team is {facts.team or 'not set'}"
    if match.consumer_group is not None and facts.consumer_group not in match.consumer_group:
        return f"consumer_group is {facts.consumer_group or 'not set'}"
    for criterion, value in (
        ("category", facts.reason_code),
        ("consumer", facts.consumer),
        ("provider", facts.provider),
    ):
        wanted = getattr(match, criterion)
        if wanted is not None and value not in wanted:
            return f"{criterion} is {value or 'not set'}"
    if match.model is not None and not any(fnmatchcase(facts.model or "", model) for model in match.model):
        return f"model is {facts.model or 'not set'}"
    if match.weekday is not None:
        today = now.astimezone(zone_of(hours.zone)).weekday()
        if not any(today in read_weekdays(days) for days in match.weekday):
            return f"weekday is {DAYS[today]}"
    if match.time_of_day is not None and not _within(match.time_of_day, hours, now):
        return f"time_of_day is {now.isoformat(timespec='minutes')}"
    return None


def _within(stretch: str | TimeOfDay, hours: BusinessHours, now: datetime) -> bool:
    if isinstance(stretch, TimeOfDay):
        return _between(stretch.start, stretch.end, now.astimezone(zone_of(stretch.zone)))
    local = now.astimezone(zone_of(hours.zone))
    inside = local.isoweekday() in hours.days and _between(hours.start, hours.end, local)
    return inside == (stretch == "inside_business_hours")


def _between(start: str, end: str, local: datetime) -> bool:
    clock = local.strftime("%H:%M")
    return start <= clock < end if start <= end else clock >= start or clock < end
