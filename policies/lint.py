"""`kt policy lint`: what a configuration says, and what it probably did not mean to say.

A file is a policy configuration (`pack`, `providers`, `policies`, `policy`), or escalation settings (`sla`,
`escalation_routing`, `notification_channels` …), recognised by its keys. Errors make it unusable; warnings do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from escalations.settings import EscalationSettings
from policies.cases import Cases, is_cases, policy_of
from policies.documents import Document, Unreadable, read_document
from policies.faults import suggest
from policies.ignoring import apply_ignores
from policies.lint_policy import policy_complaints
from policies.lint_rules import RULES as RULES
from policies.lint_settings import settings_complaints
from policies.loading import BadConfig, Complaint, complain, load_document, load_policy_config, validate


@dataclass(frozen=True, slots=True)
class Known:
    """The teams and users of an installation, for those who lint with it at hand."""

    teams: frozenset[str]
    users: frozenset[str]


def lint(path: Path, known: Known | None = None) -> list[Complaint]:
    """Everything that is wrong or odd in a file, in the order of its lines."""
    try:
        document = read_document(path)
    except Unreadable as fault:
        return [Complaint(fault.rule, fault.message, str(path), fault.line, fault.column)]
    return lint_document(document, known)


def lint_document(document: Document, known: Known | None = None) -> list[Complaint]:
    """The same for a document that has been read."""
    try:
        if is_cases(document):
            found = list(_cases(document))
        elif is_settings(document):
            found = list(settings_complaints(document, validate(document, EscalationSettings)))
        else:
            found = list(policy_complaints(document, load_document(document).config))
        if known is not None:
            found += _unknown_people(document, known)
    except BadConfig as fault:
        found = list(fault.complaints)
    found = apply_ignores(document.text, document.name, found)
    return sorted(found, key=lambda complaint: (complaint.line, complaint.column, complaint.rule))


def _cases(document: Document) -> Iterator[Complaint]:
    """Files of cases: a policy or a category that the configuration beside it does not have is never found."""
    cases = validate(document, Cases)
    beside = policy_of(Path(document.name), cases)
    if beside == Path(document.name) or not beside.exists():
        told = "it names no policy, and its own name does not end in _test.yaml"
        told = told if beside == Path(document.name) else f"there is no policy {beside.name!r} beside it"
        yield complain(document, ("policy",), "KT401", told, warning=True)
        return
    config = load_policy_config(beside).config
    for index, case in enumerate(cases.cases):
        named = case.expect.policy
        if named is not None and named not in config.known_policies:
            trail = ("cases", index, "expect", "policy")
            told = f"no policy is named {named!r}{suggest(named, config.known_policies)}"
            yield complain(document, trail, "KT401", told, warning=True)


def is_settings(document: Document) -> bool:
    """Whether these are escalation settings rather than a policy configuration."""
    keys = set(document.data) if isinstance(document.data, dict) else set()
    return bool(keys) and keys <= set(EscalationSettings.model_fields)


_ADDRESSED = re.compile(r"(team|user):(.+)\Z")


def _unknown_people(document: Document, known: Known) -> Iterator[Complaint]:
    for trail in document.places:
        is_leg = trail[:1] == ("chains",) and trail[-1] == "to"
        if not trail or (trail[-1] not in ("team_id", "user_id", "route_to") and not is_leg):
            continue
        named = document.data
        for part in trail:
            named = named[part]
        if not isinstance(named, str) or named.startswith(("schedule:", "chain:")):
            continue
        match = _ADDRESSED.match(named) if is_leg or trail[-1] == "route_to" else None
        is_team = trail[-1] == "team_id" or (match is not None and match[1] == "team")
        name, there = (match[2] if match else named), known.teams if is_team else known.users
        if name not in there:
            what = "team" if is_team else "user"
            yield complain(document, trail, "KT320", f"there is no {what} {name!r}{suggest(name, there)}", warning=True)
