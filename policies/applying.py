"""What each policy of the product does with a request or an answer. It calls nobody and keeps nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from escalations.completion import texts
from escalations.redaction import drop_repetitions
from escalations.severity import Severity
from policies import canaries, content_rules, credentials
from policies.content_rules import ReadyRule
from policies.detectors import Span, human_oversight, pii, prompt_injection
from policies.detectors.described import Described
from policies.detectors.entities import SECURITY_CODE
from policies.detectors.human_oversight import Score
from policies.detectors.semantic import LEAST_DOUBTED, is_doubtful
from policies.doubts import Doubt, Pending, detector_of
from policies.findings import VERDICTS, Finding, Screened, Verdict, thousandths
from policies.json_texts import ARGUMENTS, find_written, is_json, replaced_in_json
from policies.options import DataLoss, HumanOversight, PiiDetector, PromptInjection, TopicAllow
from policies.requests import last_asked, request_texts, rewrite


@dataclass(frozen=True, slots=True)
class Looking:
    """One look at a document: in which stage, the request that it belongs to, and whose that is."""

    stage: str
    request: dict[str, Any]
    consumer: str | None = None

    def texts(self, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Every text of the document with its JSON Pointer."""
        return request_texts(document) if self.stage == "input" else texts(document)


def canary(screened: Screened, options: PromptInjection, looking: Looking, key: bytes) -> Screened:
    """An answer that repeats its system prompt: the canary is taken out of it, whatever becomes of it."""
    if looking.consumer is None:
        return screened
    word = canaries.canary_of(looking.consumer, key)
    spans = tuple(span for path, text in looking.texts(screened.document) for span in canaries.find(path, text, word))
    if not spans:
        return screened
    return _redacted(screened.adding(leak(options, looking, spans)), looking, spans, lambda *_: "")


def leak(options: PromptInjection, looking: Looking, spans: tuple[Span, ...]) -> Finding:
    """That an answer repeats its system prompt."""
    action = options.response.action
    return Finding(
        policy="prompt-injection",
        stage=looking.stage,
        verdict=Verdict.REDACTED if action == "log" else VERDICTS[action],
        action=action,
        reason_code="canary",
        detector=prompt_injection.VERSION,
        severity=Severity.HIGH,
        spans=spans,
    )


def personal(path: str, text: str, options: PiiDetector) -> list[Span]:
    """The personal data of one text."""
    return find_written(path, text, lambda said: pii.find(path, said, options))


def personal_data(screened: Screened, options: PiiDetector, looking: Looking, key: bytes) -> Screened:
    """Personal data in every text, replaced where that is the action; cards and their codes in PCI mode whatever it
    is."""
    spans = tuple(span for path, text in looking.texts(screened.document) for span in personal(path, text, options))
    if not spans:
        return screened
    going = spans if options.action in REPLACING else cards_of(spans, options)
    verdict = VERDICTS[options.action]
    screened = screened.adding(
        Finding(
            policy="pii-detector",
            stage=looking.stage,
            verdict=Verdict.REDACTED if going and verdict is Verdict.PASSED else verdict,
            action=options.action,
            reason_code=spans[0].pattern,
            detector=pii.VERSION,
            spans=spans,
        )
    )
    put = Replacing(options, key)
    redacted = _redacted(screened, looking, going, put) if going else screened
    return replace(redacted, tokens={**screened.tokens, **put.tokens}) if put.tokens else redacted


def secrets(screened: Screened, options: DataLoss, looking: Looking) -> Screened:
    """Credentials in every text."""
    spans = tuple(
        span
        for path, text in looking.texts(screened.document)
        for span in credentials.find_credentials(path, text, options.kinds)
    )
    if not spans:
        return screened
    screened = screened.adding(
        Finding(
            policy="data-loss",
            stage=looking.stage,
            verdict=VERDICTS[options.action],
            action=options.action,
            reason_code=spans[0].pattern,
            detector=credentials.VERSION,
            severity=options.severity,
            spans=spans,
        )
    )
    return _redacted(screened, looking, spans, labelled) if options.action == "redact" else screened


def own_rules(screened: Screened, rules: tuple[ReadyRule, ...], looking: Looking) -> Screened:
    """Phrases and patterns of the user's own, one finding for each rule that fires."""
    for rule in rules:
        if looking.stage not in rule.stages:
            continue
        found = tuple(
            span for path, text in looking.texts(screened.document) for span in content_rules.find(path, text, rule)
        )
        if not found:
            continue
        screened = screened.adding(
            Finding(
                policy="content-rules",
                stage=looking.stage,
                verdict=VERDICTS[rule.action],
                action=rule.action,
                reason_code=rule.name,
                detector=content_rules.VERSION,
                severity=rule.severity,
                spans=found,
            )
        )
        if rule.action == "redact":
            screened = _redacted(screened, looking, found, labelled)
    return screened


def topics(screened: Screened, options: TopicAllow, ready: tuple[Described, ...], looking: Looking) -> Screened:
    """A request about none of the topics that are allowed."""
    asked = last_asked(screened.document)
    if len(asked.split()) < options.min_words:
        return screened
    if any(any(topic.evidence(asked)[0].values()) for topic in ready):
        return screened
    return screened.adding(
        Finding(
            policy="topic-allow",
            stage=looking.stage,
            verdict=VERDICTS[options.otherwise],
            action=options.otherwise,
            reason_code="topic_not_allowed",
            detector="topic-allow/1",
            severity=options.severity,
        )
    )


def oversight(screened: Screened, options: HumanOversight, own: tuple[Described, ...], looking: Looking) -> Screened:
    """Every choice of the answer is judged; one that must be seen holds the whole completion."""
    again = options.semantic.enabled or options.judge is not None
    least = min(LEAST_DOUBTED, options.least_score) if again else options.least_score
    weighed = weigh(screened.document, options, own, looking, least)
    if weighed.doubts:
        return replace(screened, pending=(*screened.pending, weighed))
    return screened.adding(*weighed.findings())


def weigh(
    document: dict[str, Any], options: HumanOversight, own: tuple[Described, ...], looking: Looking, least: float = 0.0
) -> Pending:
    """The scores of every choice of an answer: settled, or in doubt where something is there to look again.

    Those that stay below `least` may be left out.
    """
    asked = last_asked(looking.request)
    known = tuple(name for name in options.require_human_for if name not in options.categories)
    again = options.semantic.enabled or options.judge is not None
    settled: list[Score] = []
    doubts: list[Doubt] = []
    for path, answer in _answers(document):
        for score in human_oversight.judge(asked, answer, known, path, own, least):
            if again and is_doubtful(score):
                doubts.append(Doubt(score, asked, answer))
            else:
                settled.append(score)
    return Pending(
        "human-oversight",
        looking.stage,
        options.semantic,
        options.judge,
        options.on_judge_error,
        tuple(settled),
        tuple(doubts),
        lambda score: _judged(score, options),
        {name: (*one.examples, *one.phrases) for name, one in options.categories.items()},
    )


def _judged(score: Score, options: HumanOversight) -> Finding | None:
    action = options.action_of(score.category, score.score)
    if action is None:
        return None
    layers = thousandths(score.layers)
    return Finding(
        policy="human-oversight",
        stage="output",
        verdict=VERDICTS[action],
        action=action,
        reason_code=score.category,
        detector=detector_of(human_oversight.VERSION, score),
        score=round(score.score * 1000),
        severity=options.severity_of(score.category),
        spans=score.spans,
        layers={**layers, "request": round(score.request * 1000), "answer": round(score.answer * 1000)},
        ambiguous=score.score < options.threshold_of(score.category),
    )


def _answers(completion: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of an answer; one empty text where there is none, so that the request is judged all the same."""
    found = False
    for path, text in texts(completion):
        found = True
        yield path, text
    if not found:
        yield "", ""


Replacement = Callable[[str, Span], str]


def labelled(_found: str, span: Span) -> str:
    return f"[{span.label}]"


REPLACING = frozenset({"redact", "mask", "hash", "tokenize"})
"""What `pii-detector` does about text by putting something else there."""


class Replacing:
    """What stands for personal data, by action. `tokens` fills with what may be told again to who has the right."""

    def __init__(self, options: PiiDetector, key: bytes) -> None:
        # Where an action replaces nothing, PCI mode still masks cards.
        self._action = options.action if options.action in REPLACING else "mask"
        self._pci = options.pci_mode
        self._key = key
        self.tokens: dict[str, str] = {}

    def __call__(self, found: str, span: Span) -> str:
        # Not even a digest of a security code may be kept (PCI DSS 4.0, requirement 3.3.1).
        if self._action == "redact" or span.label == SECURITY_CODE:
            return labelled(found, span)
        if self._action == "mask":
            return pii.masked(found, span.label)
        name = pii.hashed(found, span.label, self._key)
        if self._action == "tokenize":
            card = self._pci and span.label == "CREDIT_CARD"
            self.tokens[name] = pii.masked(found, span.label) if card else found
        return name


def cards_of(spans: tuple[Span, ...], options: PiiDetector) -> tuple[Span, ...]:
    """The payment cards and security codes among what was found, where PCI mode is on."""
    return tuple(span for span in spans if options.pci_mode and span.label in ("CREDIT_CARD", SECURITY_CODE))


def replaced(text: str, spans: list[Span], put: Replacement, path: str = "") -> str:
    """The text with every span replaced. A tool's arguments that were JSON still are."""
    if path.endswith(ARGUMENTS) and spans and is_json(text):
        return replaced_in_json(text, spans, put)
    return _replaced(text, spans, put)


def _replaced(text: str, spans: list[Span], put: Replacement) -> str:
    pieces, done = [], 0
    for span in sorted(spans, key=lambda span: span.start):
        if span.start < done:
            continue
        pieces += [text[done : span.start], put(text[span.start : span.end], span)]
        done = span.end
    return "".join(pieces) + text[done:]


def _redacted(screened: Screened, looking: Looking, spans: tuple[Span, ...], put: Replacement) -> Screened:
    if looking.stage == "input":
        redacted = rewrite(
            screened.document, lambda path, text: replaced(text, [s for s in spans if s.path == path], put, path)
        )
        return replace(screened, document=redacted)
    completion = copy.deepcopy(screened.document)
    for path in {span.path for span in spans}:
        _rewrite_at(completion, path, [span for span in spans if span.path == path], put)
    drop_repetitions(completion)
    return replace(screened, document=completion)


def _rewrite_at(document: Any, pointer: str, spans: list[Span], put: Replacement) -> None:
    *holders, last = (name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:])
    here = document
    for name in holders:
        here = here[int(name)] if isinstance(here, list) else here[name]
    key: Any = int(last) if isinstance(here, list) else last
    here[key] = replaced(str(here[key]), spans, put, pointer)
