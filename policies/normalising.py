"""Text as a reader would take it, whatever tricks are in it: for looking at, never for changing.

NFKC folds full-width and styled letters, invisible characters are dropped, a few look-alike letters become Latin.
Offsets into normalised text do not fit the original; detectors that mark spans look at the original too.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_LOOK_ALIKES = str.maketrans("аеорсухіјѕԁɡο’‘“”", "aeopcyxijsdgo''\"\"")


def normalise(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text) if not text.isascii() else text
    if not folded.isascii():
        folded = _INVISIBLE.sub("", folded).translate(_LOOK_ALIKES)
    return folded
