"""Texts read without their tricks: the same as Unicode's own normalisation and one look at each character."""

from __future__ import annotations

import re
import sys
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from policies import normalising
from policies.normalising import beyond_ascii, normalise

_CHARACTERS = "abc XYZ-'аеорсхЖжé’“”…½ﬁ™´″\u00a0\u0301\u3099かｶﾞ한\u1161\u11a8\u200b\u00adİſ\ud800😀"
TEXTS = st.text(alphabet=st.sampled_from(_CHARACTERS)) | st.text()


def one_by_one(text: str) -> str:
    folded = normalising._ODD.sub(
        lambda match: normalising._QUOTES.get(match[0], ""), unicodedata.normalize("NFKC", text)
    )

    def unmixed(match: re.Match[str]) -> str:
        mixed = re.search("[A-Za-z]", match[0]) and normalising._FOREIGN.search(match[0])
        return match[0].translate(normalising._LOOK_ALIKES) if mixed else match[0]

    return re.sub(r"\w+", unmixed, folded)


@given(TEXTS)
@example("e\u0301")
@example("x" + "".join(map(chr, range(0xFF01, 0xFF9E))))
def test_characters_replaced_one_by_one_make_the_text_that_the_whole_makes(text: str) -> None:
    assert normalise(text) == one_by_one(text)


@given(TEXTS)
def test_what_is_beyond_ascii_keeps_its_order(text: str) -> None:
    assert beyond_ascii(text) == "".join(char for char in text if not char.isascii())


def test_steady_characters_join_with_nothing_before_them() -> None:
    steady = re.compile(f"[{normalising.STEADY}]")
    pairs = (unicodedata.decomposition(chr(code)).split() for code in range(sys.maxunicode + 1))
    joining = {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and not pair[0].startswith("<")}
    joining |= {chr(code) for code in range(sys.maxunicode + 1) if unicodedata.combining(chr(code))}
    joining |= set(map(chr, (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))))
    assert [hex(ord(char)) for char in sorted(joining) if steady.match(char)] == []
