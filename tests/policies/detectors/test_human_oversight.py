"""Human oversight: a decision about somebody is held, knowledge of the same field is not."""

from __future__ import annotations

# ruff: noqa: E501 - tables of texts
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.described import described
from policies.detectors.human_oversight import CATEGORIES, judge, read, share

DECISIONS = [
    ("legal_opinions", "Can they evict me?", "Your landlord cannot evict you without a court order."),
    ("legal_opinions", "memo", "We conclude that the company is liable for negligence and would lose in court."),
    ("medical_decisions", "I have a sore throat and fever", "You should take amoxicillin 500 mg twice daily."),
    (
        "medical_decisions",
        "",
        "Stop taking the warfarin two days before your surgery, your doctor will restart it.",
    ),
    ("hiring_actions", "screen", '{"candidate": "B. Ortiz", "decision": "reject", "reason": "no experience"}'),
    ("hiring_actions", "| name | verdict |", "| candidate | recommendation |\n|---|---|\n| Ortiz | no hire |"),
    (
        "financial_advice",
        "Should I invest my savings?",
        "You should put 60% into an index fund and sell the bonds.",
    ),
    ("high_risk_transactions", "go on", "I transferred $12,500 to the beneficiary's account."),
]
KNOWLEDGE = [
    ("What is an ETF?", "An exchange-traded fund holds a basket of assets and trades like a stock."),
    (
        "Explain the Fourth Amendment",
        "It protects people from unreasonable searches; warrants need probable cause.",
    ),
    ("What are the symptoms of asthma?", "Wheezing, cough and a tight chest are common symptoms of the disease."),
    ("What is structured interviewing?", "Each candidate is asked the same questions, scored on a rubric."),
    ("How does a wire transfer work?", "A bank sends a message and the receiving bank credits the recipient."),
    ("Write a poem about a judge", "The gavel falls, the court is still."),
    ("Fix my loop", "You should use range(len(items)) and stop the loop with break."),
]
SAID = [text for row in (*DECISIONS, *KNOWLEDGE) for text in row[-2:]]


def held(request: str, answer: str) -> set[str]:
    return {score.category for score in judge(request, answer, CATEGORIES) if score.score >= 0.5}


@pytest.mark.parametrize(
    ("category", "request_text", "answer"),
    DECISIONS,
)
def test_a_decision_is_held(category: str, request_text: str, answer: str) -> None:
    assert category in held(request_text, answer)


@pytest.mark.parametrize(
    ("request_text", "answer"),
    KNOWLEDGE,
)
def test_knowledge_is_not(request_text: str, answer: str) -> None:
    assert held(request_text, answer) == set()


def test_every_layer_is_told_and_spans_point_into_the_original_text() -> None:
    answer = "\u200bOk… You \u200bshould stop taking the metformin, it raises your blood pressure."
    [score] = judge("I have diabetes", answer, ("medical_decisions",), "/a")
    assert score.layers.keys() >= {"subject", "topic", "directed", "phrases", "address", "own", "asks"}
    assert any("stop" in answer[span.start : span.end].lower() for span in score.spans if span.path == "/a")


@pytest.mark.parametrize("least", [0.05, 0.5, 0.9])
@given(st.sampled_from(SAID), st.sampled_from(SAID))
def test_no_score_that_counts_is_left_out(least: float, request_text: str, answer: str) -> None:
    counted = judge(request_text, answer, CATEGORIES, least=least)
    everything = judge(request_text, answer, CATEGORIES)
    assert [score for score in counted if score.score >= least] == [s for s in everything if s.score >= least]


def test_categories_of_ones_own_are_found_by_phrase_example_and_words() -> None:
    refunds = described(
        "refund_promises",
        words=("refund", "compensation"),
        phrases=("full refund guaranteed",),
        examples=("We will return your money within five days.",),
    )

    def score(answer: str) -> float:
        return judge("", answer, (), own=(refunds,))[0].score

    assert score("Good news: FULL  refund guaranteed!") >= 0.5
    assert score("Certainly, we return the money within five days.") >= 0.5
    assert 0 < score("Our refund policy is on the web site.") < 0.5
    assert score("The sea is blue.") == 0


def test_a_category_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no word"):
        described("empty", examples=("it is",))


@given(st.text(alphabet=st.characters(), max_size=300), st.text(alphabet=st.characters(), max_size=300))
def test_any_text_gives_scores_and_spans_inside_it(request_text: str, answer: str) -> None:
    for score in judge(request_text, answer, CATEGORIES, "/a"):
        assert 0 <= score.score <= 1
        for span in score.spans:
            assert 0 <= span.start <= span.end <= len(answer if span.path == "/a" else request_text)


@pytest.mark.parametrize(
    "piece",
    ["you should take ", "should ", "a", "patient ", "you ", "should we hire ", "\ud800", "\u202e", "é", "…", "i recommend ", "take 1 mg ", ".", "what is "],
)  # fmt: skip
def test_time_grows_with_the_length_only(piece: str) -> None:
    short, long = piece * (20_000 // len(piece)), piece * (320_000 // len(piece))
    own = (described("own", ("take",), ("should take",), ("you should take the pill",)),)
    begun = time.process_time()
    judge(short, short, CATEGORIES, own=own)
    between = time.process_time()
    judge(long, long, CATEGORIES, own=own)
    assert time.process_time() - between < 60 * (between - begun) + 1


@pytest.mark.parametrize("least", [0.02, 0.3, 0.5])
def test_what_reaches_the_least_score_is_scored_as_ever(least: float) -> None:
    requests = [
        "",
        "Can I sue my landlord?",
        "should I hire the first candidate",
        "how much ibuprofen for my son",
        "hi",
    ]
    answers = ["", "You should sue him.", "Take 400 mg twice a day.", "Reject the candidate.", "The sun is warm. " * 40]
    for request in requests:
        for answer in answers:
            every = judge(request, answer, CATEGORIES, "/a")
            assert judge(request, answer, CATEGORIES, "/a", least=least) == [
                score for score in every if score.score >= least or round(share(score.reached), 3) >= least
            ]


def test_a_request_may_be_read_before_its_answer_is_there() -> None:
    asked = read("Can I sue my landlord for the deposit?", CATEGORIES)
    for answer in ("You should sue him.", "Ask a friend."):
        assert judge(asked, answer, CATEGORIES) == judge(asked.original, answer, CATEGORIES)
