"""What is wrong with settings that are each well written: references to nothing, and parts that contradict each other.

Asked when settings are checked or saved, never when they are read: what was saved once must stay readable, though a
calendar may run out of open days and people may leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from escalations.approvals import shortages
from escalations.chain_checks import cannot_review, chain_faults, unknown_in_chains
from escalations.channels import Channel, Reached, SlackChannel, find_channel
from escalations.directory import Directory, destination
from escalations.durations import format_duration
from escalations.feeds import feed_faults
from escalations.operations_settings import ScheduleSettings
from escalations.routing import Preset
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.sla_settings import SlaSettings

Trail = tuple[str | int, ...]
"""Where in the document: keys and, in lists, positions."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One fault. `rule` is its number among those of `kt policy lint`.

    Where `name` is one that nothing has, `known` are those that something has.
    """

    trail: Trail
    message: str
    rule: str
    name: str = ""
    known: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        return ".".join(str(part) for part in self.trail)


def contradictions(
    settings: EscalationSettings, directory: Directory | None, now: datetime, fixed: Sequence[Preset] = ()
) -> Iterator[Contradiction]:
    """Every fault. Without a directory, who and which teams there are is not asked. `fixed` are the routes that policy
    configurations fix."""
    yield from _clocks(settings)
    yield from _routing(settings, directory)
    hours = settings.business_hours.calendar
    if hours is not None and hours not in settings.calendars:
        yield _missing(("business_hours", "calendar"), "calendar", hours, settings.calendars)
    yield from (Contradiction(*fault) for fault in chain_faults(settings))
    if directory is not None:
        yield from (Contradiction(*fault) for fault in unknown_in_chains(settings, directory))
    yield from _channels(settings)
    yield from _defaults(settings, directory)
    yield from _assignment(settings, directory)
    for name, calendar in settings.calendars.items():
        try:
            calendar.calendar().check_opens(now)
        except ValueError as fault:
            yield Contradiction(("calendars", name), str(fault), "KT342")
    for name, schedule in settings.schedules.items():
        yield from _schedule(("schedules", name), schedule, directory, now)
    if directory is None:
        return
    for number, field, told in shortages(settings, directory, fixed):
        parts = tuple(int(part) if part.isdigit() else part for part in field.split("."))
        yield Contradiction(("decisions", "approvals", number, *parts), told, "KT343")


def _nobody(trail: Trail, what: str, name: str, directory: Directory) -> Contradiction:
    told = f"there is no {what} {name!r}; see `kt user list` and `kt team list`"
    return Contradiction(trail, told, "KT320", name, (*sorted(directory.teams), *sorted(directory.users)))


def _schedule(
    trail: Trail, schedule: ScheduleSettings, directory: Directory | None, now: datetime
) -> Iterator[Contradiction]:
    feed = schedule.feed
    if feed is not None:
        yield from (Contradiction((*trail, "ical"), told, "KT345") for told in feed_faults(feed, now))
    begins = schedule.schedule("this one").begins(now)
    if begins is not None:
        told = f"nobody is on call by these rotations within a year; the first begins at {begins.date().isoformat()}"
        yield Contradiction((*trail, "layers"), told, "KT345")
    if directory is None:
        return
    for line, login in feed.named() if feed is not None else ():
        if directory.user(login) is None:
            nobody = _nobody((*trail, "ical"), "active user", login, directory)
            yield replace(nobody, message=f"line {line} of this calendar: {nobody.message}")
    for where, login in named_in(schedule):
        if directory.user(login) is None:
            yield _nobody((*trail, *where), "active user", login, directory)


def named_in(schedule: ScheduleSettings) -> Iterator[tuple[Trail, str]]:
    """Everybody whom a schedule names, and where."""
    for number, layer in enumerate(schedule.layers):
        for place, turn in enumerate(layer.members):
            yield from ((("layers", number, "members", place), login) for login in turn)
    for number, override in enumerate(schedule.overrides):
        yield from ((("overrides", number, "people"), login) for login in override.people)


def _routing(settings: EscalationSettings, directory: Directory | None) -> Iterator[Contradiction]:
    rules, base = settings.escalation_routing.rules, ("escalation_routing", "rules")
    caught = next((number for number, rule in enumerate(rules) if rule.catches_all), None)
    for number, rule in enumerate(rules):
        if caught is not None and number > caught:
            told = f"rule {rule.name!r} stands behind the catch-all {rules[caught].name!r} and is never reached"
            yield Contradiction((*base, number), told, "KT301")
        kind, _, wanted = rule.route_to.partition(":")
        trail = (*base, number, "route_to")
        if kind == "schedule" and wanted not in settings.schedules:
            yield _missing(trail, "schedule", wanted, settings.schedules)
        elif kind in ("schedule", "chain") or directory is None:
            pass
        elif destination(rule.route_to, directory) == (None, None):
            yield _nobody(trail, "team and no active user", rule.route_to, directory)
        elif (barred := cannot_review(rule.route_to, directory)) is not None:
            yield Contradiction(trail, barred, "KT346")
        yield from _told_on(settings, (*base, number, "notification_channel"), rule.notification_channel)
    if rules and caught is None:
        told = "the last rule is no catch-all: a case that none matches would go where nobody said"
        yield Contradiction((*base, len(rules) - 1), told, "KT302")


def _told_on(settings: EscalationSettings, trail: Trail, written: str | None) -> Iterator[Contradiction]:
    if written is None or written.partition(":")[0] == "log":
        return
    if find_channel(settings.notification_channels, written)[0] is None:
        yield _missing(trail, "channel", written, ("log", *settings.notification_channels), "KT303")


def _defaults(settings: EscalationSettings, directory: Directory | None) -> Iterator[Contradiction]:
    base, defaults = "notification_defaults", settings.notification_defaults
    for team, written in defaults.teams.items():
        yield from _told_on(settings, (base, "teams", team), written)
        if directory is not None and team not in directory.teams:
            yield _nobody((base, "teams", team), "team", team, directory)
    for name, written in defaults.users.items():
        yield from _told_on(settings, (base, "users", name), written)
        if directory is not None and directory.user(name) is None:
            yield _nobody((base, "users", name), "active user", name, directory)
    if directory is None or defaults.quiet_hours is None:
        return
    for team in defaults.quiet_hours.teams:
        if team not in directory.teams:
            yield _nobody((base, "quiet_hours", "teams", team), "team", team, directory)
    for name in defaults.quiet_hours.users:
        if directory.user(name) is None:
            yield _nobody((base, "quiet_hours", "users", name), "active user", name, directory)


def _missing(trail: Trail, what: str, name: str, known: Iterable[str], rule: str = "KT340") -> Contradiction:
    there = tuple(sorted(known))
    return Contradiction(
        trail, f"there is no {what} {name!r}; there is {', '.join(there) or 'none'}", rule, name, there
    )


def _channels(settings: EscalationSettings) -> Iterator[Contradiction]:
    for name, channel in settings.notification_channels.items():
        if isinstance(channel, SlackChannel) and channel.interactive and not _answers(channel):
            told = "buttons act only where clicks can come in; set signing_secret_ref, or app_token_ref for Socket Mode"
            yield Contradiction(("notification_channels", name, "interactive"), told, "KT344")
        yield from _falls(settings.notification_channels, name, channel)


def _answers(channel: SlackChannel) -> bool:
    return channel.signing_secret_ref is not None or channel.app_token_ref is not None


def _falls(channels: Mapping[str, Channel], name: str, channel: Channel) -> Iterator[Contradiction]:
    """What is wrong with where a channel falls through to."""
    trail, passed = ("notification_channels", name, "fall_through"), [channel]
    while isinstance(channel, Reached) and channel.fall_through not in (None, "log"):
        written = channel.fall_through or ""
        found, _ = find_channel(channels, written)
        if found is None:
            if len(passed) == 1:
                yield _missing(trail, "channel", written, ("log", *channels), "KT303")
            return
        if any(found is one for one in passed):
            told = f"{written!r} has failed already when it is its turn again: this goes round in a circle"
            yield Contradiction(trail, told, "KT344")
            return
        passed.append(channel := found)


def _assignment(settings: EscalationSettings, directory: Directory | None) -> Iterator[Contradiction]:
    assignment = settings.assignment
    for trail, one in [((), assignment), *((("teams", team), one) for team, one in assignment.teams.items())]:
        if one.schedule is not None and one.schedule not in settings.schedules:
            yield _missing(("assignment", *trail, "schedule"), "schedule", one.schedule, settings.schedules)
    for team in assignment.teams:
        if directory is not None and team not in directory.teams:
            yield _nobody(("assignment", "teams", team), "team", team, directory)


def _clocks(settings: EscalationSettings) -> Iterator[Contradiction]:
    sla = settings.sla
    yield from _leases(sla)
    yield from _clock(sla, ("sla",), settings.calendars)
    for number, override in enumerate(sla.overrides):
        yield from _clock(sla.with_override(override), ("sla", "overrides", number), settings.calendars)


def _leases(sla: SlaSettings) -> Iterator[Contradiction]:
    """Where a claim may outlast what its case is held to: whoever claims and leaves would let it breach."""
    if sla.given_lease is None:
        return
    common: dict[str, timedelta] = {severity.value: getattr(sla, severity.value) for severity in Severity}
    others = [(("sla", "overrides", number), one.targets) for number, one in enumerate(sla.overrides)]
    for trail, targets in [(("sla",), common), *others]:
        shortest = min(targets, key=targets.__getitem__, default=None)
        if shortest is not None and sla.given_lease > targets[shortest]:
            lease, target = format_duration(sla.given_lease), format_duration(targets[shortest])
            told = f"a claim of {lease} outlasts the target of {shortest}, {target}"
            yield Contradiction((*trail, "claim_lease" if targets is common else shortest), told, "KT304")


def _clock(sla: SlaSettings, trail: Trail, calendars: Mapping[str, object]) -> Iterator[Contradiction]:
    if sla.calendar is not None and sla.calendar not in calendars:
        yield _missing((*trail, "calendar"), "calendar", sla.calendar, calendars)
    for severity, claim_target in sla.claim_targets.items():
        target = getattr(sla, severity.value)
        if claim_target > target:
            told = f"to claim it may take {format_duration(claim_target)}, to decide it {format_duration(target)}"
            yield Contradiction((*trail, "claim_targets", severity.value), told, "KT341")
