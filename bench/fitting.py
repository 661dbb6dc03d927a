"""Fits what the detectors of human oversight have learned, and writes it beside them.

    python -m bench.fitting --data DIR [--without SOURCE]

Writes `policies/detectors/wording.json` (see `bench.fitting_words`) and `semantic.json`. Reads what
`bench.detection --split dev` reads, and `FURTHER`, which is for this alone; no test source. With `--without` nothing is
written: the sources whose names begin so are left out and scored with what the others taught, which tells how well it
does on authors that it has not seen.

The semantic layer gets two directions for each category in the space of the encoder, one for requests and one for
answers, each the sum of one that all categories share and one of its own (after Daumé 2007,
https://aclanthology.org/P07-1033), so that categories with few texts learn from the others what a decision sounds like.
How the layers add up is then fitted on scores that each text got from words and directions which had not seen it.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
from pathlib import Path

import numpy as np

from bench import fitting_words
from bench.detection_data import FURTHER, load
from bench.detection_scoring import threshold_at
from bench.fitting_rows import FOLDS, Rows, read_rows
from policies.detectors import human_oversight, semantic, wording
from policies.detectors.encoder import DIMENSIONS

OWN = Path(__file__).parent / "labelled"
CATEGORIES = human_oversight.CATEGORIES
HELD = 0.01
"""The share of general traffic, and of the project's own alone, that may score 0.5; of texts not fitted."""
HELD_ALIKE = 0.09
"""The same of the project's own look-alikes: new authors are held more often, and every seventh is the most."""
REACHED_BY = 0.05
"""The share of general traffic that each category's grey band may have on the development sources."""
RIDGE = 1e-4
STEPS = 250


def main() -> None:
    parser = argparse.ArgumentParser(description="Fits the learned layers of human oversight.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KT_DATA", "data")))
    parser.add_argument("--without", default="")
    parser.add_argument("--vectors", type=Path, help="a file that keeps the encoder's vectors between runs")
    options = parser.parse_args()
    sources, missing = load(options.data, OWN, "dev", FURTHER)
    if missing:
        raise SystemExit(f"not there: {', '.join(missing)}")
    # Some posts stand under several topics; one that is tested on is not learned from.
    tested = {text for _, pairs in load(options.data, OWN, "test")[0] for pair in pairs for text in pair if text}
    kept = [(source, [pair for pair in pairs if tested.isdisjoint(pair)]) for source, pairs in sources]
    left = [entry for entry in kept if options.without and entry[0].name.startswith(options.without)]
    rows = read_rows([entry for entry in kept if entry not in left], options.vectors)
    if left:
        _told(rows, read_rows(left, options.vectors))
        return
    words, learned = fit(rows)
    wording.FITTED.write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    semantic.FITTED.write_text(json.dumps(learned, indent=1) + "\n")


def fit(rows: Rows) -> tuple[dict[str, object], dict[str, object]]:
    """What `wording` and `semantic` read."""
    of, count = rows.words, len(rows.words.pair)
    asked, said = fitting_words.select(of)
    total, reached, odds = np.zeros(count), np.zeros(count), np.zeros((2, count))
    for fold in range(FOLDS):
        seen, held = rows.fold != fold, rows.fold == fold
        scored = fitting_words.scores(of, asked, said, fitting_words.fit(of, asked, said, seen))
        total[held], reached[held] = scored[0][held], scored[1][held]
        for number, side in enumerate((rows.asked, rows.said)):
            directions, bias = _directions(of, side, seen)
            odds[number][held] = _along(of, side, directions, bias)[held]
    shift = np.array([-_usual(rows, total, number) for number in range(len(CATEGORIES))])
    everything = np.ones(count, bool)
    words = fitting_words.written(fitting_words.fit(of, asked, said, everything), asked, said, shift)
    total, reached = total + shift[of.category], reached + shift[of.category]
    limits = np.array([_general(rows, reached, number, REACHED_BY) for number in range(len(CATEGORIES))])
    terms = semantic_terms(of, total, reached, odds)
    chosen = reached >= limits[of.category]
    weights, bias = logistic(terms[chosen], of.decides[chosen], of.weight[chosen], 0.5)
    meant = np.where(chosen, terms @ weights + bias, total)
    move = [-_usual(rows, meant, number) for number in range(len(CATEGORIES))]
    made: dict[str, object] = {
        "version": semantic.VERSION,
        "reaches": {name: round(float(limits[number]), 3) for number, name in enumerate(CATEGORIES)},
        "bias": {name: round(float(bias) + move[number], 3) for number, name in enumerate(CATEGORIES)},
        "weights": {name: round(float(value), 3) for name, value in zip(semantic.TERMS, weights, strict=True)},
    }
    for name, side in (("request", rows.asked), ("answer", rows.said)):
        directions, along = _directions(of, side, everything)
        made[name] = {
            "bias": round(float(along), 3),
            "directions": {
                category: base64.b64encode(directions[number].astype("<f2").tobytes()).decode()
                for number, category in enumerate(CATEGORIES)
            },
        }
    print("used on", _used(rows, chosen), "of general traffic", made["reaches"], made["bias"], made["weights"])
    return words, made


def semantic_terms(of: fitting_words.Rows, total: np.ndarray, reached: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """What adds up in `semantic`, for every row."""
    made = []
    for number, pair in enumerate(of.pair):
        request, answer = of.pairs[pair]
        sides = (odds[0][number] if request else None, odds[1][number] if answer else None)
        made.append(list(semantic.added(float(total[number]), float(reached[number]), *sides).values()))
    return np.array(made)


def _usual(rows: Rows, values: np.ndarray, category: int) -> float:
    """The log-odds that are to become 0.5."""
    own = rows.both & (rows.words.category == category) & np.char.startswith(rows.source, "own")
    alike = values[own & ~rows.general & (rows.words.decides == 0)]
    return max(
        _general(rows, values, category, HELD),
        float(threshold_at(list(values[own & rows.general]), HELD)),
        float(threshold_at(list(alike), HELD_ALIKE)),
    )


def _general(rows: Rows, values: np.ndarray, category: int, share: float) -> float:
    of = rows.general & (rows.words.category == category)
    return float(threshold_at(list(values[of & rows.both]), share))


def _along(of: fitting_words.Rows, side: np.ndarray, directions: np.ndarray, bias: float) -> np.ndarray:
    made: np.ndarray = np.einsum("ij,ij->i", side, directions[of.category]) + bias
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


def _directions(of: fitting_words.Rows, side: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, float]:
    """One direction for each category, by Adam."""
    chosen = seen & (np.abs(side).sum(axis=1) > 0)
    vectors, category, decides = side[chosen], of.category[chosen], of.decides[chosen]
    weight = of.weight[chosen] / of.weight[chosen].sum()
    width, every = len(CATEGORIES) + 1, np.arange(int(chosen.sum()))
    made: np.ndarray = np.zeros((DIMENSIONS + 1, width), np.float32)
    vectors = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)])
    penalty = np.full((DIMENSIONS + 1, width), RIDGE, np.float32)
    penalty[-1] = 1e-9
    mean: np.ndarray = np.zeros_like(made)
    square: np.ndarray = np.zeros_like(made)
    for step in range(1, STEPS + 1):
        along = vectors @ made
        total = along[every, category] + along[:, -1]
        slope = weight * (1 / (1 + np.exp(-total)) - decides)
        wide = np.zeros((len(every), width), np.float32)
        wide[every, category] = slope
        wide[:, -1] = slope
        full = vectors.T @ wide + penalty * made
        # One bias for all: what differs between categories is added up later.
        full[-1, :-1] = 0
        mean, square = 0.9 * mean + 0.1 * full, 0.99 * square + 0.01 * full**2
        rate = 0.1 if step < 0.7 * STEPS else 0.02
        made -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
    return (made[:-1, :-1] + made[:-1, -1:]).T, float(made[-1, -1])


def _used(rows: Rows, chosen: np.ndarray) -> float:
    """The share of general traffic that any category sends to the encoder."""
    general = rows.general & rows.both
    reach = np.zeros(len(rows.words.pairs), bool)
    reach[rows.words.pair[general & chosen]] = True
    return round(float(reach[np.unique(rows.words.pair[general])].mean()), 3)


def _scores(rows: Rows, number: int, made: tuple[wording.Wording, semantic.Fitted], meaning: bool) -> np.ndarray:
    found = np.zeros(len(rows.words.pair))
    limits = made[1].reaches
    for row in np.flatnonzero((rows.words.category == number) & rows.both):
        request, answer = rows.words.pairs[rows.words.pair[row]]
        score = human_oversight.judge(request, answer, (CATEGORIES[number],), learned=made[0])[0]
        doubted = meaning and score.score < semantic.CERTAIN and score.reached >= limits[score.category]
        found[row] = made[1].look(score, request, answer).score if doubted else score.score
    return found


def _told(rows: Rows, left: Rows) -> None:
    """What was left out, scored with what the others taught: recall at 1 % and 5 % of the general texts in it."""
    words, learned = fit(rows)
    made = wording.read(words), semantic.read(learned)
    for name, judging in (("words", False), ("with the semantic layer", True)):
        print(name)
        for number, category in enumerate(CATEGORIES):
            scores = _scores(left, number, made, judging)
            kinds = {
                kind: scores[(left.words.category == number) & left.both & place]
                for kind, place in (
                    ("general", left.general),
                    ("decides", left.words.decides == 1),
                    ("near", (left.words.decides == 0) & ~left.general),
                )
            }
            if len(kinds["general"]) and len(kinds["decides"]):
                limits = [threshold_at(list(kinds["general"]), share) for share in (0.01, 0.05)] + [0.5]
                print(
                    f"  {category}: {len(kinds['decides'])} decisions",
                    *(f"{np.mean(kinds['decides'] > limit):.3f}" for limit in limits),
                    f"{len(kinds['near'])} look-alikes",
                    *(f"{np.mean(kinds['near'] > limit):.3f}" for limit in limits),
                    f"general at 0.5 {np.mean(kinds['general'] > 0.5):.4f}",
                )


if __name__ == "__main__":
    main()
