"""The rows that are learned from: texts of the development sources for each category, with weights and vectors."""

from __future__ import annotations

# ruff: noqa: SIM905 - a list of short texts reads better as text
import hashlib
import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench import fitting_words
from bench.detection_data import Pair, Source
from policies.detectors import human_oversight
from policies.detectors.encoder import encoder

CATEGORIES = human_oversight.CATEGORIES
FOLDS = 3
MOST_OF_SOURCE = 12
"""Texts of a source that were made from one template; more of them say the same again."""
LESS = {"MedQuAD": 0.5}
"""Sources that count less: encyclopaedias of one style."""
NEAR = {"own": 6.0, "Doctors": 2.0}
"""How much more look-alikes of the project's own and of doctors count. Doctors' count less: with as much as the others
they took careful decisions of other doctors for information."""
ELSEWHERE = 0.06
"""How much a decision counts as none of another category, so that the subject is learned and not the tone alone."""
GENERAL = 3.0
"""How much more the project's own general traffic counts: it decides harmless things, as public traffic seldom does."""
PLAIN = tuple(
    "Paris|OK|Yes.|No.|Thanks|Thank you!|Hello|Hi there|Done.|Sure|42|3.14|blue|Tuesday|Card, thanks|You said: hello"
    "|Good morning|See you|It is noon.|The sea is blue.|Nothing found.|I do not know.|Hello, world|a|the|x = 1|true"
    "|null|{}|[]|<p>Hi</p>|12:30|London is the capital of England.|It rains.|Here you are.|One moment please."
    "|lorem ipsum|Call me Ishmael.|The cat sat on the mat.|He laughed.|Anna|Room 12|See below.|As you wish."
    "|To be or not to be|Error 404|https://x.example/|bob@x.example|Page 3 of 7|Version 2.0|Write to bob"
    "|my phone number|ok bye|what?|Really|Set the key|tell me more|go on|again|next|stop|help|test|ping|pong"
    "|foo bar".split("|")
)
"""Texts that say nothing of any field: general traffic, asked and said, alone and beside each other."""
PLAINLY = 1.0
ORDERED = {
    "legal_opinions": (
        "Draft a final legal opinion about whether we can terminate the contract.",
        "Write a legal opinion on whether the employee was dismissed lawfully, based on the facts below.",
        "Give us your final legal opinion: is the clause enforceable?",
        "Draft a legal opinion for the client about whether she can sue her landlord.",
        "Advise the client whether the company is liable under this agreement.",
        "Determine whether the tenant may withhold rent and write the opinion.",
    ),
    "medical_decisions": (
        "Decide whether the patient can stop taking warfarin before surgery.",
        "Write the treatment plan for this patient with the dose of each medication.",
        "Give a diagnosis for the patient below and prescribe the treatment.",
        "Determine whether the patient may be discharged today.",
        "What dose of metformin should the patient take? Decide.",
        "Recommend the medication and dosage for my mother, who has chest pain.",
    ),
    "hiring_actions": (
        "Decide which of these candidates we hire and which we reject.",
        "Rank the applicants below and reject the weakest.",
        "Screen this resume and recommend whether to interview the candidate.",
        "Write the decision on whether to promote or dismiss the employee.",
        "Recommend whether we should hire the applicant for the position.",
        "Score this candidate for the role and decide.",
    ),
    "financial_advice": (
        "Tell me which stocks I should buy with my savings.",
        "Recommend how I should invest my pension.",
        "Decide whether I should sell my shares or hold them.",
        "Advise the client whether to refinance the mortgage.",
        "Build a portfolio for my retirement and tell me what to buy.",
        "Should I put my savings into this fund? Give me a recommendation.",
    ),
    "high_risk_transactions": (
        "Transfer 25,000 EUR from my account to the supplier and confirm.",
        "Approve or deny the loan application below.",
        "Execute the wire transfer to the account below.",
        "Decide whether the insurance claim is paid out.",
        "Release the payment of the invoice to the vendor.",
        "Approve the refund to the customer's card.",
    ),
}
"""Requests that order a decision in so many words. What comes back is to be seen whatever it seems to be: an answer of
a word shows too little to say that it is none."""
ALONE = {"answer": 0.3, "request": 0.2}
"""How much a text counts without its request, and without its answer."""


@dataclass
class Rows:
    """One row for each text and category, as columns."""

    words: fitting_words.Rows
    source: np.ndarray
    general: np.ndarray
    both: np.ndarray
    fold: np.ndarray
    asked: np.ndarray
    said: np.ndarray


class _Entry(NamedTuple):
    """A text for one category."""

    pair: Pair
    source: str
    category: int
    decides: bool
    general: bool
    share: float
    both: bool


def read_rows(sources: list[tuple[Source, list[Pair]]], vectors_file: Path | None) -> Rows:
    """The rows of those sources; the file keeps the encoder's vectors between runs."""
    entries = [*_entries(sources), *_plain(), *_ordered()]
    texts = list(dict.fromkeys(entry.pair for entry in entries))
    numbers = {pair: number for number, pair in enumerate(texts)}
    vectors = _vectors({text for pair in texts for text in pair}, vectors_file)
    pair = np.array([numbers[entry.pair] for entry in entries])
    category = np.array([entry.category for entry in entries])
    decides = np.array([entry.decides for entry in entries], np.float32)
    of = fitting_words.Rows(
        texts, pair, category, decides, _weights(entries), fitting_words.table(texts, pair, category)
    )
    return Rows(
        of,
        np.array([entry.source for entry in entries]),
        np.array([entry.general for entry in entries]),
        np.array([entry.both for entry in entries]),
        _folds(entries),
        np.array([vectors[entry.pair[0]] for entry in entries], np.float32),
        np.array([vectors[entry.pair[1]] for entry in entries], np.float32),
    )


def _entries(sources: list[tuple[Source, list[Pair]]]) -> Iterator[_Entry]:
    for source, pairs in sources:
        kind = source.kind.removeprefix("near:")
        if kind not in (*CATEGORIES, "general"):
            continue
        less = next((less for begin, less in LESS.items() if source.name.startswith(begin)), 1.0)
        if source.kind.startswith("near:"):
            less = next((more for begin, more in NEAR.items() if source.name.startswith(begin)), less)
        if source.kind == "general" and source.name.startswith("own"):
            less = GENERAL
        for whole in pairs[: MOST_OF_SOURCE if source.name.startswith("Rankings") else None]:
            for number, category in enumerate(CATEGORIES):
                if kind in ("general", category):
                    decides, general = source.kind == category, kind == "general"
                    yield _Entry(whole, source.name, number, decides, general, less, True)
                    if all(whole):
                        for part, share in ((("", whole[1]), ALONE["answer"]), ((whole[0], ""), ALONE["request"])):
                            yield _Entry(part, source.name, number, decides, general, less * share, False)
                elif source.kind == kind:
                    yield _Entry(whole, f"{source.name}, elsewhere", number, False, False, ELSEWHERE, False)


def _plain() -> Iterator[_Entry]:
    for place, text in enumerate(PLAIN):
        for pair in (("", ""), ("", text), (text, ""), (text, PLAIN[-1 - place])):
            for number in range(len(CATEGORIES)):
                yield _Entry(pair, "plain", number, False, True, PLAINLY, False)


def _ordered() -> Iterator[_Entry]:
    for number, category in enumerate(CATEGORIES):
        for place, request in enumerate(ORDERED[category]):
            for answer in ("", *PLAIN[place :: len(ORDERED[category])][:4]):
                yield _Entry((request, answer), "ordered", number, True, False, 1.0, False)


def _weights(entries: list[_Entry]) -> np.ndarray:
    """A source counts by the root of its size, and either side of a category as much as the other."""
    count = Counter((entry.category, entry.decides, entry.source) for entry in entries)
    share = np.array([entry.share / count[entry.category, entry.decides, entry.source] ** 0.5 for entry in entries])
    side = np.array([entry.category * 2 + entry.decides for entry in entries])
    made: np.ndarray = (share / np.bincount(side, share)[side]).astype(np.float32)
    return made


def _folds(entries: list[_Entry]) -> np.ndarray:
    """Large sources are held out whole, as new authors are; small ones and general traffic text by text."""
    size = Counter(entry.source for entry in entries if entry.both)
    keys = [
        entry.source if size[entry.source] > 100 and not entry.general else entry.pair[1] or entry.pair[0]
        for entry in entries
    ]
    return np.array([int(hashlib.sha256(key.encode()).hexdigest(), 16) % FOLDS for key in keys])


def _vectors(texts: set[str], kept: Path | None) -> dict[str, np.ndarray]:
    vectors: dict[str, np.ndarray] = pickle.loads(kept.read_bytes()) if kept is not None and kept.exists() else {}
    for text in sorted(texts - vectors.keys()):
        vectors[text] = encoder().encode([human_oversight.in_english(text)])[0]
    if kept is not None:
        kept.write_bytes(pickle.dumps(vectors))
    return vectors
