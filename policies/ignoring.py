"""`# kt: ignore`: comments that hide a warning where it was meant.

`# kt: ignore KT201` at the end of a line hides that warning there; alone on a line, on the next one; without numbers
all of them. `# kt: ignore-file KT302` holds for the file. Errors are never hidden, and a comment that hides nothing is
itself a warning: what it was for is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from policies.loading import Complaint

_COMMENT = re.compile(r"#\s*kt:\s*ignore(?P<file>-file)?(?P<numbers>(?:[\s,\[\]]*KT\d{3})*\]?)")
_NUMBER = re.compile(r"KT\d{3}")


@dataclass(slots=True)
class Ignore:
    """One comment. `line` is the one that it speaks of, None for the file; it stands at `at`, up to column `end`."""

    at: tuple[int, int]
    end: int
    line: int | None
    numbers: frozenset[str]
    used: set[str] = field(default_factory=set)

    def hides(self, complaint: Complaint) -> bool:
        here = self.line is None or self.line == complaint.line
        return complaint.warning and here and (not self.numbers or complaint.rule in self.numbers)


def ignores(text: str) -> list[Ignore]:
    """The comments of a file; none where the file is not YAML."""
    quoted = _scalars(text)
    if quoted is None:
        return []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _COMMENT.search(line)
        if match is None or any(start <= (number, match.start() + 1) < end for start, end in quoted):
            continue
        alone = not line[: match.start()].strip()
        about = None if match["file"] else number + 1 if alone else number
        numbers = frozenset(_NUMBER.findall(match["numbers"]))
        found.append(Ignore((number, match.start() + 1), match.end() + 1, about, numbers))
    return found


def apply_ignores(text: str, file: str, complaints: Iterable[Complaint]) -> list[Complaint]:
    """The complaints that nothing hides, and one for each comment, or number of it, that hides nothing."""
    comments = ignores(text)
    left = []
    for complaint in complaints:
        hiding = [comment for comment in comments if comment.hides(complaint)]
        for comment in hiding:
            comment.used.add(complaint.rule)
        if not hiding:
            left.append(complaint)
    for comment in comments:
        unused = sorted(comment.numbers - comment.used)
        if unused or not comment.used:
            told = f"nothing to ignore here for {', '.join(unused)}" if unused else "nothing to ignore here"
            left.append(Complaint("KT004", told, file, *comment.at, warning=True))
    return left


def _scalars(text: str) -> list[tuple[tuple[int, int], tuple[int, int]]] | None:
    """Where the values stand, in which a number sign begins no comment."""
    try:
        return [
            (
                (token.start_mark.line + 1, token.start_mark.column + 1),
                (token.end_mark.line + 1, token.end_mark.column + 1),
            )
            for token in yaml.scan(text, Loader=yaml.SafeLoader)
            if isinstance(token, yaml.ScalarToken)
        ]
    except (yaml.YAMLError, RecursionError):
        return None
