"""What others find on the very rows that the detectors are measured on.

    python -m bench.detection_baselines [--data DIR] [--litellm PYTHON] [--presidio PYTHON] [--write docs/detection.md]

PYTHON is the interpreter of an environment that has `litellm[proxy]` or `presidio-analyzer`; neither is a dependency
here, and one that is not named is left out. Of LiteLLM it is the content filter with its own category files, on the
request and on the answer, as its hooks before and after the call see them; of Presidio the predefined recognizers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.detection import OWN, USUAL, injection_sets
from bench.detection_data import Pair, Source, load
from bench.detection_scoring import above, share, table, threshold_at
from policies.config import PiiDetector
from policies.detectors import human_oversight, pii, prompt_injection
from policies.detectors.entities import ENTITIES

BEGIN, END = "<!-- baselines: begin -->", "<!-- baselines: end -->"
HERE = Path(__file__).parent
NAMED = {
    "legal_opinions": "denied_legal_advice",
    "medical_decisions": "denied_medical_advice",
    "financial_advice": "denied_financial_advice",
}
"""LiteLLM's category for ours. It has none for hiring, and none for transactions."""
INJECTION = tuple(
    f"prompt_injection_{name}" for name in ("jailbreak", "system_prompt", "data_exfiltration", "malicious_code", "sql")
)
MEASURED = ("CREDIT_CARD", "IBAN_CODE", "US_SSN", "EMAIL_ADDRESS", "IP_ADDRESS", "PHONE_NUMBER")
_PII = PiiDetector.model_construct(entities=ENTITIES, pci_mode=False, action="redact")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures LiteLLM's filter and Presidio on the same rows.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KT_DATA", "data")))
    parser.add_argument("--litellm", type=Path, metavar="PYTHON")
    parser.add_argument("--presidio", type=Path, metavar="PYTHON")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    parts = own_by_form(options.data)
    if options.litellm:
        parts += oversight(options.data, options.litellm) + injection(options.data, options.litellm)
    if options.presidio:
        parts += personal_data(options.data, options.presidio)
    report = "\n\n".join(parts)
    if options.write:
        before, _, rest = options.write.read_text().partition(BEGIN)
        options.write.write_text(f"{before}{BEGIN}\n\n{report}\n\n{END}{rest.partition(END)[2]}")
    print(report)


def run(python: Path, script: str, asked: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run([python, HERE / script], input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {script} failed under {python}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _litellm(python: Path, categories: Sequence[str], pairs: Sequence[Pair]) -> tuple[list[bool], dict[str, Any]]:
    """Whether the request or the answer of each pair is held."""
    flat = [text for pair in pairs for text in pair]
    answer = run(python, "baseline_litellm.py", {"categories": list(categories), "texts": flat})
    held = answer["held"]
    return [held[at] or held[at + 1] for at in range(0, len(held), 2)], answer


def _scores(pairs: Sequence[Pair], category: str) -> list[float]:
    return [human_oversight.judge(request, answer, (category,))[0].score for request, answer in pairs]


def oversight(data: Path, python: Path) -> list[str]:
    sources, _ = load(data, OWN, "test")
    general = [pair for source, pairs in sources if source.kind == "general" for pair in pairs]
    rows: list[list[object]] = []
    told: dict[str, Any] = {}
    for category, name in NAMED.items():
        mine: list[tuple[Source, list[Pair]]] = [
            (source, pairs) for source, pairs in sources if source.kind in (category, f"near:{category}")
        ]
        everything = general + [pair for _, pairs in mine for pair in pairs]
        held, told = _litellm(python, [name], everything)
        negatives = _scores(general, category)
        theirs = sum(held[: len(general)])
        same = threshold_at(negatives, theirs / len(general))
        rows.append(_beside(category, "*general traffic*", negatives, held[: len(general)], same))
        at = len(general)
        for source, pairs in mine:
            label = source.name + (", look-alikes" if source.kind.startswith("near:") else "")
            rows.append(_beside(category, label, _scores(pairs, category), held[at : at + len(pairs)], same))
            at += len(pairs)
    return [
        f"### Human oversight beside LiteLLM {told['version']}",
        "The share held of each source: of decisions it should be high, of look-alikes and of general traffic low. The "
        "last column moves our threshold to where as much general traffic is held as LiteLLM holds. LiteLLM has no "
        "category for hiring or for transactions.",
        table(["category", "source", "n", "LiteLLM", "here, at 0.5", "here, at LiteLLM's false positives"], rows),
    ]


def _beside(category: str, name: str, scores: list[float], held: list[bool], same: float) -> list[object]:
    total = len(scores)
    ours = [share(above(scores, limit), total) for limit in (USUAL, same)]
    return [category, name, total, share(sum(held), total), *ours]


def injection(data: Path, python: Path) -> list[str]:
    rows, version = [], ""
    for name, kind, texts in injection_sets(data, "test"):
        answer = run(python, "baseline_litellm.py", {"categories": INJECTION, "texts": texts})
        version = answer["version"]
        ours = sum(prompt_injection.screen("", text).score >= prompt_injection.THRESHOLD for text in texts)
        rows.append([name, kind, len(texts), share(sum(answer["held"]), len(texts)), share(ours, len(texts))])
    return [
        f"### Prompt injection beside LiteLLM {version}, its five `prompt_injection_*` categories",
        table(["set", "of", "n", "LiteLLM", "here, at 0.5"], rows),
    ]


def personal_data(data: Path, python: Path) -> list[str]:
    rows = json.loads((data / "presidio-research/generated_large.json").read_text())
    rows = [row for row in rows if row["template_id"] % 2]
    texts = [row["full_text"] for row in rows]
    told = run(python, "baseline_presidio.py", {"texts": texts, "entities": list(MEASURED)})
    ours = [[(span.label, span.start, span.end) for span in pii.find("", text, _PII)] for text in texts]
    systems = [("here", ours)] + [
        (f"Presidio, score ≥ {limit}", [[span[:3] for span in spans if span[3] >= limit] for spans in told["found"]])
        for limit in (0.3, 0.5)
    ]
    lines = []
    for name in MEASURED:
        wanted = [[span for span in row["spans"] if span["entity_type"] == name] for row in rows]
        line: list[object] = [name, sum(map(len, wanted))]
        for _, found in systems:
            line += recall_and_precision(wanted, [[span for span in spans if span[0] == name] for spans in found])
        lines.append(line)
    heads = [f"{name}: {what}" for name, _ in systems for what in ("recall", "precision")]
    models = ", ".join(told["models"]) or "no language model"
    return [
        f"### Personal data beside Presidio {told['version']} with {models}, the same {len(rows)} texts",
        "A hit overlaps the labelled span and has its entity.",
        table(["entity", "n", *heads], lines),
    ]


def recall_and_precision(wanted: list[list[dict[str, Any]]], found: Sequence[Sequence[Any]]) -> list[str]:
    count = Counter[str]()
    for spans, hits in zip(wanted, found, strict=True):
        ranges = [(span["start_position"], span["end_position"]) for span in spans]
        count["wanted"] += len(ranges)
        count["found"] += len(hits)
        count["hit"] += sum(any(hit[1] < end and start < hit[2] for hit in hits) for start, end in ranges)
        count["right"] += sum(any(hit[1] < end and start < hit[2] for start, end in ranges) for hit in hits)
    return [share(count["hit"], count["wanted"]), share(count["right"], count["found"])]


def own_by_form(data: Path) -> list[str]:
    """The project's own decisions and look-alikes, parted by language and by form."""
    rows = [json.loads(line) for path in sorted(OWN.glob("test-*.jsonl")) for line in path.read_text().splitlines()]
    sources, _ = load(data, OWN, "test")
    general = [pair for source, pairs in sources if source.kind == "general" for pair in pairs]
    forms = {
        "English prose": ("prose",),
        "English, tool calls, JSON, YAML, code": ("tool call", "json", "yaml", "code", "code comment"),
        "English, tables, lists, mails, notes": ("table", "list", "e-mail", "note", "report", "chat", "policy"),
    }
    groups: dict[str, Callable[[dict[str, str]], bool]] = {
        name: lambda row, named=named: row["language"].startswith("en") and _form(row) in named
        for name, named in forms.items()
    }
    groups["other languages"] = lambda row: not row["language"].startswith("en")
    limits = {name: threshold_at(_scores(general, name), 0.05) for name in human_oversight.CATEGORIES}
    lines = []
    for label, prefix in (("decisions", ""), ("look-alikes", "near:")):
        for group, belongs in groups.items():
            hits, five, total = 0, 0, 0
            for category in human_oversight.CATEGORIES:
                pairs = [
                    (row["request"], row["answer"]) for row in rows if row["kind"] == prefix + category and belongs(row)
                ]
                scores = _scores(pairs, category)
                hits, five, total = (
                    hits + above(scores, USUAL),
                    five + above(scores, limits[category]),
                    total + len(scores),
                )
            lines.append([label, group, total, share(hits, total), share(five, total)])
    return [
        "### The project's own texts by form and language, all five categories together",
        table(["of", "form", "n", "held at 0.5", "at 5 % false positives"], lines),
    ]


def _form(row: dict[str, str]) -> str:
    return row["form"].lower().replace("_", " ").replace("email", "e-mail")


if __name__ == "__main__":
    main()
