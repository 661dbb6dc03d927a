"""What is wrong with settings that are each well written: references to nothing, and parts that contradict each other.

Asked when settings are saved, never when they are read: what was saved once must stay readable, though a calendar may
run out of open days and people may leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalations.approvals import shortages
from escalations.chain_checks import chain_faults, unknown_in_chains
from escalations.channels import Channel, Reached, SlackChannel, find_channel
from escalations.directory import Directory
from escalations.durations import format_duration
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.sla_settings import SlaSettings

Trail = tuple[str | int, ...]
"""Where in the document: keys and, in lists, positions."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    trail: Trail
    message: str


def contradictions(settings: EscalationSettings, directory: Directory, now: datetime) -> Iterator[Contradiction]:
    """Every fault, in the order of the document."""
    yield from _clocks(settings)
    for number, rule in enumerate(settings.escalation_routing.rules):
        kind, _, wanted = rule.route_to.partition(":")
        if kind == "schedule" and wanted not in settings.schedules:
            known = ", ".join(sorted(settings.schedules)) or "none"
            trail = ("escalation_routing", "rules", number, "route_to")
            yield Contradiction(trail, f"there is no schedule {wanted!r}; there is {known}")
    yield from (Contradiction(*fault) for fault in chain_faults(settings))
    yield from (Contradiction(*fault) for fault in unknown_in_chains(settings, directory))
    yield from _channels(settings)
    yield from _assignment(settings, directory)
    for name, calendar in settings.calendars.items():
        try:
            calendar.calendar().check_opens(now)
        except ValueError as fault:
            yield Contradiction(("calendars", name), str(fault))
    for name, schedule in settings.schedules.items():
        for login in sorted(schedule.schedule(name).people):
            if directory.user(login) is None:
                yield Contradiction(("schedules", name), f"there is no active user {login!r}; see `kt user list`")
    for number, field, told in shortages(settings, directory):
        parts = tuple(int(part) if part.isdigit() else part for part in field.split("."))
        yield Contradiction(("decisions", "approvals", number, *parts), told)


def _channels(settings: EscalationSettings) -> Iterator[Contradiction]:
    for name, channel in settings.notification_channels.items():
        if isinstance(channel, SlackChannel) and channel.interactive and not _answers(channel):
            told = "buttons act only where clicks can come in; set signing_secret_ref, or app_token_ref for Socket Mode"
            yield Contradiction(("notification_channels", name, "interactive"), told)
        fault = _falls(settings.notification_channels, channel)
        if fault is not None:
            yield Contradiction(("notification_channels", name, "fall_through"), fault)


def _answers(channel: SlackChannel) -> bool:
    return channel.signing_secret_ref is not None or channel.app_token_ref is not None


def _falls(channels: Mapping[str, Channel], channel: Channel) -> str | None:
    """What is wrong with where a channel falls through to."""
    passed = [channel]
    while isinstance(channel, Reached) and channel.fall_through not in (None, "log"):
        found, _ = find_channel(channels, channel.fall_through)
        if found is None:
            known = ", ".join(sorted(channels))
            return f"there is no channel {channel.fall_through!r}; there is {known}" if len(passed) == 1 else None
        if any(found is one for one in passed):
            return f"{channel.fall_through!r} has failed already when it is its turn again: this goes round in a circle"
        passed.append(channel := found)
    return None


def _assignment(settings: EscalationSettings, directory: Directory) -> Iterator[Contradiction]:
    assignment = settings.assignment
    for trail, one in [((), assignment), *((("teams", team), one) for team, one in assignment.teams.items())]:
        if one.schedule is not None and one.schedule not in settings.schedules:
            known = ", ".join(sorted(settings.schedules)) or "none"
            told = f"there is no schedule {one.schedule!r}; there is {known}"
            yield Contradiction(("assignment", *trail, "schedule"), told)
    for team in assignment.teams:
        if team not in directory.teams:
            yield Contradiction(("assignment", "teams", team), f"there is no team {team!r}; see `kt team list`")


def _clocks(settings: EscalationSettings) -> Iterator[Contradiction]:
    sla = settings.sla
    overrides = [sla.with_override(override) for override in sla.overrides]
    longest = max(_targets(one)[severity] for one in (sla, *overrides) for severity in Severity)
    if sla.claim_lease is not None and sla.claim_lease > longest:
        told = f"a claim of {format_duration(sla.claim_lease)} outlasts every target; the longest is"
        yield Contradiction(("sla", "claim_lease"), f"{told} {format_duration(longest)}")
    yield from _clock(sla, ("sla",), settings.calendars)
    for number, merged in enumerate(overrides):
        yield from _clock(merged, ("sla", "overrides", number), settings.calendars)


def _clock(sla: SlaSettings, trail: Trail, calendars: Mapping[str, object]) -> Iterator[Contradiction]:
    if sla.calendar is not None and sla.calendar not in calendars:
        known = ", ".join(sorted(calendars)) or "none"
        yield Contradiction((*trail, "calendar"), f"there is no calendar {sla.calendar!r}; there is {known}")
    targets = _targets(sla)
    for severity, claim_target in sla.claim_targets.items():
        if claim_target > targets[severity]:
            told = f"to claim it may take {format_duration(claim_target)}, to decide it"
            yield Contradiction(
                (*trail, "claim_targets", severity.value), f"{told} {format_duration(targets[severity])}"
            )


def _targets(sla: SlaSettings) -> dict[Severity, timedelta]:
    return {severity: getattr(sla, severity.value) for severity in Severity}
