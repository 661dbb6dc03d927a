"""`kt policy lint`: what a configuration says, and what it probably did not mean to say.

A file is a policy configuration (`pack`, `providers`, `policies`, `policy`), or escalation settings (`sla`,
`escalation_routing`, `notification_channels` …), recognised by its keys. Errors make it unusable; warnings do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from escalations.settings import EscalationSettings
from policies.config import PolicyConfig
from policies.documents import Document, Unreadable, read_document
from policies.loading import BadConfig, Complaint, complain, load_policy_config, validate

RULES = {
    "KT001": "The file cannot be read, or is not YAML.",
    "KT002": "A key is written twice; YAML would silently keep the last.",
    "KT003": "The file is too large, too deep, or uses aliases.",
    "KT101": "A key that nothing knows: a typo would otherwise switch something off without a word.",
    "KT102": "A policy that does not exist.",
    "KT103": "A value of the wrong kind.",
    "KT104": "Both team_id and user_id are set; a route goes to exactly one.",
    "KT105": "A routing block with neither team_id nor user_id; set one, or remove the block to fall to the rules.",
    "KT106": "Something that is needed is missing.",
    "KT107": "The pack is not enabled, so a gateway refuses to start with it.",
    "KT201": "A policy has options but is not in policies.chain, so it never runs.",
    "KT202": "audit-logger is not the last of the chain, so what follows it is not recorded.",
    "KT203": "pii-detector stands after human-oversight, so reviewers see what it would have redacted.",
    "KT205": "The chain is empty.",
    "KT206": "A secret is not there.",
    "KT301": "A routing rule stands behind a catch-all and can never be reached.",
    "KT302": "The last routing rule is no catch-all; unmatched escalations go to the team default-reviewers.",
    "KT303": "A rule names a notification channel that is not set up; its notifications go to the worker's log.",
}
_BUILT_IN_CHANNELS = frozenset({"log"})


def lint(path: Path) -> list[Complaint]:
    """Everything that is wrong or odd in a file, in the order of its lines."""
    try:
        document = read_document(path)
        keys = set(document.data) if isinstance(document.data, dict) else set()
        if keys and keys <= set(EscalationSettings.model_fields):
            found = list(_settings(document, validate(document, EscalationSettings)))
        else:
            loaded = load_policy_config(path)
            found = list(_policy(loaded.document, loaded.config))
    except Unreadable as fault:
        found = [Complaint(fault.rule, fault.message, str(path), fault.line, fault.column)]
    except BadConfig as fault:
        found = list(fault.complaints)
    return sorted(found, key=lambda complaint: (complaint.line, complaint.column))


def _policy(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    chain = config.policies.chain
    for name in config.policy.model_dump(by_alias=True, exclude_none=True):
        if chain and name not in chain:
            told = f"{name} has options but is not in policies.chain, so it never runs"
            yield complain(document, ("policy", name), "KT201", told, warning=True)
    if "audit-logger" in chain and chain[-1] != "audit-logger":
        trail = ("policies", "chain", chain.index("audit-logger"))
        yield complain(document, trail, "KT202", "audit-logger should be the last of the chain", warning=True)
    if "pii-detector" in chain and "human-oversight" in chain[: chain.index("pii-detector")]:
        trail = ("policies", "chain", chain.index("pii-detector"))
        told = "pii-detector should stand before human-oversight, so that reviewers do not see what it redacts"
        yield complain(document, trail, "KT203", told, warning=True)
    if config.pack is not None and not config.pack.enabled:
        yield complain(
            document, ("pack", "enabled"), "KT107", "a gateway refuses to start with this pack", warning=True
        )


def _settings(document: Document, settings: EscalationSettings) -> Iterator[Complaint]:
    rules = settings.escalation_routing.rules
    caught = False
    for index, rule in enumerate(rules):
        trail = ("escalation_routing", "rules", index)
        if caught:
            told = f"rule {rule.name!r} stands behind a catch-all and is never reached"
            yield complain(document, trail, "KT301", told, warning=True)
        caught = caught or rule.catches_all
        kind, _, name = rule.notification_channel.partition(":")
        if kind not in _BUILT_IN_CHANNELS and (name or kind) not in settings.notification_channels:
            told = f"channel {rule.notification_channel!r} is not in notification_channels; it falls back to the log"
            yield complain(document, (*trail, "notification_channel"), "KT303", told, warning=True)
    if rules and not caught:
        trail = ("escalation_routing", "rules", len(rules) - 1)
        yield complain(
            document, trail, "KT302", "add a catch-all (`match: {any: true}`) as the last rule", warning=True
        )
