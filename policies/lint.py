"""`kt policy lint`: what a configuration says, and what it probably did not mean to say.

A file is a policy configuration (`pack`, `providers`, `policies`, `policy`), or escalation settings (`sla`,
`escalation_routing`, `notification_channels` …), recognised by its keys. Errors make it unusable; warnings do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from escalations.directory import Directory
from escalations.settings import EscalationSettings
from policies.cases import Cases, is_cases, policy_of
from policies.documents import Document, Unreadable, read_document
from policies.faults import suggest
from policies.fetching import fetch
from policies.ignoring import apply_ignores
from policies.lint_people import nobody_reviews
from policies.lint_policy import policy_complaints
from policies.lint_rules import RULES as RULES
from policies.lint_settings import settings_complaints
from policies.loading import BadConfig, Complaint, complain, load_document, load_policy_config, validate
from policies.settings_files import settings_of


def lint(path: Path, directory: Directory | None = None) -> list[Complaint]:
    """Everything that is wrong or odd in a file, in the order of its lines. With a `directory`, the people too, and the
    calendars that have an address."""
    try:
        document = read_document(path)
    except Unreadable as fault:
        return [Complaint(fault.rule, fault.message, str(path), fault.line, fault.column)]
    return lint_document(document, directory)


def lint_document(document: Document, directory: Directory | None = None) -> list[Complaint]:
    """The same for a document that has been read."""
    try:
        if is_cases(document):
            found = list(_cases(document))
        elif is_settings(document):
            found = list(
                settings_complaints(document, settings_of(document, None if directory is None else fetch), directory)
            )
        else:
            found = list(policy_complaints(document, load_document(document).config))
            if directory is not None:
                found += _unknown_people(document, directory)
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


def _unknown_people(document: Document, directory: Directory) -> Iterator[Complaint]:
    for trail in document.places:
        if not trail or trail[-1] not in ("team_id", "user_id"):
            continue
        named = document.data
        for part in trail:
            named = named[part]
        if not isinstance(named, str):
            continue
        if trail[-1] == "team_id":
            what, there, missing = "team", sorted(directory.teams), named.removeprefix("team:") not in directory.teams
        else:
            what, there, missing = "user", sorted(directory.users), directory.user(named) is None
        if missing:
            yield complain(
                document, trail, "KT320", f"there is no {what} {named!r}{suggest(named, there)}", warning=True
            )
        elif (nobody := nobody_reviews(f"{what}:{named.removeprefix('team:')}", directory)) is not None:
            yield complain(document, trail, "KT346", nobody, warning=True)
