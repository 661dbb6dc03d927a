"""`kt policy lint --fix`: the corrections that change nothing about what is held, and keep comments and layout.

The order of a chain, audit-logger at its end, a catch-all that says what happens anyway, repetitions, comments that
hide nothing. A correction after which the file would not load, or say something else, is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policies.documents import Document, Trail, Unreadable, parse_document
from policies.ignoring import ignores
from policies.lint import lint_document
from policies.lint_rules import RULES
from policies.loading import Complaint

_MOST_ROUNDS = 50


def fix(text: str, name: str) -> tuple[str, list[Complaint]]:
    """The corrected text, and what was corrected."""
    done: list[Complaint] = []
    for _ in range(_MOST_ROUNDS):
        try:
            document = parse_document(text, name)
        except Unreadable:
            break
        found = lint_document(document)
        candidates = ((_corrected(document, complaint, found), complaint) for complaint in found)
        corrected = next(((new, complaint) for new, complaint in candidates if new is not None), None)
        if corrected is None:
            break
        text = corrected[0]
        done.append(corrected[1])
    return text, done


def _corrected(document: Document, complaint: Complaint, before: Sequence[Complaint]) -> str | None:
    """The text without this complaint, None where that cannot be done safely."""
    correct = _CORRECTIONS.get(complaint.rule) if RULES[complaint.rule].safe else None
    text = correct(document, complaint) if correct else None
    if text is None or text == document.text:
        return None
    try:
        after = lint_document(parse_document(text, document.name))
    except Unreadable:
        return None
    errors = [found for found in after if not found.warning]
    return text if not errors and len(after) < len(before) else None


def _in_order(document: Document, _complaint: Complaint) -> str | None:
    """The chain with injection first, redaction before oversight and the record last; the rest as it stands."""
    trail: Trail = ("policies", "chain")
    names: list[str] = document.data["policies"]["chain"]
    wanted = [name for name in names if name != "audit-logger"]
    if "pii-detector" in wanted and "human-oversight" in wanted[: wanted.index("pii-detector")]:
        wanted.remove("pii-detector")
        wanted.insert(wanted.index("human-oversight"), "pii-detector")
    redacting = [name for name in wanted if name in ("pii-detector", "data-loss")]
    if "prompt-injection" in wanted and redacting:
        first = wanted.index(redacting[0])
        if first < wanted.index("prompt-injection"):
            wanted.remove("prompt-injection")
            wanted.insert(first, "prompt-injection")
    if "audit-logger" in names:
        wanted.append("audit-logger")
    lines = document.text.splitlines(keepends=True)
    places = [document.places[(*trail, index)] for index in range(len(names))]
    if _one_a_line(document, trail, len(names)):
        moved = {name: lines[line - 1] for name, (line, _) in zip(names, places, strict=True)}
        for name, (line, _) in zip(wanted, places, strict=True):
            lines[line - 1] = moved[name] if moved[name].endswith("\n") else moved[name] + "\n"
        return "".join(lines)
    for index in reversed(range(len(names))):
        (line, start), (_, end) = document.places[(*trail, index)], document.ends[(*trail, index)]
        lines[line - 1] = lines[line - 1][: start - 1] + wanted[index] + lines[line - 1][end - 1 :]
    return "".join(lines)


def _add_logger(document: Document, _complaint: Complaint) -> str | None:
    return _append(document, ("policies", "chain"), "audit-logger")


def _add_catch_all(document: Document, _complaint: Complaint) -> str | None:
    rule = '{name: "Catch-all", match: {any: true}, route_to: "team:default-reviewers"}'
    return _append(document, ("escalation_routing", "rules"), rule)


def _append(document: Document, trail: Trail, item: str) -> str | None:
    """One more item at the end of a list, in the list's own layout."""
    items = document.data
    for part in trail:
        items = items[part]
    lines = document.text.splitlines(keepends=True)
    (first, column), (line, end) = document.places[(*trail, 0)], document.ends[(*trail, len(items) - 1)]
    head = lines[first - 1][: column - 1]
    if head.strip(" ") != "-":
        rest = lines[line - 1]
        lines[line - 1] = rest[: end - 1] + f", {item}" + rest[end - 1 :]
        return "".join(lines)
    # A block's end is where the next thing begins: go back over what is empty or only a comment.
    after = line if end > 1 else line - 1
    while after > first and (after > len(lines) or lines[after - 1].strip()[:1] in ("", "#")):
        after -= 1
    if not lines[after - 1].endswith("\n"):
        lines[after - 1] += "\n"
    lines.insert(after, f"{head}{item}\n")
    return "".join(lines)


def _remove_item(document: Document, complaint: Complaint) -> str | None:
    trail = complaint.trail
    holder, index = trail[:-1], int(trail[-1])
    lines = document.text.splitlines(keepends=True)
    (line, start), (_, end) = document.places[trail], document.ends[trail]
    if _one_a_line(document, holder, index + 1):
        del lines[line - 1]
        return "".join(lines)
    before_line, before = document.ends[(*holder, index - 1)]
    if before_line != line:
        return None
    lines[line - 1] = lines[line - 1][: before - 1] + lines[line - 1][end - 1 :]
    return "".join(lines) if start > before else None


def _remove_comment(document: Document, complaint: Complaint) -> str | None:
    lines = document.text.splitlines(keepends=True)
    comment = next((c for c in ignores(document.text) if c.at == (complaint.line, complaint.column)), None)
    if comment is None or any(number not in complaint.message for number in comment.numbers):
        return None
    line = lines[complaint.line - 1]
    left = (line[: complaint.column - 1] + line[comment.end - 1 :].rstrip("\n")).rstrip()
    if left:
        lines[complaint.line - 1] = left + "\n"
    else:
        del lines[complaint.line - 1]
    return "".join(lines)


def _one_a_line(document: Document, holder: Trail, count: int) -> bool:
    """Whether the first `count` items of a list stand alone on lines of their own, behind a dash."""
    lines = document.text.splitlines()
    for index in range(count):
        (line, start), (end_line, _) = document.places[(*holder, index)], document.ends[(*holder, index)]
        if line != end_line or lines[line - 1][: start - 1].strip() != "-":
            return False
    return True


_CORRECTIONS: dict[str, Callable[[Document, Complaint], str | None]] = {
    "KT004": _remove_comment,
    "KT202": _in_order,
    "KT203": _in_order,
    "KT207": _add_logger,
    "KT208": _in_order,
    "KT217": _remove_item,
    "KT302": _add_catch_all,
}
