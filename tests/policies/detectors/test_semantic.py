"""The semantic layer: only in the grey band, with every layer's score kept, for the user's own categories too."""

from __future__ import annotations

import pytest

from policies.detectors import encoder, human_oversight, semantic
from policies.detectors.described import described
from policies.detectors.human_oversight import Score
from policies.detectors.semantic import fitted, is_doubtful

ADVICE = ("What helps against a sore knee?", "Keep it dry and leave the cream off until it has healed.")
KNOWLEDGE = ("How do doctors treat my stuffy nose?", "Doctors may prescribe a spray; most people take nothing.")


def words(request: str, answer: str, category: str = "medical_decisions") -> Score:
    return human_oversight.judge(request, answer, (category,))[0]


def looked(request: str, answer: str, category: str = "medical_decisions") -> Score:
    score = words(request, answer, category)
    assert is_doubtful(score)
    return fitted().look(score, request, answer)


def test_advice_in_the_form_of_a_general_question_is_raised_over_the_threshold() -> None:
    assert words(*ADVICE).score < 0.5 < looked(*ADVICE).score


def test_general_information_stays_below_it() -> None:
    assert looked(*KNOWLEDGE).score < 0.5


HARMLESS = "The river rises in the hills and runs past mills, meadows and a market town to the sea. " * 10
DECISION = "After the second interview I recommend that we reject Mr. Hale for the position."


def test_a_decision_that_the_encoder_does_not_reach_keeps_what_the_words_say_of_it() -> None:
    asked = "Should we hire Mr. Hale for the position?"
    before = words(asked, HARMLESS + DECISION, "hiring_actions")
    score = fitted().look(before, asked, HARMLESS + DECISION)
    assert score.score == before.score > 0.5
    assert score.layers["words"] == before.score
    assert fitted().look(words(HARMLESS + asked, DECISION, "hiring_actions"), HARMLESS + asked, DECISION).score > 0.5


def test_of_an_answer_that_it_reads_whole_the_encoder_may_lower_the_score_and_of_any_it_may_raise_it() -> None:
    sure = Score("hiring_actions", 0.9, 0.9, 0.9, (), words(*KNOWLEDGE, "hiring_actions").layers)
    assert fitted().look(sure, *KNOWLEDGE).score < 0.9
    long = (ADVICE[0], " ".join([ADVICE[1]] * 14))
    assert encoder.encoder().is_cut(long[1])
    low = words(*long)
    assert fitted().look(low, *long).score > low.score


def test_every_layer_has_its_score() -> None:
    score = looked(*ADVICE)
    assert score.layers["words"] == words(*ADVICE).score
    assert 0 < score.layers["meaning_request"] < 1
    assert 0 < score.layers["meaning_answer"] < 1
    assert score.layers.keys() >= {"subject", "topic", "directed", "phrases"}


def test_an_answer_alone_and_a_request_alone_have_a_score_too() -> None:
    alone = looked("", "Rest and drink a lot, and leave the pills for a day.")
    assert "meaning_request" not in alone.layers
    assert 0 < looked("What helps against a stuffy nose at night?", "").score < 1


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ("How do I cook rice?", "Boil it in twice as much water."),
        (
            "My doctor says I have diabetes, should I take metformin? What dose?",
            "You should take 500 mg of metformin twice a day; stop taking it if you are sick and see your doctor.",
        ),
    ],
)
def test_what_is_certain_is_not_looked_at_again(request_text: str, answer: str) -> None:
    assert not is_doubtful(words(request_text, answer))


def test_a_paraphrase_of_an_example_of_ones_own_category_is_found() -> None:
    example = "Your money will be back on your account within three days."
    category = described("refund_promises", ("refund", "money"), (), (example,))
    said = "The money you spent will be returned to your bank account this week."
    score = human_oversight.judge("", said, (), "", (category,))[0]
    assert is_doubtful(score)
    assert score.score < 0.5 < fitted().look(score, "", said, (example,)).score
    other = "Money was first coined in Lydia."
    score = human_oversight.judge("", other, (), "", (category,))[0]
    assert fitted().look(score, "", other, (example,)).score < 0.5
    assert fitted().look(score, "", other).score == score.score


def test_each_category_has_its_directions_and_its_band() -> None:
    made = fitted()
    assert set(semantic.reaches()) == set(made.bias) == set(human_oversight.CATEGORIES)
    for side in ("request", "answer"):
        assert {name: len(row) for name, row in made.directions[side].items()} == dict.fromkeys(made.bias, 384)
    assert set(made.weights) == set(semantic.TERMS)
