"""Findings of the linter as people and machines want them: text, JSON, GitHub annotations, SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output import visible
from policies.lint_rules import RULES

if TYPE_CHECKING:
    from policies.loading import Complaint

FORMATS = ("text", "json", "github", "sarif")
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_text(complaint: Complaint, *, excerpt: bool) -> str:
    """One line, and with `excerpt` the line of the file with a caret under the place."""
    said = visible(str(complaint))
    line = _line_of(complaint) if excerpt else None
    if line is None:
        return said
    number = str(complaint.line)
    # Tabs stay tabs below the line, so that the caret is where the eye looks for it.
    lead = "".join("\t" if char == "\t" else " " for char in line[: complaint.column - 1])
    return f"{said}\n  {number} | {visible(line)}\n  {' ' * len(number)} | {lead}^"


def _line_of(complaint: Complaint) -> str | None:
    try:
        lines = Path(complaint.file).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return lines[complaint.line - 1] if complaint.line <= len(lines) else None


def as_json(complaint: Complaint) -> dict[str, Any]:
    return {
        "file": complaint.file,
        "rule": complaint.rule,
        "severity": complaint.kind,
        "message": complaint.message,
        "suggestion": complaint.suggestion,
        "fixable": RULES[complaint.rule].safe,
        "line": complaint.line,
        "column": complaint.column,
    }


def as_github(complaint: Complaint) -> str:
    """A workflow command: https://docs.github.com/actions/reference/workflow-commands-for-github-actions."""
    where = f"file={_property(complaint.file)},line={complaint.line},col={complaint.column},title={complaint.rule}"
    return f"::{complaint.kind} {where}::{_escaped(f'{complaint.message} — {complaint.suggestion}')}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(found: Sequence[Complaint]) -> dict[str, Any]:
    """One run, as https://docs.oasis-open.org/sarif/sarif/v2.1.0/ has it."""
    named = sorted({complaint.rule for complaint in found})
    rules = [
        {
            "id": number,
            "shortDescription": {"text": RULES[number].meaning},
            "help": {"text": RULES[number].fix},
        }
        for number in named
    ]
    results = [
        {
            "ruleId": complaint.rule,
            "ruleIndex": named.index(complaint.rule),
            "level": complaint.kind,
            "message": {"text": f"{complaint.message} — {complaint.suggestion}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": Path(complaint.file).as_posix()},
                        "region": {"startLine": complaint.line, "startColumn": complaint.column},
                    }
                }
            ],
        }
        for complaint in found
    ]
    driver = {"name": "kt policy lint", "rules": rules}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
