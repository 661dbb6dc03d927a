"""What is odd in a policy configuration that loads: policies, routes and groups that do not do what was meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from policies.chain import Chain
from policies.config import PolicyConfig
from policies.documents import Document, Trail
from policies.lint_second_looks import in_clear, second_look_complaints, secret_complaints
from policies.loading import Complaint, complain
from policies.options import OwnDetector, PiiDetector, PromptInjection
from policies.rate_options import RateAnomaly
from policies.targets import EscalationRouting, Target


def policy_complaints(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    """Every warning, in no particular order."""

    def warn(rule: str, told: str, *trail: str | int) -> Complaint:
        return complain(document, trail, rule, told, warning=True)

    if config.pack is not None and not config.pack.enabled:
        yield warn("KT107", "a gateway refuses to start with this pack", "pack", "enabled")
    yield from _chain(document, config)
    yield from _oversight(document, config)
    yield from second_look_complaints(document, config)
    yield from _repetitions(document)
    yield from _targets(document, config)
    yield from _groups(document, config)
    yield from _reach(document, config)
    kinds = [config, *(config.for_group(name) for name in config.consumer_groups)]
    if config.streaming == "window" and config.policies.chain and not any(_can_window(kind) for kind in kinds):
        yield warn("KT213", "streams are buffered: a policy of the chain needs whole answers", "streaming")


_OF_REQUESTS = ("pii-detector", "data-loss")


def _can_window(config: PolicyConfig) -> bool:
    made = Chain(config)
    return made.only_redacts_answers or not made.looks_at_answers


def _reach(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    """How far policies act: those that do nothing, and those that only look."""
    escalating = config.escalating
    for name, options in config.options.items():
        trail: Trail = ("detectors" if name in config.detectors else "policy", name)
        rollout = options.rollout
        if options.mode == "off" or (rollout is not None and rollout.percent == 0):
            where = (*trail, "mode" if options.mode == "off" else "rollout")
            yield complain(document, where, "KT218", f"{name} stands in the chain and never acts", warning=True)
        elif options.mode == "shadow" and escalating == (name,):
            told = f"{name} is the only policy that would escalate, and it is in shadow"
            yield complain(document, (*trail, "mode"), "KT219", told, warning=True)
        if isinstance(options, OwnDetector) and options.url and options.secret_key_ref and in_clear(options.url):
            told = f"the secret of {name!r} is sent over plain http"
            yield complain(document, (*trail, "url"), "KT221", told, warning=True)
        if isinstance(options, PiiDetector) and options.pci_mode and options.mode != "off" and not options.always_acts:
            told = "pci_mode is on, and pii-detector is not enforced for everybody: cards go on as they are"
            yield complain(document, (*trail, "pci_mode"), "KT226", told, warning=True)
        if isinstance(options, RateAnomaly) and options.on_unknown == "log":
            told = "while nobody knows how often consumers are escalated, everything passes"
            yield complain(document, (*trail, "on_unknown"), "KT227", told, warning=True)
        if isinstance(options, PromptInjection) and not 0.25 <= options.threshold <= 0.9:
            much = "single ordinary words are held" if options.threshold < 0.25 else "next to nothing is ever held"
            yield complain(
                document, (*trail, "threshold"), "KT222", f"threshold {options.threshold}: {much}", warning=True
            )


def _chain(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    chain, base = config.policies.chain, ("policies", "chain")

    def warn(rule: str, told: str, *trail: str | int) -> Complaint:
        return complain(document, trail, rule, told, warning=True)

    if ("policies",) in document.places and not chain:
        yield warn("KT205", "policies.chain is empty; a gateway refuses to start with it", *base)
    in_groups = {name for group in config.consumer_groups.values() for name in group.chain or ()}
    said = [("policy", name) for name in config.policy.model_dump(by_alias=True, exclude_none=True)]
    for block, name in (*said, *(("detectors", name) for name in config.detectors)):
        if chain and name not in chain and name not in in_groups:
            told = f"{name} has options but is not in policies.chain, so it never runs"
            yield warn("KT201", told, block, name)
    if not chain:
        return
    if "audit-logger" not in chain:
        yield warn("KT207", "audit-logger is not in the chain", *base)
    elif chain[-1] != "audit-logger":
        yield warn("KT202", "audit-logger should be the last of the chain", *base, chain.index("audit-logger"))
    if "pii-detector" in chain and "human-oversight" in chain[: chain.index("pii-detector")]:
        told = "pii-detector should stand before human-oversight, so that reviewers do not see what it redacts"
        yield warn("KT203", told, *base, chain.index("pii-detector"))
    if "prompt-injection" in chain:
        place = chain.index("prompt-injection")
        if any(name in _OF_REQUESTS for name in chain[:place]):
            yield warn("KT208", "prompt-injection should be the first of the chain", *base, place)


def _oversight(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    def warn(rule: str, told: str, *trail: str | int) -> Complaint:
        return complain(document, ("policy", "human-oversight", *trail), rule, told, warning=True)

    routes = [trail for trail in document.places if trail[-1:] == ("escalation_routing",)]
    kinds = [config, *(config.for_group(name) for name in config.consumer_groups)]
    if routes and config.policies.chain and not any(kind.escalating for kind in kinds):
        if "human-oversight" in config.policies.chain:
            yield warn("KT223", "reviewers are named, but human-oversight does not escalate", "action")
        else:
            yield complain(
                document,
                routes[0],
                "KT204",
                "no policy of the chain escalates: this route is never taken",
                warning=True,
            )
    options = config.policy.human_oversight
    if options is None:
        return
    for category in options.severity:
        if category not in options.require_human_for:
            told = f"the severity of {category} is never used: require_human_for does not name it"
            yield warn("KT209", told, "severity", category)
    if options.ambiguous is not None and options.ambiguous[1] < options.threshold:
        told = f"the grey band ends at {options.ambiguous[1]}, below the threshold of {options.threshold}"
        yield warn("KT225", told, "ambiguous")
    hold = options.hold
    if hold.max_wait <= hold.grace:
        yield warn("KT214", "hold.max_wait is not longer than hold.grace", "hold", "max_wait")
    elif hold.keepalive >= hold.max_wait:
        yield warn("KT214", "hold.keepalive is not shorter than hold.max_wait", "hold", "keepalive")
    if not 0.2 <= options.threshold <= 0.95:
        much = "next to everything is held" if options.threshold < 0.2 else "next to nothing is ever held"
        yield warn("KT222", f"threshold {options.threshold}: {much}", "threshold")


def _repetitions(document: Document) -> Iterator[Complaint]:
    """Lists in which order or number mean nothing."""
    for trail in document.places:
        if trail[-1:] not in (("require_human_for",), ("entities",)):
            continue
        items = document.data
        for part in trail:
            items = items[part]
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if item in items[:index]:
                yield complain(document, (*trail, index), "KT217", f"{item!r} is written twice", warning=True)


def _targets(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    targets, base = config.providers.targets, ("providers", "targets")

    def warn(rule: str, told: str, *trail: str | int) -> Complaint:
        return complain(document, (*base, *trail), rule, told, warning=True)

    any_route = any(target.escalation_routing for target in targets)
    for index, target in enumerate(targets):
        routed = [entry for entry in target.models if entry.escalation_routing]
        if any_route and target.escalation_routing is None and (not routed or len(routed) < len(target.models)):
            told = f"target {target.id!r} does not say who reviews, and others do"
            yield warn("KT210", told, index)
        for number, entry in enumerate(target.models):
            if routed and entry.escalation_routing is None and target.escalation_routing is not None:
                told = f"model {entry.model!r} has no route of its own, so that of target {target.id!r} wins"
                yield warn("KT211", told, index, "models", number)
        for name, count in Counter(entry.model for entry in target.models).items():
            if count > 1:
                numbers = [n for n, entry in enumerate(target.models) if entry.model == name]
                yield warn("KT215", f"target {target.id!r} names model {name!r} twice", index, "models", numbers[1])
        yield from _secrets(document, (*base, index), target)
    yield from _two_reviewers(document, targets)


def _secrets(document: Document, trail: Trail, target: Target) -> Iterator[Complaint]:
    if target.secret_key_ref is not None:
        yield from secret_complaints(document, trail, target.secret_key_ref)
        if target.base_url and in_clear(target.base_url):
            told = f"the secret of {target.id!r} is sent over plain http"
            yield complain(document, (*trail, "base_url"), "KT221", told, warning=True)


def _two_reviewers(document: Document, targets: tuple[Target, ...]) -> Iterator[Complaint]:
    """The same model behind two targets, with another reviewer each."""
    first: dict[str, EscalationRouting | None] = {}
    for index, target in enumerate(targets):
        for model in target.names:
            entry = target.model_entry(model)
            route = (entry.escalation_routing if entry else None) or target.escalation_routing
            if model in first and None not in (first[model], route) and first[model] != route:
                told = f"model {model!r} of {target.id!r} goes to another reviewer than an earlier target's"
                yield complain(document, ("providers", "targets", index), "KT212", told, warning=True)
            first.setdefault(model, route)


def _groups(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    for name, group in config.consumer_groups.items():
        trail = ("consumer_groups", name)
        if group.chain is None and not group.policy and group.limits is None:
            yield complain(document, trail, "KT216", f"group {name!r} changes nothing", warning=True)
        if group.chain is not None and "human-oversight" in set(config.policies.chain) - set(group.chain):
            told = f"nothing of group {name!r} is held: its chain leaves human-oversight out"
            yield complain(document, (*trail, "chain"), "KT224", told, warning=True)
