"""Which leg of a chain is asked next: the first one behind a place where somebody is there who may have the case.

Not for workflow code: who is on call depends on time-zone data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escalations.chains import ChainLeg, ChainSettings, legs_of
from escalations.directory import Directory, Eligibility, destination
from escalations.routes import Exhausted, Place, Route
from escalations.schedules import on_call
from escalations.settings import EscalationSettings


@dataclass(frozen=True, slots=True)
class NextLeg:
    """`route` is None when no leg is left, or nobody is there in any. `skipped` says of each empty leg why it is."""

    route: Route | None
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """The team or the person that a name leads to at this moment; else, in `missed`, why to nobody."""

    team: str | None = None
    user: str | None = None
    missed: str | None = None


def next_leg(
    chain: str,
    place: Place | None,
    base: Route,
    settings: EscalationSettings,
    directory: Directory,
    now: datetime,
    eligible: Eligibility,
) -> NextLeg:
    """The first leg behind `place`, or of all when that is None, that is not empty. `base` is the route of the rule
    that names the chain: what a leg does not say itself is as that has it. With an empty channel, whoever is reached is
    told on their own."""
    found = settings.chains.get(chain)
    if found is None:
        return NextLeg(None, (f"there is no chain {chain}",))
    legs = legs_of(settings.chains, chain)
    skipped: dict[str, None] = {}
    first = 0 if place is None else place.leg + 1
    for turn in range(0 if place is None else place.round, found.repeat + 1):
        for number in range(first, len(legs)):
            reached = _reach(legs[number], settings, directory, now, eligible)
            if reached.missed is None:
                here = Place(chain, number, turn, legs[number].timeout)
                own = settings.notification_defaults.of(reached.team, reached.user, directory)
                return NextLeg(_route(base, legs[number], reached, here, own), tuple(skipped))
            skipped[f"{Place(chain, number)}, {legs[number].to}: {reached.missed}"] = None
        first = 0
    return NextLeg(None, tuple(skipped))


def end_of(chain: ChainSettings | None, route: Route) -> Exhausted | None:
    """What becomes of a case whose last leg `route` is. None where the settings have no such chain."""
    return None if chain is None else Exhausted(chain.on_exhausted, chain.page or (route.channel, *route.also))


def on_call_in(
    schedule: str, settings: EscalationSettings, directory: Directory, now: datetime, eligible: Eligibility
) -> Reached:
    """The first of those on call who may have the case."""
    if schedule not in settings.schedules:
        return Reached(missed=f"there is no schedule {schedule}")
    people = [directory.user(name) for name in on_call(settings.schedules[schedule].schedule(schedule), now)]
    known = [login for login in people if login is not None]
    if not known:
        return Reached(missed=f"nobody is on call in {schedule}")
    barred = [eligible.bars(login, directory) for login in known]
    able = [login for login, reason in zip(known, barred, strict=True) if reason is None]
    return Reached(user=able[0]) if able else Reached(missed=f"{known[0]} {barred[0]}")


def _reach(
    leg: ChainLeg, settings: EscalationSettings, directory: Directory, now: datetime, eligible: Eligibility
) -> Reached:
    kind, _, name = leg.to.partition(":")
    if kind == "schedule":
        return on_call_in(name, settings, directory, now, eligible)
    team, login = destination(leg.to, directory)
    if team is not None:
        able = eligible.among(team, directory)
        if not able:
            return Reached(missed="nobody in the team may have it")
        if not any(directory.people[one].on_shift for one in able):
            return Reached(missed="nobody of the team is on shift")
        return Reached(team=team)
    if login is None:
        return Reached(missed="is not a known team or user")
    if (reason := eligible.bars(login, directory)) is not None:
        return Reached(missed=f"{login} {reason}")
    person = directory.people.get(login)
    off = person is not None and not person.on_shift
    return Reached(missed=f"{login} is off shift") if off else Reached(user=login)


def _route(base: Route, leg: ChainLeg, reached: Reached, place: Place, own: str) -> Route:
    channel, *also = leg.notify or (base.channel or own,)
    return Route(
        base.chosen_by,
        base.name,
        team=reached.team,
        user=reached.user,
        channel=channel,
        position=base.position,
        place=place,
        also=tuple(also),
    )
