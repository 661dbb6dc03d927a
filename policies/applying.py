"""What each policy of the product does with a request or an answer. It calls nobody and keeps nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from escalations.completion import texts
from escalations.severity import Severity
from policies import canaries, content_rules, credentials
from policies.content_rules import ReadyRule
from policies.detectors import Span, human_oversight, pii, prompt_injection
from policies.detectors.described import Described
from policies.detectors.human_oversight import Score
from policies.detectors.semantic import LEAST_DOUBTED, is_doubtful
from policies.doubts import Doubt, Pending, detector_of
from policies.findings import VERDICTS, Finding, Screened, Verdict, thousandths
from policies.json_texts import find_written
from policies.options import DataLoss, HumanOversight, PiiDetector, PromptInjection, TopicAllow
from policies.read_request import ReadRequest
from policies.replacing import REPLACING, Replacing, cards_of, labelled, redacted
from policies.requests import last_asked, request_texts

Texts = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Looking:
    """One look at a document: in which stage, the request that it belongs to, and whose that is.

    `prepared` is what that request asks, where it has been read already.
    """

    stage: str
    request: dict[str, Any]
    consumer: str | None = None
    prepared: ReadRequest | None = None
    _seen: tuple[dict[str, Any], Texts] | None = None

    def texts(self, document: dict[str, Any]) -> Texts:
        """Every text of the document with its JSON Pointer. Each policy asks for them; a document is walked once."""
        if self._seen is None or self._seen[0] is not document:
            self._seen = document, tuple(request_texts(document) if self.stage == "input" else texts(document))
        return self._seen[1]

    @property
    def asked(self) -> ReadRequest:
        if self.prepared is None:
            self.prepared = ReadRequest(self.request)
        return self.prepared


def canary(screened: Screened, options: PromptInjection, looking: Looking, key: bytes) -> Screened:
    """An answer that repeats its system prompt: the canary is taken out of it, whatever becomes of it."""
    if looking.consumer is None:
        return screened
    word = canaries.canary_of(looking.consumer, key)
    spans = tuple(span for path, text in looking.texts(screened.document) for span in canaries.find(path, text, word))
    if not spans:
        return screened
    return redacted(screened.adding(leak(options, looking, spans)), looking.stage, spans, lambda *_: "")


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
    changed = redacted(screened, looking.stage, going, put) if going else screened
    return replace(changed, tokens={**screened.tokens, **put.tokens}) if put.tokens else changed


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
    return redacted(screened, looking.stage, spans, labelled) if options.action == "redact" else screened


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
            screened = redacted(screened, looking.stage, found, labelled)
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
    scores = _scores(screened.document, options, own, looking, least)
    if not scores:
        return screened
    weighed = _weighed(scores, options, looking)
    if weighed.doubts:
        return replace(screened, pending=(*screened.pending, weighed))
    return screened.adding(*weighed.findings())


def weigh(
    document: dict[str, Any], options: HumanOversight, own: tuple[Described, ...], looking: Looking, least: float = 0.0
) -> Pending:
    """The scores of every choice of an answer: settled, or in doubt where something is there to look again.

    Those that stay below `least` may be left out.
    """
    return _weighed(_scores(document, options, own, looking, least), options, looking)


def _scores(
    document: dict[str, Any], options: HumanOversight, own: tuple[Described, ...], looking: Looking, least: float
) -> list[tuple[Score, str]]:
    """Each score with the answer that it is of."""
    known = options.built_in
    asked = looking.asked.read(known)
    return [
        (score, answer)
        for path, answer in looking.texts(document)
        or (("", ""),)  # without an answer the request is judged all the same
        for score in human_oversight.judge(asked, answer, known, path, own, least)
    ]


def _weighed(scores: list[tuple[Score, str]], options: HumanOversight, looking: Looking) -> Pending:
    again = options.semantic.enabled or options.judge is not None
    settled: list[Score] = []
    doubts: list[Doubt] = []
    for score, answer in scores:
        if again and is_doubtful(score):
            doubts.append(Doubt(score, looking.asked.text, answer))
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
