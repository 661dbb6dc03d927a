"""The policy chain: what it makes of a request before the model sees it, and of an answer before anybody does.

Policies run in the order of the chain. A policy that fails does not stay silent: its answer is held for a person.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from escalations.completion import texts
from escalations.severity import Severity
from policies.config import AuditLogger, HumanOversight, PiiDetector, PolicyConfig, PromptInjection
from policies.detectors import Span, human_oversight, pii, prompt_injection
from policies.requests import last_asked, request_texts, rewrite

_logger = logging.getLogger("keeptrusts.policies")


class Verdict(StrEnum):
    """What the gateway is to do, mildest first."""

    PASSED = "passed"
    REDACTED = "redacted"
    ESCALATED = "escalated"
    BLOCKED = "blocked"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one policy found. `score` is its certainty in thousandths; spans are where, for those who may see text."""

    policy: str
    stage: str
    verdict: Verdict
    action: str
    reason_code: str
    detector: str
    score: int = 1000
    severity: Severity = Severity.MEDIUM
    spans: tuple[Span, ...] = ()
    layers: dict[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """For the event: names, numbers and patterns, no text."""
        return {
            "policy": self.policy,
            "stage": self.stage,
            "verdict": self.verdict.value,
            "action": self.action,
            "reason_code": self.reason_code,
            "detector": self.detector,
            "score": self.score,
            "severity": self.severity.value,
            "layers": self.layers,
            "patterns": sorted({span.pattern for span in self.spans}),
            "matches": len(self.spans),
        }


@dataclass(frozen=True, slots=True)
class Screened:
    """What came out of one stage. `document` is the request or the completion, redacted where a policy did that."""

    document: dict[str, Any]
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return max((finding.verdict for finding in self.findings), key=lambda v: v.rank, default=Verdict.PASSED)

    @property
    def cause(self) -> Finding | None:
        """The finding that decided the verdict: the surest of the most severe."""
        deciding = [finding for finding in self.findings if finding.verdict is self.verdict]
        return min(deciding, key=lambda f: (f.severity.rank, -f.score), default=None)


class Chain:
    """The policies of one configuration, ready to run. It calls nobody and keeps nothing."""

    def __init__(self, config: PolicyConfig) -> None:
        options = config.policy
        self.names = config.policies.chain
        self.oversight = options.human_oversight
        self._options = {
            "prompt-injection": options.prompt_injection or PromptInjection(),
            "pii-detector": options.pii_detector or PiiDetector(),
            "human-oversight": options.human_oversight,
            "audit-logger": options.audit_logger or AuditLogger(),
        }

    @property
    def looks_at_answers(self) -> bool:
        """Whether an answer must be complete before any of it may leave."""
        return "pii-detector" in self.names or "human-oversight" in self.names

    def screen_request(self, request: dict[str, Any]) -> Screened:
        """The input policies, before the model is called."""
        return self._run(Screened(request), "input", {"prompt-injection": _injection, "pii-detector": _pii_input})

    def screen_answer(self, request: dict[str, Any], completion: dict[str, Any]) -> Screened:
        """The output policies, over everything in the answer that is text."""

        def oversight(screened: Screened, options: Any) -> Screened:
            return _oversight(screened, options, last_asked(request))

        return self._run(Screened(completion), "output", {"pii-detector": _pii_output, "human-oversight": oversight})

    def _run(
        self, screened: Screened, stage: str, policies: dict[str, Callable[[Screened, Any], Screened]]
    ) -> Screened:
        for name in self.names:
            policy = policies.get(name)
            if policy is None:
                continue
            try:
                screened = policy(screened, self._options[name])
            except Exception as fault:
                _logger.error("policy %s failed on %s (%s); a person has to look", name, stage, type(fault).__name__)
                screened = _with(screened, _failed(name, stage))
            if screened.verdict is Verdict.BLOCKED:
                break
        return screened


def _with(screened: Screened, *findings: Finding) -> Screened:
    return replace(screened, findings=(*screened.findings, *findings))


def _failed(policy: str, stage: str) -> Finding:
    return Finding(policy, stage, Verdict.ESCALATED, "escalate", "detector_failed", "chain/1", severity=Severity.HIGH)


_VERDICTS = {
    "block": Verdict.BLOCKED,
    "escalate": Verdict.ESCALATED,
    "redact": Verdict.REDACTED,
    "log": Verdict.PASSED,
}


def _injection(screened: Screened, options: PromptInjection) -> Screened:
    spans = tuple(span for path, text in request_texts(screened.document) for span in prompt_injection.find(path, text))
    if not spans:
        return screened
    action = options.response.action
    return _with(
        screened,
        Finding(
            policy="prompt-injection",
            stage="input",
            verdict=_VERDICTS[action],
            action=action,
            reason_code="prompt_injection",
            detector=prompt_injection.VERSION,
            severity=Severity.HIGH,
            spans=spans,
        ),
    )


def _pii_input(screened: Screened, options: PiiDetector) -> Screened:
    spans = tuple(span for path, text in request_texts(screened.document) for span in pii.find(path, text, options))
    if not spans:
        return screened
    screened = _with(screened, _pii_finding("input", options, spans))
    if options.action != "redact":
        return screened
    redacted = rewrite(screened.document, lambda path, text: _replace(text, _on(spans, path)))
    return replace(screened, document=redacted)


def _pii_output(screened: Screened, options: PiiDetector) -> Screened:
    spans = tuple(span for path, text in texts(screened.document) for span in pii.find(path, text, options))
    if not spans:
        return screened
    screened = _with(screened, _pii_finding("output", options, spans))
    if options.action != "redact":
        return screened
    completion = copy.deepcopy(screened.document)
    for path in {span.path for span in spans}:
        _rewrite_at(completion, path, _on(spans, path))
    for choice in completion.get("choices") or ():
        if isinstance(choice, dict) and choice.get("logprobs") is not None:
            choice["logprobs"] = None
    return replace(screened, document=completion)


def _pii_finding(stage: str, options: PiiDetector, spans: tuple[Span, ...]) -> Finding:
    return Finding(
        policy="pii-detector",
        stage=stage,
        verdict=_VERDICTS[options.action],
        action=options.action,
        reason_code=spans[0].pattern,
        detector=pii.VERSION,
        severity=Severity.MEDIUM,
        spans=spans,
    )


def _oversight(screened: Screened, options: HumanOversight, asked: str) -> Screened:
    """Every choice of the answer is judged; one that must be seen holds the whole completion."""
    best: dict[str, human_oversight.Score] = {}
    for path, answer in _answers(screened.document):
        for score in human_oversight.judge(asked, answer, options.require_human_for, path):
            if score.category not in best or score.score > best[score.category].score:
                best[score.category] = score
    findings = [
        Finding(
            policy="human-oversight",
            stage="output",
            verdict=_VERDICTS[options.action],
            action=options.action,
            reason_code=score.category,
            detector=human_oversight.VERSION,
            score=round(score.score * 1000),
            severity=options.severity_of(score.category),
            spans=score.spans,
            layers={"request": round(score.request * 1000), "answer": round(score.answer * 1000)},
        )
        for score in best.values()
        if score.score >= options.threshold
    ]
    return _with(screened, *findings)


def _answers(completion: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of an answer; one empty text where there is none, so that the request is judged all the same."""
    found = False
    for path, text in texts(completion):
        found = True
        yield path, text
    if not found:
        yield "", ""


def _on(spans: tuple[Span, ...], path: str) -> list[Span]:
    return [span for span in spans if span.path == path]


def _replace(text: str, spans: list[Span]) -> str:
    pieces, done = [], 0
    for span in spans:
        pieces += [text[done : span.start], f"[{span.label}]"]
        done = span.end
    return "".join(pieces) + text[done:]


def _rewrite_at(document: Any, pointer: str, spans: list[Span]) -> None:
    *holders, last = pointer.split("/")[1:]
    here = document
    for name in holders:
        here = here[int(name)] if isinstance(here, list) else here[name]
    key: Any = int(last) if isinstance(here, list) else last
    here[key] = _replace(here[key], spans)
