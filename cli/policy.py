"""`kt policy`: works offline, on files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.failures import NOT_FOUND, Failure
from cli.options import Json
from cli.output import show_json, show_line

app = typer.Typer(help="Policy configuration: lint, rules.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def lint(
    file: Annotated[Path, typer.Option("--file", "-f", help="policy-config.yaml, or escalation settings.")],
    output: Annotated[str, typer.Option("--output", "-o", help="text, json or github.")] = "text",
    json: Json = False,
) -> None:
    """Check a configuration: errors make it unusable and end with exit code 1, warnings do not."""
    from policies.lint import lint as check

    found = check(file)
    errors = [complaint for complaint in found if not complaint.warning]
    if json or output == "json":
        show_json(
            {
                "file": str(file),
                "ok": not errors,
                "findings": [
                    {
                        "rule": c.rule,
                        "severity": "warning" if c.warning else "error",
                        "message": c.message,
                        "line": c.line,
                        "column": c.column,
                    }
                    for c in found
                ],
            }
        )
    elif output == "github":
        for c in found:
            kind = "warning" if c.warning else "error"
            show_line(f"::{kind} file={c.file},line={c.line},col={c.column},title={c.rule}::{c.message}")
    else:
        for c in found:
            show_line(str(c))
        if not errors:
            show_line(f"{file}: ok" + (f", {len(found)} warnings" if found else ""))
    if errors:
        raise typer.Exit(1)


@app.command()
def rule(number: Annotated[str, typer.Argument(metavar="KT204", help="The rule's number.")]) -> None:
    """What a rule of the linter means."""
    from policies.lint import RULES

    told = RULES.get(number.upper())
    if told is None:
        raise Failure(f"there is no rule {number}; the rules are {', '.join(RULES)}", NOT_FOUND, code="not_found")
    show_line(f"{number.upper()}: {told}")


COMMANDS = {"policy": app}
