"""The policy chain: what it makes of a request before the model sees it, and of an answer before anybody does.

Policies run in the order of the chain. A policy that fails does not stay silent: its answer is held for a person. One
in shadow leaves what it found on the record and does nothing. Detectors of the user's own are not called here: they
may take time (`gateway.detectors`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from policies import applying, attempts, canaries, content_rules, rates
from policies.applying import Looking, Replacing, personal, replaced
from policies.config import PolicyConfig
from policies.detectors import Span
from policies.doubts import settle
from policies.findings import Finding, Screened, Verdict, failed
from policies.given import UNGIVEN, Given
from policies.governed import Governed, Rollout
from policies.options import (
    ContentRules,
    DataLoss,
    HumanOversight,
    OwnDetector,
    PiiDetector,
    PromptInjection,
    TopicAllow,
)
from policies.rate_options import RateAnomaly
from policies.rates import Rates

__all__ = ["Chain", "Finding", "Screened", "Verdict", "Who"]

_logger = logging.getLogger("keeptrusts.policies")
_STREAMED = frozenset({"redact", "mask", "hash"})
_OF_ANSWERS = frozenset({"pii-detector", "human-oversight", "data-loss", "content-rules"})


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a rollout goes by."""

    consumer: str
    request: str


Policy = Callable[[Screened, Looking], Screened]


class Chain:
    """The policies of one configuration, ready to run. It calls nobody and keeps nothing."""

    def __init__(self, config: PolicyConfig, shadow: PolicyConfig | None = None, given: Given = UNGIVEN) -> None:
        """`shadow` looks at the same requests and answers; what it finds is recorded, and nothing is done."""
        self._given = given
        self._shadow = Chain(shadow, given=given) if shadow is not None else None
        self._shadow_name = shadow.name if shadow is not None else None
        self.names = config.policies.chain
        self.oversight = config.policy.human_oversight
        self._options = {name: options for name, options in config.options.items() if options.mode != "off"}
        for options in self._options.values():
            if isinstance(options, RateAnomaly) and given.rates is not None:
                given.rates.want(options.window, options.baseline)
        made = {name: _policy(options, given) for name, options in self._options.items()}
        self._run_by = {name: policy for name, policy in made.items() if policy is not None}
        self._pii = config.policy.pii_detector or PiiDetector()
        injection = self._options.get("prompt-injection")
        self._canary = injection if isinstance(injection, PromptInjection) and injection.canary else None
        self.own = {name: options for name, options in self._options.items() if isinstance(options, OwnDetector)}

    @property
    def looks_at_answers(self) -> bool:
        """Whether an answer must be complete before any of it may leave, or its request be looked at elsewhere."""
        looks = bool(self.own or self._canary) or not _OF_ANSWERS.isdisjoint(self._options)
        return looks or (self._shadow is not None and self._shadow.looks_at_answers)

    @property
    def only_redacts_answers(self) -> bool:
        """Whether all that happens to an answer is that stretches of it are replaced, or that it is cut off."""
        if self._shadow is not None:
            return False
        looking = [name for name in self._options if name in _OF_ANSWERS or name in self.own]
        if not looking:
            return self._canary is not None
        return looking == ["pii-detector"] and self._pii.action in _STREAMED and self._pii.always_acts

    def redacted(self, text: str, path: str = "") -> str:
        """A piece of an answer as `pii-detector` leaves it. Raises what a detector raises: nothing may leave then."""
        return replaced(text, self._spans(text, path), Replacing(self._pii, self._given.pseudonym_key), path)

    def safe_end(self, text: str, end: int) -> int:
        """The last place up to `end` where a text may be cut without cutting through something that is found."""
        for span in reversed(self._spans(text)):
            if span.start < end < span.end:
                end = span.start
        return end

    def _spans(self, text: str, path: str = "") -> list[Span]:
        if "pii-detector" not in self._options:
            return []
        return sorted(personal(path, text, self._pii), key=lambda span: span.start)

    def canary_for(self, who: Who) -> str | None:
        """The word that is put into this consumer's system prompts; None where that is not done."""
        if self._canary is None or not self.acts("prompt-injection", who):
            return None
        return canaries.canary_of(who.consumer, self._given.pseudonym_key)

    def leaked(self, text: str, canary: str, path: str = "") -> tuple[str, Finding | None]:
        """A piece of an answer without the canary, and what that means where more than a note is to follow."""
        spans = canaries.find(path, text, canary)
        if not spans or self._canary is None:
            return text, None
        found = applying.leak(self._canary, Looking("output", {}), tuple(spans))
        return replaced(text, spans, lambda *_: "", path), None if found.action == "log" else found

    def hidden(self, document: dict[str, Any], looking: Looking, who: Who | None = None) -> list[Span]:
        """What of a document that is held reviewers see only as stars: the personal data that is left in it."""
        if "pii-detector" not in self._options or not self.acts("pii-detector", who):
            return []
        return [span for path, text in looking.texts(document) for span in personal(path, text, self._pii)]

    def screen_request(self, request: dict[str, Any], who: Who | None = None, *, later: bool = False) -> Screened:
        """The input policies, before the model is called. `later`: second looks are left to the caller."""
        return self._both(request, Looking("input", request, who.consumer if who else None), who, later)

    def screen_answer(
        self, request: dict[str, Any], completion: dict[str, Any], who: Who | None = None, *, later: bool = False
    ) -> Screened:
        """The output policies, over everything in the answer that is text. `later`: as for requests."""
        return self._both(completion, Looking("output", request, who.consumer if who else None), who, later)

    def acts(self, name: str, who: Who | None) -> bool:
        """Whether a policy is enforced for this request; where nobody says whose it is, it is."""
        options = self._options[name]
        return options.mode == "enforce" and (
            options.rollout is None or who is None or chosen(options.rollout, name, who)
        )

    def _both(self, document: dict[str, Any], looking: Looking, who: Who | None, later: bool) -> Screened:
        screened = self._run(Screened(document), looking, who, later)
        if self._shadow is None:
            return screened
        seen = self._shadow._run(Screened(document), looking, who, later)
        pending = tuple(replace(one, acts=False, config=self._shadow_name) for one in seen.pending)
        screened = replace(screened, pending=(*screened.pending, *pending))
        return screened.adding(*(finding.in_shadow(self._shadow_name) for finding in seen.findings))

    def _run(self, screened: Screened, looking: Looking, who: Who | None, later: bool) -> Screened:
        for name, policy in self._run_by.items():
            before = screened
            try:
                screened = policy(screened, looking)
                screened = screened if later else settle(screened)
            except Exception as fault:
                told = "policy %s failed on %s (%s); a person has to look"
                _logger.error(told, name, looking.stage, type(fault).__name__)
                screened = before.adding(failed(name, looking.stage))
            if screened is not before and not self.acts(name, who):
                new = screened.findings[len(before.findings) :]
                doubted = tuple(replace(one, acts=False) for one in screened.pending[len(before.pending) :])
                before = replace(before, pending=(*before.pending, *doubted))
                screened = before.adding(*(finding.in_shadow() for finding in new))
            if screened.verdict is Verdict.BLOCKED:
                break
        return screened


def chosen(rollout: Rollout, policy: str, who: Who) -> bool:
    """The same answer for the same consumer, or request, each time and in every process; another for each policy."""
    key = who.consumer if rollout.by == "consumer" else who.request
    digest = hashlib.sha256(f"{policy}\0{key}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8]) % 10_000 < rollout.percent * 100


def _policy(options: Governed, given: Given) -> Policy | None:
    """What a policy does, with what it needs made once; None for a detector that is called elsewhere."""
    match options:
        case PromptInjection():
            return _injected(options, given.pseudonym_key)
        case RateAnomaly():
            return _on("input", lambda screened, looking: _rated(screened, options, looking, given.rates))
        case TopicAllow():
            topics = tuple(topic.ready(name) for name, topic in options.topics.items())
            return _on("input", lambda screened, looking: applying.topics(screened, options, topics, looking))
        case ContentRules():
            rules = tuple(content_rules.ready(rule) for rule in options.rules)
            return lambda screened, looking: applying.own_rules(screened, rules, looking)
        case DataLoss():
            return lambda screened, looking: applying.secrets(screened, options, looking)
        case PiiDetector():
            key = given.pseudonym_key
            return lambda screened, looking: applying.personal_data(screened, options, looking, key)
        case HumanOversight():
            own = tuple(options.categories[name].ready(name) for name in options.categories)
            wanted = tuple(category for category in own if category.name in options.require_human_for)
            return _on("output", lambda screened, looking: applying.oversight(screened, options, wanted, looking))
    return None


def _injected(options: PromptInjection, key: bytes) -> Policy:
    asked = _on("input", lambda screened, looking: attempts.injection(screened, options, looking))
    if not options.canary:
        return asked
    answered = _on("output", lambda screened, looking: applying.canary(screened, options, looking, key))
    return lambda screened, looking: answered(asked(screened, looking), looking)


def _rated(screened: Screened, options: RateAnomaly, looking: Looking, known: Rates | None) -> Screened:
    if known is None or looking.consumer is None:
        return screened
    found = rates.judge(known.of(looking.consumer, options.window, options.baseline), options)
    return screened if found is None else screened.adding(found)


def _on(stage: str, policy: Policy) -> Policy:
    return lambda screened, looking: policy(screened, looking) if looking.stage == stage else screened
