"""Fits the semantic layer on the development sources, and writes `policies/detectors/semantic.json`.

    python -m bench.fitting --data DIR

Reads what `bench.detection --split dev` reads, and `FURTHER`, which is for this alone; no test source. Each category
gets two directions in the space of the encoder, one for requests and one for answers, each the sum of one that all
categories share and one of its own (after Daumé 2007, https://aclanthology.org/P07-1033), so that categories with few
texts learn from the others what a decision sounds like. How the layers add up is then fitted on scores that each text
got from directions which had not seen its source.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.detection_data import FURTHER, Pair, Source, load
from policies.detectors import human_oversight, semantic
from policies.detectors.encoder import DIMENSIONS, encoder

OWN = Path(__file__).parent / "labelled"
CATEGORIES = human_oversight.CATEGORIES
FOLDS = 3
SHIFT = 1.0
"""Added to the log-odds, so that a score of 0.5 holds about one in nine of the information on the development sources
that concerns nobody in particular, instead of one in fifteen: more is lost by what is missed."""
REACHED_BY = 0.015
"""The share of general traffic that each category's grey band may have on the development sources."""
MOST_OF_SOURCE = 12
"""Texts of a source that were made from one template; more of them say the same again."""


@dataclass
class Rows:
    """One row for each text and category, as columns."""

    texts: list[Pair]
    source: np.ndarray
    category: np.ndarray
    decides: np.ndarray
    general: np.ndarray
    weight: np.ndarray
    fold: np.ndarray
    asked: np.ndarray
    said: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description="Fits the semantic layer.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KT_DATA", "data")))
    parser.add_argument("--write", type=Path, default=semantic.FITTED)
    options = parser.parse_args()
    sources, missing = load(options.data, OWN, "dev", FURTHER)
    if missing:
        raise SystemExit(f"not there: {', '.join(missing)}")
    # Some posts stand under several topics; one that is tested on is not learned from.
    tested = {text for _, pairs in load(options.data, OWN, "test")[0] for pair in pairs for text in pair if text}
    rows = _rows([(source, [pair for pair in pairs if tested.isdisjoint(pair)]) for source, pairs in sources])
    options.write.write_text(json.dumps(fit(rows), indent=1) + "\n")


def fit(rows: Rows) -> dict[str, object]:
    """What `semantic` reads."""
    asked, said = np.zeros(len(rows.texts)), np.zeros(len(rows.texts))
    for fold in range(FOLDS):
        seen, held = rows.fold != fold, rows.fold == fold
        for side, kept in ((rows.asked, asked), (rows.said, said)):
            directions, bias = _directions(rows, side, seen)
            kept[held] = (np.einsum("ij,ij->i", side, directions[rows.category]) + bias)[held]
    terms, kinds = _terms(rows, asked, said)
    limits = [
        float(np.quantile(terms[0][rows.general & (rows.category == c), -1], 1 - REACHED_BY))
        for c in range(len(CATEGORIES))
    ]
    used = np.any([terms[0][rows.general & (rows.category == c), -1] >= limits[c] for c in range(len(CATEGORIES))], 0)
    print("REACHES", {name: round(limit, 2) for name, limit in zip(CATEGORIES, limits, strict=True)})
    print(f"used on {used.mean():.3f} of general traffic")
    stacked, labels = np.vstack(terms)[:, :-1], np.tile(rows.decides, 3)
    weight = np.concatenate([rows.weight * share for share in (1.0, 0.3, 0.2)])
    reached = np.vstack(terms)[:, -1] >= np.array(limits)[np.tile(rows.category, 3)]
    chosen = reached & np.concatenate(kinds)
    weights, bias = logistic(stacked[chosen], labels[chosen], weight[chosen], 0.5)
    _tell(rows, terms[0], limits, weights, bias)
    made: dict[str, object] = {
        "version": semantic.VERSION,
        "bias": round(float(bias) + SHIFT, 3),
        "weights": {name: round(float(value), 3) for name, value in zip(semantic.TERMS, weights, strict=True)},
    }
    everything = np.ones(len(rows.texts), bool)
    for name, side in (("request", rows.asked), ("answer", rows.said)):
        directions, bias = _directions(rows, side, everything)
        made[name] = {
            "bias": round(float(bias), 3),
            "directions": {
                category: base64.b64encode(directions[number].astype("<f2").tobytes()).decode()
                for number, category in enumerate(CATEGORIES)
            },
        }
    return made


def logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Weighted logistic regression with an L2 penalty on all but the bias, by Newton's method."""
    scale = weight / weight.sum()
    x = np.hstack([x, np.ones((len(x), 1))])
    ridge = np.full(x.shape[1], penalty / len(x))
    ridge[-1] = 1e-9
    here = np.zeros(x.shape[1])
    for _ in range(25):
        sure = 1 / (1 + np.exp(-np.clip(x @ here, -30, 30)))
        slope = x.T @ (scale * (sure - y)) + ridge * here
        curve = (x * (scale * np.maximum(sure * (1 - sure), 1e-6))[:, None]).T @ x
        curve[np.diag_indices_from(curve)] += ridge
        move = np.linalg.solve(curve, slope)
        here = here - move
        if np.abs(move).max() < 1e-4:
            break
    return here[:-1], float(here[-1])


def _directions(rows: Rows, side: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, float]:
    """One direction for each category."""
    chosen = seen & (np.abs(side).sum(axis=1) > 0)
    wide = np.zeros((int(chosen.sum()), DIMENSIONS * (1 + len(CATEGORIES))))
    wide[:, :DIMENSIONS] = side[chosen]
    for number in range(len(CATEGORIES)):
        of = rows.category[chosen] == number
        wide[of, DIMENSIONS * (1 + number) : DIMENSIONS * (2 + number)] = side[chosen][of]
    weights, bias = logistic(wide, rows.decides[chosen], rows.weight[chosen], 1.0)
    parts = weights.reshape(1 + len(CATEGORIES), DIMENSIONS)
    return parts[0] + parts[1:], bias


def _terms(rows: Rows, asked: np.ndarray, said: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What adds up, for request with answer, the answer alone, the request alone; the last column is how near it is."""
    tables, there = [], []
    for with_request, with_answer in ((True, True), (False, True), (True, False)):
        table = []
        for number, (request, answer) in enumerate(rows.texts):
            kept = (request if with_request else "", answer if with_answer else "")
            score = human_oversight.judge(*kept, (CATEGORIES[rows.category[number]],))[0]
            sides = (asked[number] if kept[0] else None, said[number] if kept[1] else None)
            table.append([*semantic.terms(score, *sides).values(), semantic.nearness(score)])
        tables.append(np.array(table))
        there.append(
            np.array([bool(with_request and request) or bool(with_answer and answer) for request, answer in rows.texts])
        )
    return tables, there


def _tell(rows: Rows, terms: np.ndarray, limits: list[float], weights: np.ndarray, bias: float) -> None:
    total = np.where(terms[:, -1] >= np.array(limits)[rows.category], terms[:, :-1] @ weights + bias, -9.0)
    for number, name in enumerate(CATEGORIES):
        of = rows.category == number
        decides, near = of & (rows.decides == 1), of & (rows.decides == 0) & ~rows.general
        print(
            name,
            *(
                f"at {limit:+.1f}: recall {np.average(total[decides] > limit, weights=rows.weight[decides]):.3f}"
                f" general {np.mean(total[of & rows.general] > limit):.4f} near {np.mean(total[near] > limit):.3f};"
                for limit in (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5)
            ),
        )


def _rows(sources: list[tuple[Source, list[Pair]]]) -> Rows:
    texts, names, category, decides, general = [], [], [], [], []
    for source, pairs in sources:
        kind = source.kind.removeprefix("near:")
        if kind not in (*CATEGORIES, "general"):
            continue
        for pair in pairs[: MOST_OF_SOURCE if source.name.startswith("Rankings") else None]:
            for number in range(len(CATEGORIES)) if kind == "general" else [CATEGORIES.index(kind)]:
                texts.append(pair)
                names.append(source.name)
                category.append(number)
                decides.append(float(source.kind == kind != "general"))
                general.append(kind == "general")
    vectors: dict[str, np.ndarray] = {}
    for text in {text for pair in texts for text in pair}:
        vectors[text] = encoder().encode([text])[0]
    # Large sources are held out whole; small ones and general traffic text by text.
    size = Counter(names)
    keys = [
        name if size[name] > 100 and not of_all else pair[0]
        for name, pair, of_all in zip(names, texts, general, strict=True)
    ]
    rows = Rows(
        texts,
        np.array(names),
        np.array(category),
        np.array(decides),
        np.array(general),
        np.zeros(len(texts)),
        np.array([int(hashlib.sha256(key.encode()).hexdigest(), 16) % FOLDS for key in keys]),
        np.array([vectors[request] for request, _ in texts]),
        np.array([vectors[answer] for _, answer in texts]),
    )
    # A source counts by the root of its size, and either side of a category as much as the other.
    for number in range(len(CATEGORIES)):
        for side in (0.0, 1.0):
            of = (rows.category == number) & (rows.decides == side)
            count = Counter(rows.source[of])
            share = np.array([1 / np.sqrt(count[name]) for name in rows.source[of]])
            rows.weight[of] = share / share.sum()
    rows.weight *= len(texts) / rows.weight.sum()
    return rows


if __name__ == "__main__":
    main()
