"""What `prompt-injection` does with a request: attempts that the patterns know, and what they leave to a judge."""

from __future__ import annotations

from dataclasses import replace

from escalations.severity import Severity
from policies.applying import Looking
from policies.detectors import prompt_injection
from policies.detectors.human_oversight import Score
from policies.doubts import LONGEST, Doubt, Pending, detector_of
from policies.findings import VERDICTS, Finding, Screened, thousandths
from policies.options import PromptInjection
from policies.second_looks import Semantic


def injection(screened: Screened, options: PromptInjection, looking: Looking) -> Screened:
    """Attempts to overrule instructions, in every text of a request."""
    texts = tuple(looking.texts(screened.document))
    found = [prompt_injection.screen(path, text) for path, text in texts]
    sure = [screening for screening in found if screening.score >= options.threshold]
    if not sure:
        return screened if options.judge is None else _injection_doubts(screened, options, looking, texts, found)
    surest = max(sure, key=lambda screening: screening.score)
    spans = tuple(span for screening in sure for span in screening.spans)
    return screened.adding(
        _attempt(options, looking.stage, Score("prompt_injection", surest.score, 0.0, 0.0, spans, surest.layers))
    )


def _attempt(options: PromptInjection, stage: str, score: Score) -> Finding:
    action = options.response.action
    return Finding(
        policy="prompt-injection",
        stage=stage,
        verdict=VERDICTS[action],
        action=action,
        reason_code="prompt_injection",
        detector=detector_of(prompt_injection.VERSION, score),
        score=round(score.score * 1000),
        severity=Severity.HIGH,
        spans=score.spans,
        layers=thousandths(score.layers),
    )


def _injection_doubts(
    screened: Screened,
    options: PromptInjection,
    looking: Looking,
    texts: tuple[tuple[str, str], ...],
    found: list[prompt_injection.Screening],
) -> Screened:
    """What no pattern settles, for a judge."""
    doubts = []
    for (_, text), seen in zip(texts, found, strict=True):
        if text.strip() and (seen.score > 0 or options.ask == "always"):
            # Without a sign either way a judge's word is the only evidence there is.
            score = seen.score or 0.5
            if options.ask == "always" and len(text) > LONGEST:
                score = max(score, 0.5)  # a weak sign must not clear what no sign would not
            doubts.append(Doubt(Score("prompt_injection", score, score, 0.0, seen.spans, seen.layers), text, ""))

    def finding(score: Score) -> Finding | None:
        judged = "judge" in score.layers and score.score >= options.threshold
        return _attempt(options, looking.stage, score) if judged else None

    if not doubts:
        return screened
    pending = Pending(
        "prompt-injection", looking.stage, Semantic(), options.judge, options.on_judge_error, (), tuple(doubts), finding
    )
    return replace(screened, pending=(*screened.pending, pending))
