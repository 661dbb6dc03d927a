"""Tests of a policy: `NAME_test.yaml` beside `NAME.yaml`.

    policy: policy-config.yaml            # left out: the file's own name without `_test`
    cases:
      - name: a final opinion is held
        request: Draft a final legal opinion.
        answer: In our opinion you may terminate the contract.
        expect: {verdict: escalated, policy: human-oversight, category: legal_opinions}

`request` and `answer` are texts, or whole documents of the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree

from pydantic import Field, field_validator

from escalations.completion import texts
from escalations.parts import Part
from escalations.severity import Severity
from policies.chain import Chain, Verdict
from policies.config import PolicyConfig
from policies.documents import Document
from policies.faults import Misplaced
from policies.loading import load_policy_config, read, validate
from policies.requests import request_texts
from policies.trying import Trial, as_answer, as_request, found_texts, try_out


class Expected(Part):
    """What must come out; what is not said does not matter. `spans`: words that the finding stands on.

    `would`: the verdict that a shadow would have had. `request` and `answer`: the text as it goes on.
    """

    verdict: Verdict | None = None
    would: Verdict | None = None
    policy: str | None = None
    category: str | None = None
    severity: Severity | None = None
    spans: tuple[str, ...] = ()
    request: str | None = None
    answer: str | None = None


class Case(Part):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    request: str | dict[str, Any] = ""
    answer: str | dict[str, Any] | None = None
    group: str | None = None
    expect: Expected


class Cases(Part):
    policy: str | None = None
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]

    @field_validator("cases")
    @classmethod
    def _names_differ(cls, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        names = [case.name for case in cases]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Misplaced(f"two cases are named {name!r}", "KT402", (index, "name"))
        return cases


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, tried. `faults` is empty where all is as expected."""

    file: str
    line: int
    name: str
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.faults


def is_cases(document: Document) -> bool:
    return (
        isinstance(document.data, dict) and "cases" in document.data and set(document.data) <= set(Cases.model_fields)
    )


def policy_of(path: Path, cases: Cases) -> Path:
    """The configuration that a file of cases is about."""
    named = cases.policy or path.name.replace("_test.", ".")
    return path.parent / named


def run_cases(path: Path) -> list[Outcome]:
    """Every case of a file. Raises BadConfig for a file, or a policy, that cannot be read."""
    document = read(path)
    cases = validate(document, Cases)
    config = load_policy_config(policy_of(path, cases)).config
    chains: dict[str | None, Chain] = {}
    outcomes = []
    for index, case in enumerate(cases.cases):
        group = case.group if case.group in config.consumer_groups else None
        if group not in chains:
            chains[group] = Chain(config.for_group(group))
        line, _ = document.place(("cases", index))
        outcomes.append(Outcome(str(path), line, case.name, tuple(_faults(case, config, chains[group]))))
    return outcomes


def _faults(case: Case, config: PolicyConfig, chain: Chain) -> list[str]:
    faults = []
    if case.group is not None and case.group not in config.consumer_groups:
        faults.append(f"there is no consumer group {case.group!r}")
    request, expect = as_request(case.request), case.expect
    answer = None if case.answer is None else as_answer(case.answer)
    trial = try_out(chain, request, answer)
    if expect.verdict is not None and trial.verdict is not expect.verdict:
        faults.append(f"the verdict is {trial.verdict}{_why(trial)}, not {expect.verdict}")
    named = [
        finding
        for finding in trial.findings
        if expect.policy in (None, finding.policy) and expect.category in (None, finding.reason_code)
    ]
    if (expect.policy or expect.category) and not named:
        wanted = ".".join(word for word in (expect.policy, expect.category) if word)
        faults.append(f"nothing was found by {wanted}{_why(trial)}")
    elif expect.severity is not None and all(finding.severity is not expect.severity for finding in named):
        faults.append(f"nothing that was found has severity {expect.severity}")
    if expect.would is not None and all(finding.would is not expect.would for finding in named):
        faults.append(f"no shadow would have {expect.would}")
    # Where a request was redacted on the way, an answer's spans are told of what went on.
    found = [text for finding in named for text in found_texts(finding, request, answer)]
    for words in expect.spans:
        if not any(words in text or text in words for text in found if text):
            faults.append(
                f"nothing that was found stands on {words!r}; found: {', '.join(map(repr, found)) or 'nothing'}"
            )
    for what, wanted_text, said in (
        ("request", expect.request, [text for _, text in request_texts(trial.request)]),
        ("answer", expect.answer, [text for _, text in texts(trial.answer or {})]),
    ):
        if wanted_text is not None and wanted_text not in said:
            faults.append(f"the {what} goes on as {said[-1] if said else None!r}, not as {wanted_text!r}")
    return faults


def _why(trial: Trial) -> str:
    if trial.cause is None:
        return ""
    return f" (by {trial.cause.policy}.{trial.cause.reason_code}, score {trial.cause.score / 1000:.2f})"


def junit(outcomes: list[Outcome]) -> str:
    """The report that CI systems read (https://github.com/testmoapp/junitxml)."""
    failed = sum(not outcome.passed for outcome in outcomes)
    suite = ElementTree.Element("testsuite", name="kt policy test", tests=str(len(outcomes)), failures=str(failed))
    for outcome in outcomes:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=outcome.file,
            name=_plain(outcome.name),
            file=outcome.file,
            line=str(outcome.line),
        )
        if not outcome.passed:
            ElementTree.SubElement(case, "failure", message=_plain("; ".join(outcome.faults)))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _plain(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(
        char if char in "\t\n" or (char >= " " and not "\ud800" <= char <= "\udfff") else "?" for char in text
    )
