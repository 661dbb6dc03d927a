"""A request and an answer tried against a configuration, as a gateway would, with nothing sent and nothing recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from escalations.completion import texts
from policies.applying import Looking, weigh
from policies.chain import Chain, Finding, Screened, Verdict
from policies.config import PolicyConfig
from policies.detectors.human_oversight import Score
from policies.requests import last_asked, request_texts


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of it. `request` and `answer` are as they would go on; no answer where the request was blocked."""

    verdict: Verdict
    cause: Finding | None
    findings: tuple[Finding, ...]
    request: dict[str, Any]
    answer: dict[str, Any] | None


def as_request(said: str | dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": said}]} if isinstance(said, str) else said


def as_answer(said: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(said, dict):
        return said
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]}


def try_out(chain: Chain, request: dict[str, Any], answer: dict[str, Any] | None) -> Trial:
    """Both stages. Detectors of one's own are not called, and judges are not asked."""
    asked = chain.screen_request(request)
    if answer is None or asked.verdict is Verdict.BLOCKED:
        return Trial(asked.verdict, asked.cause, asked.findings, asked.document, None)
    said = chain.screen_answer(asked.document, answer)
    both = Screened(said.document, (*asked.findings, *said.findings))
    return Trial(both.verdict, both.cause, both.findings, asked.document, said.document)


def found_texts(finding: Finding, request: dict[str, Any], answer: dict[str, Any] | None) -> Iterator[str]:
    """The words that a finding's spans stand on."""
    known = dict(request_texts(request))
    if finding.stage == "output" and answer is not None:
        known = {**dict(texts(answer)), "request": last_asked(request)}
    for span in finding.spans:
        if span.path in known:
            yield known[span.path][span.start : span.end]


def oversight_scores(config: PolicyConfig, request: dict[str, Any], answer: dict[str, Any]) -> list[Score]:
    """Every category's best score, those below the threshold too, surest first; none without human-oversight.

    The encoder has its say where the configuration gives it one; a judge is not asked. Raises NotInstalled.
    """
    options = config.policy.human_oversight
    if options is None or "human-oversight" not in config.policies.chain:
        return []
    own = tuple(options.categories[name].ready(name) for name in options.categories)
    wanted = tuple(category for category in own if category.name in options.require_human_for)
    looking = Looking("output", request)
    best = weigh(answer, options, wanted, looking).with_meaning().best()
    return sorted(best.values(), key=lambda score: -score.score)
