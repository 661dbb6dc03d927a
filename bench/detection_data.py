"""The texts that the detectors are measured on, each source either for development or for the test, never both.

Nothing is downloaded. A source that is not in the directory is left out and named as missing. `SOURCES` says where each
is to be had and under which licence; a directory has the name of the repository.
"""

from __future__ import annotations

# ruff: noqa: E501 - tables of sources and of columns
import csv
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Pair = tuple[str, str]
Reader = Callable[[Path], Iterator[Pair]]
_LABELLED = Path(__file__).parent / "labelled"


@dataclass(frozen=True, slots=True)
class Source:
    """Pairs of request and answer of one kind. `kind`: a category, `near:` and a category, `general`, or
    `mixed` for general requests that name one of the fields."""

    name: str
    split: str
    kind: str
    where: str
    licence: str
    read: Reader


_FIELDS = re.compile(
    r"(?i)\b(?:legal\w*|laws?|lawyers?|attorney|court|sue|contract|rights|medic\w*|doctor|disease|symptoms?|health\w*|therap\w*|treat\w*|pain|hiring|hire|candidates?|resume|cv|interview\w*|job|employ\w*|cover letter|invest\w*|stocks?|money|loan|mortgage|tax\w*|salary|financ\w*|bank\w*|insurance|crypto\w*|bitcoin|acne|skin|blood|sick\w*|illness|cancer|diabet\w*|anxi\w*|depress\w*|diet\w*|pregnan\w*|sleep\w*|weight|allerg\w*|pills?|drugs?|dos(?:e|age)|vitamins?|injur\w*|teeth|dentist|headaches?|virus|fever|vaccin\w*|surgery|pandemic|exercises?|landlord|tenant|rent|police|crim\w+|divorce|licen[cs]e|copyright|patent|illegal|nanny|recruit\w*|budget|credit|debt|savings?|profit|pay\w*|price\w*)\b"
)
"""Requests with one of these words are left out of general traffic (their answers may well be what is looked for) and
reported apart. Written from general knowledge, not from the words of the detectors."""
_OWN_CASE = re.compile(r"(?i)\b(?:i|my|me|we|our|i'm|i've|mine)\b")


def _alpaca(models: tuple[str, ...], parts: tuple[str, ...], *, fields: bool = False) -> Reader:
    def read(root: Path) -> Iterator[Pair]:
        for model in models:
            for row in json.loads((root / "alpaca_eval/results" / model / "model_outputs.json").read_text()):
                if row["dataset"] in parts and bool(_FIELDS.search(row["instruction"])) is fields:
                    yield row["instruction"], row["output"]

    return read


def _xstest(root: Path) -> Iterator[Pair]:
    with (root / "exaggerated-safety/model_completions/xstest_v2_completions_gpt4.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if not row["type"].startswith("contrast") and not _FIELDS.search(row["prompt"]):
                yield row["prompt"], row["completion"]


def _doctors(name: str, step: int = 1) -> Reader:
    def read(root: Path) -> Iterator[Pair]:
        rows = json.loads((root / "medical-question-answer-data" / name).read_text())
        for row in rows[::step]:
            yield (row.get("question_text") or row["question"]).strip(), row["answer"]

    return read


def _k_qa(root: Path) -> Iterator[Pair]:
    for line in (root / "K-QA/questions_w_answers.jsonl").read_text().splitlines():
        row = json.loads(line)
        yield row["Question"], row["Free_form_answer"]


def _read_as(label: str, file: str, *sources: Reader) -> Reader:
    """The rows that every reader, each alone, gave that label by the guide of labelled/README.md."""

    def read(root: Path) -> Iterator[Pair]:
        rows = map(json.loads, (_LABELLED / file).read_text().splitlines())
        wanted = {row["text"] for row in rows if row["one"] == row.get("two", row["one"]) == label}
        for source in sources:
            yield from (pair for pair in source(root) if _digest(pair) in wanted)

    return read


def _digest(pair: Pair) -> str:
    """By which a text is found again that may not be kept here."""
    return hashlib.sha256(json.dumps(pair).encode()).hexdigest()[:16]


def _medquad(folder: str, most: int) -> Reader:
    def read(root: Path) -> Iterator[Pair]:
        count = 0
        for path in sorted((root / "MedQuAD" / folder).glob("*.xml")):
            for pair in ElementTree.parse(path).iter("QAPair"):
                question, answer = pair.findtext("Question") or "", (pair.findtext("Answer") or "").strip()
                if answer and count < most:
                    count += 1
                    yield question, answer

    return read


def _fiqa(*, own: bool) -> Reader:
    """FiQA's test answers with their questions: of one's own case, or in general."""

    def read(root: Path) -> Iterator[Pair]:
        base = root / "FinBERT-QA"
        csv.field_size_limit(1 << 24)
        asked = {}
        for line in (base / "data/raw/FiQA_train_question_final.tsv").read_text().splitlines()[1:]:
            parts = line.split("\t")
            asked[parts[1]] = parts[2]
        questions = {}
        for line in (base / "data/raw/FiQA_train_question_doc_final.tsv").read_text().splitlines()[1:]:
            parts = line.split("\t")
            questions[parts[2]] = asked.get(parts[1], "")
        for line in (base / "retriever/test_answers.csv").read_text().splitlines():
            number, _, answer = line.partition("\t")
            question = questions.get(number, "")
            if question and answer.strip() and bool(_OWN_CASE.search(question)) is own:
                yield question, " ".join(answer.split())

    return read


def _hiring(name: str) -> Reader:
    """Rankings of applicants by a model, put back into the JSON in which it gave them; equal ones once."""

    def read(root: Path) -> Iterator[Pair]:
        groups: dict[tuple[str, str, str], list[dict[str, object]]] = {}
        with (root / "496-Project" / name).open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                entry = {"rank": int(row["rank"]), "resume_id": row["resume_id"], "reason": row["reason"]}
                groups.setdefault((row["repeat_idx"], row["group_index"], row["job_title"]), []).append(entry)
        seen = set()
        for (_, _, job), selections in groups.items():
            said = json.dumps({"job_title": job, "selections": selections})
            reasons = tuple(str(entry["reason"]) for entry in selections)
            if reasons not in seen:
                seen.add(reasons)
                yield f"Select the best resumes for the {job} role.", said

    return read


def _hands(*topics: str) -> Reader:
    """Posts of laymen with a legal problem, as requests without an answer; those that have the topic."""

    def read(root: Path) -> Iterator[Pair]:
        for topic in topics:
            with (root / f"legalbench/tasks/learned_hands_{topic}/train.tsv").open(newline="") as file:
                for row in csv.DictReader(file, delimiter="\t"):
                    yield row["text"], ""

    return read


def _ailuminate(hazard: str) -> Reader:
    def read(root: Path) -> Iterator[Pair]:
        with (root / "ailuminate/airr_demo_en_us_spc_only.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if row["hazard"] == hazard:
                    yield row["prompt_text"], ""

    return read


def labelled(folder: Path, split: str) -> list[Source]:
    """Text of the project's own: one JSON object a line with `kind`, `request`, `answer`; see labelled/README.md.

    Look-alikes of a test that have a `likeness` are sources of their own by it.
    """
    found = []
    for path in sorted(folder.glob(f"{split}-*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        groups: dict[tuple[str, str], list[Pair]] = {}
        for row in rows:
            likeness = f", {row['likeness']}" if split == "test" and "likeness" in row else ""
            groups.setdefault((row["kind"], likeness), []).append((row["request"], row["answer"]))
        found += [
            Source(f"own {path.stem}{likeness}", split, kind, "bench/labelled", "Apache-2.0", _already(pairs))
            for (kind, likeness), pairs in sorted(groups.items())
        ]
    return found


def _already(pairs: list[Pair]) -> Reader:
    return lambda _root: iter(pairs)


_MODELS = ("gpt4_1106_preview", "Mixtral-8x7B-Instruct-v0.1", "llama-2-70b-chat-hf")
_OTHERS = ("gpt-4o-2024-05-13", "claude-3-opus-20240229", "Meta-Llama-3-70B-Instruct")
_ALPACA = "github.com/tatsu-lab/alpaca_eval"
_QUAD = "github.com/abachaa/MedQuAD"
_ASKED = "github.com/LasseRegin/medical-question-answer-data"
_NC = "CC BY-NC 4.0"

SOURCES: tuple[Source, ...] = (
    Source("alpaca_eval: selfinstruct, helpful_base", "dev", "general", _ALPACA, _NC, _alpaca(_MODELS, ("selfinstruct", "helpful_base"))),
    Source("Doctors' answers: iCliniq, read as decisions", "dev", "medical_decisions", _ASKED, "MIT", _read_as("decision", "read-doctors.jsonl", _doctors("icliniqQAs.json"))),
    Source("Doctors' answers: questionDoctors, read as decisions", "dev", "medical_decisions", _ASKED, "MIT", _read_as("decision", "read-doctors.jsonl", _doctors("questionDoctorQAs.json", 12))),
    Source("Doctors' answers: eHealthForum, read as decisions", "dev", "medical_decisions", _ASKED, "MIT", _read_as("decision", "read-doctors.jsonl", _doctors("ehealthforumQAs.json"))),
    Source("Doctors' answers: all three, read as information", "dev", "near:medical_decisions", _ASKED, "MIT", _read_as("information", "read-doctors.jsonl", _doctors("icliniqQAs.json"), _doctors("questionDoctorQAs.json", 12), _doctors("ehealthforumQAs.json"))),
    Source("MedQuAD: CancerGov", "dev", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("1_CancerGov_QA", 300)),
    Source("MedQuAD: NIDDK", "dev", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("5_NIDDK_QA", 300)),
    Source("LearnedHands: housing, family, torts", "dev", "legal_opinions", "github.com/HazyResearch/legalbench", "CC BY-NC-SA 4.0", _hands("housing", "family", "torts")),
    Source("AILuminate: financial", "dev", "financial_advice", "github.com/mlcommons/ailuminate", "Apache-2.0", _ailuminate("spc_fin")),
    Source("alpaca_eval: koala, oasst, vicuna", "test", "general", _ALPACA, _NC, _alpaca(_OTHERS, ("koala", "oasst", "vicuna"))),
    Source("alpaca_eval: what general traffic leaves out", "test", "mixed", _ALPACA, _NC, _alpaca(_OTHERS, ("koala", "oasst", "vicuna"), fields=True)),
    Source("XSTest, safe prompts, answers of GPT-4", "test", "general", "github.com/paul-rottger/exaggerated-safety", "CC BY 4.0", _xstest),
    Source("K-QA, all", "test", "medical_decisions", "github.com/Itaymanes/K-QA", "MIT", _k_qa),
    Source("K-QA, read as decisions", "test", "medical_decisions", "github.com/Itaymanes/K-QA", "MIT", _read_as("decision", "read-k-qa.jsonl", _k_qa)),
    Source("K-QA, read as information", "test", "near:medical_decisions", "github.com/Itaymanes/K-QA", "MIT", _read_as("information", "read-k-qa.jsonl", _k_qa)),
    Source("MedQuAD: NHLBI", "test", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("8_NHLBI_QA_XML", 300)),
    Source("MedQuAD: NINDS", "test", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("6_NINDS_QA", 300)),
    Source("AILuminate: legal", "test", "legal_opinions", "github.com/mlcommons/ailuminate", "Apache-2.0", _ailuminate("spc_lgl")),
    Source("LearnedHands: courts, crime, consumer, employment, traffic", "test", "legal_opinions", "github.com/HazyResearch/legalbench", "CC BY-NC-SA 4.0", _hands("courts", "crime", "consumer", "employment", "traffic")),
    Source("FiQA, questions of one's own case", "test", "financial_advice", "github.com/yuanbit/FinBERT-QA", "none stated", _fiqa(own=True)),
    Source("FiQA, other questions", "test", "near:financial_advice", "github.com/yuanbit/FinBERT-QA", "none stated", _fiqa(own=False)),
    Source("FiQA, read as decisions", "test", "financial_advice", "github.com/yuanbit/FinBERT-QA", "none stated", _read_as("decision", "read-fiqa.jsonl", _fiqa(own=True), _fiqa(own=False))),
    Source("FiQA, read as information", "test", "near:financial_advice", "github.com/yuanbit/FinBERT-QA", "none stated", _read_as("information", "read-fiqa.jsonl", _fiqa(own=True), _fiqa(own=False))),
    Source("Rankings of applicants by GPT-4.1 mini", "dev", "hiring_actions", "github.com/RgL13/496-Project", "none stated", _hiring("results_gpt41mini.csv")),
)  # fmt: skip

FURTHER: tuple[Source, ...] = (
    Source("LearnedHands: eight further topics", "dev", "legal_opinions", "github.com/HazyResearch/legalbench", "CC BY-NC-SA 4.0", _hands("benefits", "business", "divorce", "domestic_violence", "education", "estates", "health", "immigration")),
    Source("MedQuAD: SeniorHealth", "dev", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("7_SeniorHealth_QA", 300)),
    Source("MedQuAD: CDC", "dev", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("9_CDC_QA", 270)),
    Source("MedQuAD: MedlinePlus topics", "dev", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("4_MPlus_Health_Topics_QA", 300)),
    Source("MedQuAD: GARD", "dev", "near:medical_decisions", _QUAD, "CC BY 4.0", _medquad("2_GARD_QA", 200)),
)  # fmt: skip
"""What only the semantic layer is fitted on."""


def load(
    root: Path, own: Path, split: str, further: tuple[Source, ...] = ()
) -> tuple[list[tuple[Source, list[Pair]]], list[str]]:
    """The sources of that split with their pairs, and the names of those that are not there."""
    found, missing = [], []
    for source in [entry for entry in (*SOURCES, *further) if entry.split == split] + labelled(own, split):
        try:
            pairs = list(source.read(root))
        except FileNotFoundError:
            pairs = []
        if pairs:
            found.append((source, pairs))
        else:
            missing.append(source.name)
    return found, missing


def fingerprint(pairs: list[Pair]) -> str:
    """Twelve hexadecimal digits that change when any text of a source does."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps(pair).encode())
    return digest.hexdigest()[:12]
