"""What is odd in settings by who there is: routes on which nobody is, and teams that nobody has."""

from __future__ import annotations

from collections.abc import Iterator

from escalations.assignment import Strategy
from escalations.chain_checks import cannot_review
from escalations.directory import Directory, destination
from escalations.settings import EscalationSettings
from escalations.settings_checks import named_in
from policies.documents import Document, Trail
from policies.faults import suggest
from policies.loading import Complaint, complain


def people_warnings(document: Document, settings: EscalationSettings, directory: Directory) -> Iterator[Complaint]:
    for trail, teams in _matched(settings):
        known = directory.teams | directory.consumer_teams
        for number, team in enumerate(teams or ()):
            if team not in known:
                told = f"no team is named {team!r}, and no consumer has it{suggest(team, sorted(known))}"
                yield complain(document, (*trail, number), "KT310", told, warning=True)
    for trail, to in _destinations(settings):
        nobody = nobody_reviews(to, directory) if destination(to, directory)[0] is not None else None
        if nobody is not None:
            yield complain(document, trail, "KT346", nobody, warning=True)
    for name, schedule in settings.schedules.items():
        feed = schedule.feed
        given = [("ical", login) for _, login in feed.named()] if feed is not None else []
        for part, login in (*(((where,), login) for where, login in given), *named_in(schedule)):
            barred = nobody_reviews(f"user:{login}", directory)
            if barred is not None:
                yield complain(document, ("schedules", name, *part), "KT346", barred, warning=True)


def nobody_reviews(to: str, directory: Directory) -> str | None:
    """Why a route to a person or a team leads to nobody; None where it leads to somebody, or there is no such."""
    team, _ = destination(to, directory)
    if team is not None and not directory.reviewers(team):
        return f"nobody in the team {team!r} may review, so no case would ever wait for them"
    return cannot_review(to, directory)


def _matched(settings: EscalationSettings) -> Iterator[tuple[Trail, tuple[str, ...] | None]]:
    """Every place where settings ask for a consumer's own team."""
    for index, rule in enumerate(settings.escalation_routing.rules):
        yield ("escalation_routing", "rules", index, "match", "team"), rule.match.team
    for index, override in enumerate(settings.sla.overrides):
        yield ("sla", "overrides", index, "match", "team"), override.match.team


def _destinations(settings: EscalationSettings) -> Iterator[tuple[Trail, str]]:
    """Where cases may go: of rules, of legs, and the teams in which they are given out."""
    for index, rule in enumerate(settings.escalation_routing.rules):
        yield ("escalation_routing", "rules", index, "route_to"), rule.route_to
    for name, chain in settings.chains.items():
        for index, leg in enumerate(chain.legs):
            yield ("chains", name, "legs", index, "to"), leg.to
    for team, assignment in settings.assignment.teams.items():
        if assignment.strategy is not Strategy.QUEUE:
            yield ("assignment", "teams", team), f"team:{team}"
