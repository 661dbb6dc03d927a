"""What is wrong or odd in escalation settings that load: what contradicts itself, and what was probably not meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from escalations.calendars import YEAR
from escalations.channels import EmailChannel, WebhookChannel
from escalations.directory import Directory
from escalations.routes import OnExhausted
from escalations.schedules import Layer
from escalations.settings import EscalationSettings, Match, TimeOfDay
from escalations.settings_checks import Contradiction, contradictions
from policies.config import OVERSIGHT_CATEGORIES, POLICIES
from policies.documents import Document
from policies.faults import suggest
from policies.lint_clocks import clock_warnings
from policies.lint_people import people_warnings
from policies.loading import Complaint, complain


def settings_complaints(
    document: Document, settings: EscalationSettings, directory: Directory | None = None
) -> Iterator[Complaint]:
    """Everything that is wrong or odd, in no particular order. People and teams are asked for with a directory only."""
    for fault in contradictions(settings, directory, datetime.now(UTC)):
        # Channels may stand in another file, as long as this one has none.
        elsewhere = fault.rule == "KT303" and not settings.notification_channels
        yield contradiction_complaint(document, fault, warning=elsewhere)
    yield from settings_warnings(document, settings, directory)


def settings_warnings(
    document: Document, settings: EscalationSettings, directory: Directory | None
) -> Iterator[Complaint]:
    """What is only odd: such settings are taken all the same."""
    yield from _rules(document, settings)
    yield from _policy_names(document, settings)
    yield from clock_warnings(document, settings)
    yield from _hours(document, settings)
    yield from _channels(document, settings)
    yield from _chains(document, settings)
    yield from _far_away(document, settings)
    if directory is not None:
        yield from people_warnings(document, settings, directory)


def _chains(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    used = {rule.route_to for rule in settings.escalation_routing.rules}
    used |= {leg.to for chain in settings.chains.values() for leg in chain.legs}
    for name, chain in settings.chains.items():
        if chain.on_exhausted is OnExhausted.ALLOW:
            told = f"what nobody takes in the chain {name!r} is released though nobody has looked at it"
            yield complain(document, ("chains", name, "on_exhausted"), "KT313", told, warning=True)
        if f"chain:{name}" not in used:
            yield complain(document, ("chains", name), "KT315", f"no rule leads to the chain {name!r}", warning=True)


def _far_away(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    """Rotations and overrides years away, or years long: a year was probably written wrong."""
    for name, schedule in settings.schedules.items():
        made, year = schedule.schedule(name), datetime.now(UTC) + YEAR
        rotations = [layer for layer in made.layers if isinstance(layer, Layer)]
        if made.begins(datetime.now(UTC)) is not None:
            continue
        for number, layer in enumerate(rotations):
            if layer.handoff(0) > year:
                trail = ("schedules", name, "layers", number, "start")
                told = f"the rotation {layer.name!r} begins in more than a year, on {layer.start.isoformat()}"
                yield complain(document, trail, "KT345", told, warning=True)
        for number, override in enumerate(made.overrides):
            where, told = "from", f"this override begins in more than a year, on {override.start.date().isoformat()}"
            if override.start <= year:
                where, told = "to", f"this override lasts for more than a year, until {override.end.date().isoformat()}"
            if override.start > year or override.end - override.start > YEAR:
                yield complain(document, ("schedules", name, "overrides", number, where), "KT345", told, warning=True)


def _chain_channels(settings: EscalationSettings) -> list[str]:
    """What the legs and ends of chains are told on."""
    chains = settings.chains.values()
    return [name for chain in chains for names in (chain.page, *(leg.notify for leg in chain.legs)) for name in names]


def contradiction_complaint(document: Document, fault: Contradiction, *, warning: bool = False) -> Complaint:
    """A contradiction as a complaint about the place where it stands."""
    lifted = (*fault.trail[:-1], "targets", *fault.trail[-1:])
    trail = lifted if lifted in document.places else fault.trail
    told = f"{fault.field}: {fault.message}{suggest(fault.name, fault.known)}"
    return complain(document, trail, fault.rule, told, warning=warning)


def _rules(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    rules, base = settings.escalation_routing.rules, ("escalation_routing", "rules")

    def warn(rule: str, told: str, *trail: str | int) -> Complaint:
        return complain(document, (*base, *trail), rule, told, warning=True)

    for index, rule in enumerate(rules):
        before = next((earlier for earlier in rules[:index] if _covers(earlier.match, rule.match)), None)
        caught = any(earlier.catches_all for earlier in rules[:index])
        if before is not None and not caught:
            told = f"rule {rule.name!r} stands behind rule {before.name!r}, which matches all that it would"
            yield warn("KT301", f"{told} and is never reached", index)


def _policy_names(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    """Names nearly those of a policy: what stands under one would never apply, and nobody would see."""
    known = {*POLICIES, *OVERSIGHT_CATEGORIES}
    for trail, names in _named_policies(settings):
        for number, name in enumerate(names or ()):
            word = name.rpartition(".")[2]
            near = suggest(word, known, cutoff=0.85)
            if word not in known and near:
                told = f"no policy and no category is named {name!r}{near}"
                yield complain(document, (*trail, number), "KT310", told, warning=True)


def _named_policies(settings: EscalationSettings) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...] | None]]:
    """Every place where settings name policies or what they find, and the names there."""
    for index, rule in enumerate(settings.escalation_routing.rules):
        yield ("escalation_routing", "rules", index, "match", "policy_rule"), rule.match.policy_rule
    for index, override in enumerate(settings.sla.overrides):
        yield ("sla", "overrides", index, "match", "policy"), override.match.policy
    decisions = settings.decisions
    for index, approval in enumerate(decisions.approvals):
        yield ("decisions", "approvals", index, "match", "policy_rule"), approval.match.policy_rule
    yield ("decisions", "slack_decisions"), decisions.slack_decisions
    if decisions.second_review is not None:
        yield ("decisions", "second_review", "policy_rule"), decisions.second_review.policy_rule


def _covers(earlier: Match, later: Match) -> bool:
    """Whether whatever `later` matches, `earlier` matches too."""
    for name in Match.model_fields:
        wanted: Any = getattr(earlier, name)
        if name == "any" or wanted is None:
            continue
        found: Any = getattr(later, name)
        if name in ("time_of_day", "score"):
            if found != wanted:
                return False
        elif found is None or not set(found) <= set(wanted):
            return False
    return True


def _hours(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    hours, rules = settings.business_hours, settings.escalation_routing.rules
    if hours.start == hours.end or not hours.days:
        told = "business_hours has no length" if hours.days else "business_hours has no days"
        yield complain(document, ("business_hours", "days" if not hours.days else "from"), "KT308", told, warning=True)
    kinds = [rule.match.time_of_day for rule in rules]
    for index, kind in enumerate(kinds):
        if isinstance(kind, TimeOfDay) and kind.start == kind.end:
            where = ("escalation_routing", "rules", index, "match", "time_of_day")
            yield complain(document, where, "KT308", "this stretch of the day has no length", warning=True)
    caught = any(rule.catches_all for rule in rules)
    for hour, other in _OPPOSITES:
        if hour in kinds and other not in kinds and not caught:
            trail = ("escalation_routing", "rules", kinds.index(hour))
            yield complain(document, trail, "KT309", f"no rule is for {other}", warning=True)


_OPPOSITES: tuple[tuple[Literal["inside_business_hours", "outside_business_hours"], str], ...] = (
    ("inside_business_hours", "outside_business_hours"),
    ("outside_business_hours", "inside_business_hours"),
)


def _channels(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    rules, channels = settings.escalation_routing.rules, settings.notification_channels
    defaults = settings.notification_defaults
    named_by_rules = [rule.notification_channel for rule in rules if rule.notification_channel is not None]
    told_on = [*named_by_rules, *_chain_channels(settings), *defaults.teams.values(), *defaults.users.values()]
    named = {part for name in told_on for part in name.split(":")[:2]}
    if "sla" in settings.model_fields_set and all(name.split(":")[0] == "log" for name in told_on):
        yield complain(
            document, ("sla",), "KT307", "there are SLA targets, but nobody is told before a breach", warning=True
        )
    for name, channel in channels.items():
        trail = ("notification_channels", name)
        # A webhook may be a consumer's: a policy configuration names it in hold.webhook.
        if rules and name not in named and channel.type not in ("webhook", "log"):
            yield complain(document, trail, "KT311", f"no rule names the channel {name!r}", warning=True)
        if isinstance(channel, WebhookChannel) and channel.url.startswith("http://") and not _local(channel.url):
            yield complain(document, (*trail, "url"), "KT312", f"{name!r} is called over plain http", warning=True)
        if isinstance(channel, EmailChannel) and channel.tls == "none" and not _local(f"smtp://{channel.host}"):
            yield complain(document, (*trail, "tls"), "KT312", f"{name!r} sends mail without TLS", warning=True)


def _local(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    return host in ("localhost", "127.0.0.1", "[") or host.endswith((".localhost", ".internal", ".local"))
