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
from policies.applying import Looking, personal
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
from policies.read_request import ReadRequest
from policies.replacing import Replacing, replaced

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
        made = {name: _policies(options, given) for name, options in self._options.items()}
        self._run_by = {
            stage: [(name, by_stage[stage]) for name, by_stage in made.items() if stage in by_stage]
            for stage in ("input", "output")
        }
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

    def prepare(self, request: dict[str, Any]) -> ReadRequest:
        """What the output policies read of a request alone, so that it can be done while the answer is waited for.

        `screen_answer` takes it, with the same request. A fault shows there, where it holds the answer.
        """
        asked = ReadRequest(request)
        for chain in (self, self._shadow):
            options = chain._options.get("human-oversight") if chain is not None else None
            if isinstance(options, HumanOversight):
                try:
                    asked.read(options.built_in)
                except Exception as fault:
                    _logger.error("a request could not be read beforehand (%s)", type(fault).__name__)
        return asked

    def screen_answer(
        self,
        request: dict[str, Any],
        completion: dict[str, Any],
        who: Who | None = None,
        *,
        later: bool = False,
        asked: ReadRequest | None = None,
    ) -> Screened:
        """The output policies, over everything in the answer that is text. `later`: as for requests. `asked`: what
        `prepare` made of this very request; of another it is passed over."""
        prepared = asked if asked is not None and asked.request is request else None
        return self._both(completion, Looking("output", request, who.consumer if who else None, prepared), who, later)

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
        for name, policy in self._run_by[looking.stage]:
            before = screened
            try:
                screened = policy(screened, looking)
                if screened.pending and not later:
                    screened = settle(screened)
            except Exception as fault:
                told = "policy %s failed on %s (%s); a person has to look"
                _logger.error(told, name, looking.stage, type(fault).__name__)
                screened = before.adding(failed(name, looking.stage))
            if screened is before:
                continue
            if not self.acts(name, who):
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


def _policies(options: Governed, given: Given) -> dict[str, Policy]:
    """What a policy does in each stage, with what it needs made once; nothing for one that is called elsewhere."""
    key = given.pseudonym_key
    match options:
        case PromptInjection():
            asked: dict[str, Policy] = {
                "input": lambda screened, looking: attempts.injection(screened, options, looking)
            }
            if options.canary:
                asked["output"] = lambda screened, looking: applying.canary(screened, options, looking, key)
            return asked
        case RateAnomaly():
            return {"input": lambda screened, looking: _rated(screened, options, looking, given.rates)}
        case TopicAllow():
            topics = tuple(topic.ready(name) for name, topic in options.topics.items())
            return {"input": lambda screened, looking: applying.topics(screened, options, topics, looking)}
        case ContentRules():
            rules = tuple(content_rules.ready(rule) for rule in options.rules)
            return _in_both(lambda screened, looking: applying.own_rules(screened, rules, looking))
        case DataLoss():
            return _in_both(lambda screened, looking: applying.secrets(screened, options, looking))
        case PiiDetector():
            return _in_both(lambda screened, looking: applying.personal_data(screened, options, looking, key))
        case HumanOversight():
            own = tuple(options.categories[name].ready(name) for name in options.categories)
            wanted = tuple(category for category in own if category.name in options.require_human_for)
            return {"output": lambda screened, looking: applying.oversight(screened, options, wanted, looking)}
    return {}


def _in_both(policy: Policy) -> dict[str, Policy]:
    return {"input": policy, "output": policy}


def _rated(screened: Screened, options: RateAnomaly, looking: Looking, known: Rates | None) -> Screened:
    if known is None or looking.consumer is None:
        return screened
    found = rates.judge(known.of(looking.consumer, options.window, options.baseline), options)
    return screened if found is None else screened.adding(found)
