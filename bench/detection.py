"""How much the detectors find, and how much they find that is not there.

    python -m bench.detection [--data DIR] [--split dev|test] [--write docs/detection.md]

Reads the sources of `bench.detection_data` from DIR (default: the environment's KT_DATA, else ./data) and the labelled
text of the project itself; a source that is not there is named and left out. Sources of the split `test` were not read
while the detectors were written; run it on them once for a release, not once for a change.
"""

from __future__ import annotations

# ruff: noqa: E501 - tables of sources and of columns
import argparse
import csv
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.detection_cost import Run, cost
from bench.detection_data import Pair, Source, fingerprint, load
from bench.detection_scoring import above, precision, share, table, threshold_at
from policies.config import PiiDetector
from policies.detectors import Span, human_oversight, pii, prompt_injection, semantic
from policies.detectors.entities import ENTITIES

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
OWN = Path(__file__).parent / "labelled"
USUAL = 0.5
THRESHOLDS = (0.05, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FINE = tuple(step / 100 for step in range(5, 101, 5))
_CATEGORIES = human_oversight.CATEGORIES
_PII = PiiDetector.model_construct(entities=ENTITIES, pci_mode=False, action="redact")
_MEASURED = ("CREDIT_CARD", "IBAN_CODE", "US_SSN", "EMAIL_ADDRESS", "IP_ADDRESS", "PHONE_NUMBER")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the detectors.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KT_DATA", "data")))
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    report = "\n\n".join(
        [*oversight(options.data, options.split), *personal_data(options.data, options.split),
         *injection(options.data, options.split), *_cost(options.data)]
    )  # fmt: skip
    if options.write:
        before, _, rest = options.write.read_text().partition(BEGIN)
        options.write.write_text(f"{before}{BEGIN}\n\n{report}\n\n{END}{rest.partition(END)[2]}")
    print(report)


def oversight(data: Path, split: str) -> list[str]:
    """Human oversight, each category against general traffic and against information of its own field."""
    sources, missing = load(data, OWN, split)
    general = [pair for source, pairs in sources if source.kind == "general" for pair in pairs]
    return [
        f"### Human oversight, split `{split}`",
        *_oversight_tables(sources, general, _by_words),
        _used(general),
        f"### Human oversight with the semantic layer, split `{split}`",
        *_oversight_tables(sources, general, _by_meaning),
        "Sources, with a fingerprint of the texts:",
        _files(sources),
        f"Not there: {', '.join(missing)}." if missing else "All sources were there.",
    ]


Judging = Callable[[str, str, str], float]
"""Request, answer, category: the score."""


def _by_words(request: str, answer: str, category: str) -> float:
    return human_oversight.judge(request, answer, (category,))[0].score


def _by_meaning(request: str, answer: str, category: str) -> float:
    score = human_oversight.judge(request, answer, (category,))[0]
    return semantic.fitted().look(score, request, answer).score if semantic.is_doubtful(score) else score.score


def _used(general: list[Pair]) -> str:
    """On how much of general traffic the encoder runs, and how long."""
    used = [
        pair for pair in general if any(map(semantic.is_doubtful, human_oversight.judge(*pair, _CATEGORIES)))
    ]  # fmt: skip
    semantic.fitted()
    begun = time.process_time()
    for pair in used:
        for score in filter(semantic.is_doubtful, human_oversight.judge(*pair, _CATEGORIES)):
            semantic.fitted().look(score, *pair)
    took = (time.process_time() - begun) * 1000 / max(1, len(used))
    return (
        f"The semantic layer runs on {share(len(used), len(general))} of general traffic, all five categories together,"
        f" and takes {took:.0f} ms of CPU for one request with its answer where it does; elsewhere nothing."
    )


def _oversight_tables(sources: list[tuple[Source, list[Pair]]], general: list[Pair], judging: Judging) -> list[str]:
    rows: list[list[object]] = []
    near: list[list[object]] = []
    for category in _CATEGORIES:
        negatives = _scores(general, category, judging)
        one, five = threshold_at(negatives, 0.01), threshold_at(negatives, 0.05)
        usual = above(negatives, USUAL) / max(1, len(negatives))
        for source, pairs in sources:
            if source.kind == category:
                rows.append(_recall_row(category, source, pairs, (one, five), usual, judging))
            elif source.kind in (f"near:{category}", "mixed"):
                scores = _scores(pairs, category, judging)
                shares = [share(above(scores, limit), len(scores)) for limit in (USUAL, one, five)]
                near.append([category, source.name, len(scores), *shares])
        rows.append(
            [
                category,
                "*general traffic, false positives*",
                len(negatives),
                "0.010",
                "0.050",
                f"**{share(above(negatives, USUAL), len(negatives))}**",
                "",
                "",
                "",
            ]
        )
    head = [
        "category",
        "source",
        "n",
        "recall at 1 %",
        "recall at 5 %",
        "at 0.5",
        "answer alone, at 1 %",
        "precision at 1 % prevalence",
        "at 10 %",
    ]
    return [
        "Recall with its 95 % Wilson interval; thresholds are those at which 1 % and 5 % of general traffic are held. "
        "Precision is at the usual threshold of 0.5.",
        table(head, rows),
        "Information of the same field that concerns nobody in particular, and general requests that name one of the fields "
        "(some of those should be held): the share that is held:",
        table(["category", "source", "n", "at 0.5", "at the 1 % threshold", "at the 5 % threshold"], near),
    ]  # fmt: skip


def _files(sources: list[tuple[Source, list[Pair]]]) -> str:
    files = [
        [source.name, source.kind, len(pairs), source.where, source.licence, f"`{fingerprint(pairs)}`"]
        for source, pairs in sources
    ]
    return table(["source", "kind", "n", "where", "licence", "fingerprint"], files)


def _recall_row(
    category: str, source: Source, pairs: list[Pair], limits: tuple[float, float], usual: float, judging: Judging
) -> list[object]:
    scores = _scores(pairs, category, judging)
    alone = _scores([("", answer) for _, answer in pairs if answer], category, judging)
    recall = above(scores, USUAL) / len(scores)
    return [
        category, source.name, len(scores),
        *(share(above(scores, limit), len(scores)) for limit in (*limits, USUAL)),
        share(above(alone, limits[0]), len(alone)),
        f"{precision(recall, usual, 0.01):.2f}", f"{precision(recall, usual, 0.1):.2f}",
    ]  # fmt: skip


def _scores(pairs: Iterable[Pair], category: str, judging: Judging) -> list[float]:
    return [judging(request, answer, category) for request, answer in pairs]


def personal_data(data: Path, split: str) -> list[str]:
    """PII on presidio-research; a hit overlaps the labelled span and has its entity."""
    try:
        rows = json.loads((data / "presidio-research/generated_large.json").read_text())
        small = json.loads((data / "presidio-research/generated_small.json").read_text())
    except FileNotFoundError:
        return ["### Personal data", "presidio-research was not there."]
    odd = split == "test"
    rows = [row for row in rows if bool(row["template_id"] % 2) is odd] + ([] if odd else small)
    labelled, hit, found, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        spans = pii.find("", row["full_text"], _PII)
        for wanted in row["spans"]:
            labelled[wanted["entity_type"]] += 1
            hit[wanted["entity_type"]] += any(_overlap(span, wanted) for span in spans)
        for span in spans:
            found[span.label] += 1
            right[span.label] += any(_overlap(span, wanted) for wanted in row["spans"])
    table_rows = [
        [name, labelled[name], share(hit[name], labelled[name]), share(right[name], found[name])] for name in _MEASURED
    ]
    return [
        f"### Personal data, presidio-research, templates of the split `{split}` ({len(rows)} texts)",
        table(["entity", "n", "recall", "precision"], table_rows),
    ]


def _overlap(span: Span, wanted: dict[str, object]) -> bool:
    start, end = wanted["start_position"], wanted["end_position"]
    assert isinstance(start, int)
    assert isinstance(end, int)
    return bool(span.label == wanted["entity_type"]) and span.start < end and start < span.end


def injection(data: Path, split: str) -> list[str]:
    """Prompt injection: attacks and harmless texts, at each threshold.

    XSTest is left out of the general requests: its prompts are a development set here.
    """
    sources, _ = load(data, OWN, split)
    general = [
        request
        for source, pairs in sources
        if source.kind == "general" and not source.name.startswith("XSTest")
        for request in dict.fromkeys(request for request, _ in pairs)
    ]
    negatives = [prompt_injection.screen("", text).score for text in general]
    sets = [
        (name, kind, [prompt_injection.screen("", text).score for text in texts])
        for name, kind, texts in injection_sets(data, split)
    ]
    sets.append(("general requests", "harmless", negatives))
    rows = [
        [
            name,
            kind,
            len(scores),
            *(share(sum(score >= limit for score in scores), len(scores)) for limit in THRESHOLDS),
        ]
        for name, kind, scores in sets
    ]
    return [
        f"### Prompt injection, patterns alone, split `{split}`",
        "The share that is found from each `threshold` on; 0.5 is what ships.",
        table(["set", "of", "n", *(f"{limit:g}" for limit in THRESHOLDS)], rows),
        *_floors({name: scores for name, _, scores in sets}),
    ]  # fmt: skip


def _floors(scores: dict[str, list[float]]) -> list[str]:
    """What was promised, held against what is: with the lowest threshold that keeps to 5 % of general requests."""
    within = [
        limit
        for limit in FINE
        if sum(score >= limit for score in scores["general requests"]) <= 0.05 * len(scores["general requests"])
    ]
    if not within or "PurpleLlama" not in scores or "NotInject, one trigger word" not in scores:
        return []
    attacks, words = scores["PurpleLlama"], scores["NotInject, one trigger word"]
    found = sum(score >= within[0] for score in attacks)
    held = sum(score >= prompt_injection.THRESHOLD for score in words)
    strict = [limit for limit in FINE if sum(score >= limit for score in words) <= 0.01 * len(words)]
    both = sum(score >= strict[0] for score in attacks)
    return [
        f"The floors: at least 0.35 of the attacks where at most 5 % of general requests are held, which is `threshold: "
        f"{within[0]:g}`, is {share(found, len(attacks))} of PurpleLlama; at most 1 % of NotInject's first set is "
        f"{share(held, len(words))} at 0.5. Both at once: with `threshold: {strict[0]:g}`, the lowest that keeps to the "
        f"second, {share(both, len(attacks))} of PurpleLlama."
    ]


def injection_sets(data: Path, split: str) -> list[tuple[str, str, list[str]]]:
    guard, bipia = data / "PIGuard", data / "BIPIA"
    wanted: list[tuple[str, str, str, Callable[[], list[str]]]] = [
        ("dev", "GPTFuzz", "attacks", lambda: [row["text"] for row in _csv(data / "gptfuzz/GPTFuzzer.csv")]),
        ("dev", "NotInject, two trigger words", "harmless", lambda: _prompts(guard / "NotInject_two.json")),
        ("dev", "XSTest prompts", "harmless", lambda: [row["prompt"] for row in _csv(data / "xstest/xstest_prompts.csv")]),
        ("test", "PurpleLlama", "attacks", lambda: [row["user_input"] for row in json.loads((data / "purplellama-promptinjection/prompt_injection.json").read_text())]),
        ("test", "PIGuard valid, attacks", "attacks", lambda: _prompts(guard / "valid.json", 1)),
        ("test", "PIGuard valid, harmless", "harmless", lambda: _prompts(guard / "valid.json", 0)),
        ("test", "NotInject, one trigger word", "harmless", lambda: _prompts(guard / "NotInject_one.json")),
        ("test", "WildGuard harmless", "harmless", lambda: _prompts(guard / "wildguard.json", 0)),
        ("test", "BIPIA text attacks (bare)", "attacks", lambda: [text for texts in json.loads((bipia / "text_attack_test.json").read_text()).values() for text in texts]),
        ("test", "BIPIA e-mails", "harmless", lambda: [json.loads(line)["context"] for line in (bipia / "email_test.jsonl").read_text().splitlines()]),
    ]  # fmt: skip
    found = []
    for part, name, kind, read in wanted:
        if part == split:
            try:
                found.append((name, kind, read()))
            except FileNotFoundError:
                continue
    return found


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _prompts(path: Path, label: int | None = None) -> list[str]:
    return [row["prompt"] for row in json.loads(path.read_text()) if label is None or row["label"] == label]


def _cost(data: Path) -> list[str]:
    """As the chain runs the detectors: of scores that hold nothing only as much is worked out as it takes to know that."""
    sources = [entry for entry in load(data, OWN, "test")[0] if entry[0].kind == "general"]
    runs: dict[str, Run] = {
        "human oversight, five categories": lambda text: human_oversight.judge("", text, _CATEGORIES, least=USUAL),
        "personal data, all entities": lambda text: pii.find("", text, _PII),
        "prompt injection": lambda text: prompt_injection.screen("", text),
    }
    every = "human oversight with every score, as `kt policy explain` shows them"
    return cost(sources, runs, {every: lambda text: human_oversight.judge("", text, _CATEGORIES)})


if __name__ == "__main__":
    main()
