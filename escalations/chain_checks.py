"""What is wrong with chains that are each well written: they go round in a circle, or lead to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from escalations.chains import MOST_LEGS, ChainLeg, ChainSettings
from escalations.channels import find_channel
from escalations.directory import Directory, Eligibility, destination
from escalations.settings import EscalationSettings

Fault = tuple[tuple[str | int, ...], str, str]
"""Where in the document, what is wrong there, and the number of the linter's rule about it."""


def chain_faults(settings: EscalationSettings) -> Iterator[Fault]:
    """What can be said without knowing who there is."""
    for number, rule in enumerate(settings.escalation_routing.rules):
        kind, _, name = rule.route_to.partition(":")
        if kind == "chain" and name not in settings.chains:
            missing = _missing("chain", name, settings.chains)
            yield ("escalation_routing", "rules", number, "route_to"), missing, "KT314"
    for name, chain in settings.chains.items():
        for number, leg in enumerate(chain.legs):
            told = _leg_fault(settings, name, leg)
            if told is not None:
                yield ("chains", name, "legs", number, "to"), told, "KT314"
            for place, channel in enumerate(leg.notify):
                if not _is_channel(settings, channel):
                    told = _missing("channel", channel, settings.notification_channels)
                    yield ("chains", name, "legs", number, "notify", place), told, "KT303"
        for place, channel in enumerate(chain.page):
            if not _is_channel(settings, channel):
                told = _missing("channel", channel, settings.notification_channels)
                yield ("chains", name, "page", place), told, "KT303"


def unknown_in_chains(settings: EscalationSettings, directory: Directory) -> Iterator[Fault]:
    """Legs to teams and people who are not there, and to who may not review."""
    for name, chain in settings.chains.items():
        for number, leg in enumerate(chain.legs):
            trail = ("chains", name, "legs", number, "to")
            if leg.to.partition(":")[0] in ("schedule", "chain"):
                continue
            if destination(leg.to, directory) == (None, None):
                told = f"there is no team or active user {leg.to!r}; see `kt team list` and `kt user list`"
                yield trail, told, "KT320"
            elif (barred := cannot_review(leg.to, directory)) is not None:
                yield trail, barred, "KT346"


def cannot_review(to: str, directory: Directory) -> str | None:
    """Why a route to a person never leads to them; None for a team and for who may review."""
    _, login = destination(to, directory)
    barred = None if login is None else Eligibility().bars(login, directory)
    return None if barred is None else f"{login} {barred}, so no case would ever come to them"


def _leg_fault(settings: EscalationSettings, name: str, leg: ChainLeg) -> str | None:
    kind, _, wanted = leg.to.partition(":")
    if kind == "schedule" and wanted not in settings.schedules:
        return _missing("schedule", wanted, settings.schedules)
    if kind != "chain":
        return None
    if wanted not in settings.chains:
        return _missing("chain", wanted, settings.chains)
    circle = _circle(settings.chains, wanted, (name,))
    if circle is not None:
        return f"this goes round in a circle: {' → '.join(circle)}"
    counted: dict[str, int] = {}
    if _count(settings.chains, name, counted) > MOST_LEGS:
        return f"with the chains in it {name!r} has {counted[name]} legs; {MOST_LEGS} at most"
    return None


def _circle(
    chains: Mapping[str, ChainSettings], name: str, passed: tuple[str, ...], seen: set[str] | None = None
) -> tuple[str, ...] | None:
    """A way from the first of `passed` back to itself; None when there is none."""
    if name == passed[0]:
        return (*passed, name)
    seen = set() if seen is None else seen
    if name in seen or name not in chains:
        return None
    seen.add(name)
    following = [leg.chain for leg in chains[name].legs if leg.chain is not None]
    ways = (_circle(chains, one, (*passed, name), seen) for one in following)
    return next((way for way in ways if way is not None), None)


def _count(chains: Mapping[str, ChainSettings], name: str, counted: dict[str, int]) -> int:
    """How many legs a chain comes to. Counts none twice, however chains are nested."""
    if name not in counted:
        counted[name] = 0
        legs = chains[name].legs if name in chains else ()
        counted[name] = sum(1 if leg.chain is None else _count(chains, leg.chain, counted) for leg in legs)
    return counted[name]


def _is_channel(settings: EscalationSettings, name: str) -> bool:
    return name.partition(":")[0] == "log" or find_channel(settings.notification_channels, name)[0] is not None


def _missing(what: str, name: str, known: Mapping[str, object]) -> str:
    return f"there is no {what} {name!r}; there is {', '.join(sorted(known)) or 'none'}"
