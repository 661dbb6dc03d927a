"""Words are the same however a text is taken apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.detectors.words import distinct, first_place, fold, folded, spans, tokens
from policies.normalising import normalise

_SPECIFIED = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[.!?:;\n|]")
_ENDS = dict.fromkeys("!?;\n|", ".")
TEXTS = st.text(alphabet=st.sampled_from("abZ19 '-_.:;!?|\n\t,é’ß\u200b–")) | st.text()


@given(TEXTS)
@example("don't -- 'quoted' x-ray- -a '-' a'-b")
def test_plain_and_other_texts_are_taken_apart_by_one_rule(text: str) -> None:
    read = folded(text)
    assert tokens(read) == [_ENDS.get(token, token) for token in _SPECIFIED.findall(read)]
    assert distinct(read) == set(re.findall(r"[^\W_]+", read))


@given(TEXTS)
def test_each_token_has_its_place(text: str) -> None:
    read = folded(text)
    places = spans(read)
    assert [_ENDS.get(read[start:end], read[start:end]) for start, end in places] == tokens(read)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("You don't: stop!", ["you", "don't", ":", "stop", "."]),
        ("an x-ray -- 'soon'", ["an", "x-ray", "soon"]),
        ("ＳＵＥ them", ["sue", "them"]),
        ("lone \ud800 surrogate", ["lone", ".", "surrogate"]),
    ],
)
def test_a_text_has_its_words_in_lower_case(text: str, words: list[str]) -> None:
    assert tokens(folded(text)) == words


@given(TEXTS)
def test_a_folded_text_comes_with_its_bytes_and_its_other_characters(text: str) -> None:
    read = fold(text)
    assert read.text == folded(text) == normalise(text).lower().encode("utf-8", "replace").decode()
    assert read.utf8.decode() == read.text
    assert set(read.others.encode("utf-8", "replace").decode()) - {"?"} == {c for c in read.text if not c.isascii()}


@given(TEXTS)
@example("ortiz. 'tis al legal-al also al")
def test_the_first_place_of_each_token_is_found_without_counting(text: str) -> None:
    read = folded(text)
    said, places = tokens(read), spans(read)
    assert [first_place(read, token) for token in said] == [places[said.index(token)] for token in said]


@given(TEXTS)
def test_places_in_bytes_are_places_in_characters(text: str) -> None:
    read = fold(text)
    for start, end in spans(read.text):
        before, found = read.text[:start].encode(), read.text[start:end].encode()
        assert read.place(len(before), len(before) + len(found)) == (start, end)
