"""Answers that a person must see first, by category: what they are about, and whether they decide something.

Two kinds of evidence add up to a score between 0 and 1: words of the subject (it is about medicine) and words of a
decision (you should stop taking). Subject alone stays below the usual threshold of 0.5, or a queue would fill with
encyclopaedia. A request that plainly asks for such a decision counts as much as an answer that makes one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from policies.detectors import Span
from policies.normalising import normalise

VERSION = "human-oversight/1"


@dataclass(frozen=True, slots=True)
class Category:
    """`asks`: a request for a decision. `decides`: an answer that makes one. `subject`: words of the field."""

    asks: re.Pattern[str]
    decides: re.Pattern[str]
    subject: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Score:
    """How sure it is that a category applies (0 to 1), and by what."""

    category: str
    score: float
    request: float
    answer: float
    spans: tuple[Span, ...]


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b", re.IGNORECASE)


CATEGORIES = {
    "legal_opinions": Category(
        asks=_words(
            r"legal (?:opinions?|advice|counsel|memo(?:randum)?|assessment|conclusion|position)",
            r"(?:is|was|would) (?:it|this|that|he|she|they|my \w+|our \w+) (?:be )?(?:il)?legal(?: to)?",
            r"(?:can|could|may|should) (?:i|we|they|he|she|my \w+|our \w+) (?:legally |lawfully )?(?:sue|evict|terminate|fire|be sued|press charges|break (?:the|my|our) (?:lease|contract))",
            r"(?:am i|are we|is (?:he|she|my \w+|our \w+)) (?:legally )?(?:liable|allowed|entitled|required|obligated)",
            r"do (?:i|we) have (?:a|any) (?:case|claim|legal \w+)",
            r"terminat\w+ .{0,40}for cause",
        ),
        decides=_words(
            r"(?:in|it is) (?:my|our) (?:legal |considered |professional )?opinion",
            r"legal opinion",
            r"we (?:conclude|advise|are of the opinion|find) that",
            r"you (?:may|can|should|are entitled to|have the right to|must) (?:lawfully |legally )?(?:sue|terminate|evict|file|claim|dismiss|withhold|refuse|seek damages|recover|appeal|plead)",
            r"(?:is|are|would be|was|were) (?:likely |probably |clearly |not |legally |fully )*(?:liable|enforceable|unenforceable|unlawful|lawful|illegal|actionable|negligent|in breach|void|admissible)",
            r"(?:constitutes?|amounts? to) (?:a |an |clear |material )*(?:breach|cause|negligence|violation|fraud|discrimination|defamation|harassment)",
            r"(?:has|have|had) (?:just |sufficient |no |good |lawful )*(?:grounds|cause|standing|cause of action) (?:to|for)",
            r"terminat\w+ .{0,40}for cause",
        ),
        subject=_words(
            r"contract\w*",
            r"lawsuits?",
            r"litigation",
            r"statut\w+",
            r"liabilit\w+",
            r"plaintiffs?",
            r"defendants?",
            r"court",
            r"attorneys?",
            r"lawyers?",
            r"clauses?",
            r"jurisdiction",
            r"damages",
            r"breach",
            r"employment law",
            r"landlord",
            r"tenant",
            r"lease",
            r"legal\w*",
            r"law",
            r"wrongful \w+",
            r"tort",
            r"settlement",
            r"dismissal",
        ),
    ),
    "medical_decisions": Category(
        asks=_words(
            r"(?:should|can|could|may) (?:i|we|he|she|they|my \w+|the patient) (?:take|stop|start|use|increase|double|skip|switch|combine|mix|get|have|continue)",
            r"(?:what|which|how (?:much|many)) .{0,30}(?:dose|dosage|mg|milligrams?|tablets?|pills?|medications?|medicine|treatment|antibiotics?)",
            r"(?:diagnos(?:e|is)|prescri(?:be|ption)|treatment plan)",
            r"(?:do|does|could) (?:i|he|she|my \w+|the patient) have (?:cancer|diabetes|a |an )",
            r"medical (?:advice|decision|opinion)",
        ),
        decides=_words(
            r"(?:you|he|she|they|the patient|your \w+) (?:should|must|can|may|needs? to|ought to) (?:immediately |safely |not |also |then )*(?:take|stop|start|discontinue|increase|decrease|reduce|double|skip|switch|avoid|continue|undergo|receive|be (?:given|started|treated|admitted|prescribed|discharged))",
            r"(?:i|we) (?:recommend|advise|suggest|prescribe) (?:\w+ ){0,4}(?:taking|starting|stopping|discontinuing|increasing|reducing|\d+|surgery|antibiotics?|medication|treatment)",
            r"(?:take|administer|give|prescribe|start|increase|reduce) (?:\w+ ){0,4}\d+(?:\.\d+)? ?(?:mg|mcg|µg|g|ml|units?|iu|tablets?|pills?|drops)",
            r"(?:the |your |most likely |my )*diagnosis is",
            r"you (?:probably |likely |almost certainly |do not |don't )?have (?:\w+ ){0,2}(?:cancer|diabetes|pneumonia|infection|hypertension|depression|influenza|asthma|stroke|fracture)",
        ),
        subject=_words(
            r"patients?",
            r"dos(?:e|es|age)",
            r"mg",
            r"medications?",
            r"medicines?",
            r"symptoms?",
            r"treatments?",
            r"diagnos\w+",
            r"prescri\w+",
            r"surgery",
            r"insulin",
            r"antibiotics?",
            r"ibuprofen",
            r"warfarin",
            r"blood pressure",
            r"doctor",
            r"physician",
            r"clinical\w*",
            r"disease",
            r"therapy",
            r"pain",
            r"fever",
            r"chronic",
            r"hospital",
        ),
    ),
    "hiring_actions": Category(
        asks=_words(
            r"(?:should|can|do) (?:we|i|they) (?:hire|reject|interview|shortlist|promote|fire|let go|advance|decline)",
            r"(?:rank|score|screen|shortlist|evaluate|assess|compare|rate) (?:\w+ ){0,3}(?:candidates?|applicants?|resumes?|résumés?|cvs?|applications?)",
            r"(?:hire|reject|decline|turn down|advance) (?:this|that|the|these|those|our|my) (?:\w+ )?(?:candidates?|applicants?|person)",
            r"hiring (?:decisions?|recommendations?|actions?)",
            r"(?:rejection|offer|termination) (?:letter|e-?mail)",
            r"which (?:candidate|applicant)",
        ),
        decides=_words(
            r"(?:i|we) (?:would |strongly |do not |don't )*(?:recommend|advise|suggest|propose) (?:that )?(?:\w+ ){0,4}(?:hir\w+|reject\w*|interview\w*|shortlist\w*|promot\w+|advanc\w+|declin\w+|not to hire)",
            r"(?:hire|reject|shortlist|advance|decline|interview|promote|dismiss) (?:this|that|the|him|her|them) ?(?:candidates?|applicants?|application)?",
            r"(?:strong |clear |lean )?(?:no[- ]hire|hire)(?: recommendation)?(?=[.:,!\n]|$)",
            r"(?:should|must|will) (?:not )?be (?:hired|rejected|shortlisted|interviewed|promoted|dismissed|declined|advanced)",
            r"(?:candidate|applicant) (?:\w+ ){0,4}(?:is|are) (?:not )?(?:a |an )?(?:good|poor|strong|weak|excellent|best|bad|suitable|unsuitable|qualified|unqualified)",
            r"(?:we regret|regret to inform|pleased to offer|decided (?:not )?to (?:move forward|proceed))",
        ),
        subject=_words(
            r"candidates?",
            r"applicants?",
            r"hir(?:e|ing|ed)",
            r"interview\w*",
            r"resumes?",
            r"résumés?",
            r"cvs?",
            r"recruit\w+",
            r"job",
            r"position",
            r"qualifications?",
            r"experience",
            r"shortlist\w*",
            r"onboarding",
            r"salary",
        ),
    ),
    "financial_advice": Category(
        asks=_words(
            r"(?:should|can) (?:i|we|my \w+) (?:invest|buy|sell|refinance|borrow|withdraw|put (?:my|our) (?:money|savings))",
            r"(?:which|what) (?:stocks?|funds?|shares?|bonds?|crypto\w*|investments?) (?:should|to)",
            r"(?:financial|investment|tax) advice",
        ),
        decides=_words(
            r"you (?:should|must|ought to) (?:\w+ ){0,2}(?:invest|buy|sell|refinance|borrow|withdraw|allocate|short|hold)",
            r"(?:i|we) (?:recommend|advise|suggest) (?:\w+ ){0,3}(?:investing|buying|selling|allocating|refinancing|holding)",
            r"(?:allocate|invest|put) (?:\w+ ){0,3}\d+ ?(?:%|percent)",
        ),
        subject=_words(
            r"stocks?",
            r"bonds?",
            r"portfolio",
            r"invest\w*",
            r"shares?",
            r"funds?",
            r"mortgage",
            r"loan",
            r"interest",
            r"retirement",
            r"tax\w*",
            r"crypto\w*",
            r"savings",
            r"dividends?",
            r"pension",
            r"market",
        ),
    ),
    "high_risk_transactions": Category(
        asks=_words(
            r"(?:transfer|wire|send|pay|refund|release|approve) (?:\w+ ){0,3}(?:[$€£]\s?\d[\d,.]*|\d[\d,.]* ?(?:dollars|euros|usd|eur|gbp))",
            r"approve (?:this|the) (?:transaction|transfer|payment|loan|refund|purchase)",
        ),
        decides=_words(
            r"(?:transferr(?:ed|ing)|wir(?:ed|ing)|sent|paid|refunded|releas(?:ed|ing)|approved?|authoriz(?:ed|e)|execut(?:ed|e)) (?:\w+ ){0,4}(?:transaction|transfer|payment|loan|refund|[$€£]\s?\d)",
            r"(?:transaction|transfer|payment|loan|refund) (?:\w+ ){0,2}(?:is|has been|was) (?:approved|executed|released|authorized|completed)",
        ),
        subject=_words(
            r"transactions?",
            r"transfers?",
            r"payments?",
            r"wire",
            r"accounts?",
            r"balance",
            r"bank",
            r"iban",
            r"refunds?",
            r"loans?",
            r"amount",
            r"beneficiary",
            r"payee",
        ),
    ),
}

_GENERAL = _words(
    r"what (?:is|are|does|was) (?:a |an |the )?\w+",
    r"history of",
    r"in general",
    r"definition of",
    r"explain the (?:term|concept|difference)",
    r"fiction\w*",
    r"poem",
    r"novel",
    r"short story",
    r"joke",
)


def judge(request: str, answer: str, categories: tuple[str, ...], answer_path: str = "") -> list[Score]:
    """The score of each category for one answer and the request that it answers, highest first."""
    asked, said = normalise(request), normalise(answer)
    damped = 0.6 if _GENERAL.search(asked) else 1.0
    scores = [_score(name, CATEGORIES[name], asked, said, damped, answer_path) for name in categories]
    return sorted(scores, key=lambda score: -score.score)


def _score(name: str, category: Category, asked: str, said: str, damped: float, path: str) -> Score:
    asks = list(category.asks.finditer(asked))
    decides = list(category.decides.finditer(said))
    subject_asked = _distinct(category.subject, asked)
    subject_said = _distinct(category.subject, said)
    request = _squash(damped * (1.6 * min(2, len(asks)) + 0.08 * min(4, subject_asked)))
    answer = _squash(
        0.7 * min(3, len(decides)) + 0.35 * min(6, subject_said) if decides else 0.07 * min(6, subject_said)
    )
    # Either alone may suffice; together they are surer.
    score = 1 - (1 - request) * (1 - answer)
    spans = [Span("request", m.start(), m.end(), name, "asks") for m in asks[:5]]
    spans += [Span(path, m.start(), m.end(), name, "decides") for m in decides[:10]]
    return Score(name, round(score, 3), round(request, 3), round(answer, 3), tuple(spans))


def _distinct(pattern: re.Pattern[str], text: str) -> int:
    return len({match[0].lower() for match in pattern.finditer(text)})


def _squash(evidence: float) -> float:
    """From evidence to a share of certainty: 0 for none, one half at 1, near 1 at 4."""
    return 1 - math.pow(2, -evidence)
