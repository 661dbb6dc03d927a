"""`kt escalation bulk`: deciding several cases of one policy in one go, with a note for each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import ERROR, USAGE, Failure
from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_line, visible


def add_to(app: typer.Typer) -> None:
    app.command()(bulk)


def bulk(
    resolution: Annotated[str, typer.Option("--resolution", "--outcome", help="allow (approved) or block (blocked).")],
    item: Annotated[
        list[str] | None, typer.Option(metavar="ID=NOTE", help="A case, and why it is decided so; may be repeated.")
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A case on each line: ID, a blank, its note. - is stdin.")
    ] = None,
    category: Annotated[str | None, typer.Option(help="For all of them; other without it.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Decide up to 50 at once: one policy, all allowed or all blocked, none critical, a note for each.

    Each is checked as if it were decided alone; if one is refused, none is decided. Exit 1 when one was lost midway.
    """
    items = [*(_item(one, "=", f"--item {one!r}") for one in item or ()), *_lines(file)]
    if not items:
        raise Failure("name the escalations: --item ID=NOTE, or --file FILE", USAGE, code="usage")
    body = {"resolution": resolution, "items": items, **({"category": category} if category else {})}
    results = []
    for number, result in enumerate(connect(profile).post_for_lines("/v1/escalations/bulk", body), 1):
        results.append(result)
        if not json:
            told = visible(f"{result['code']}: {result['detail']}") if "code" in result else _told(result)
            show_line(f"{number}/{len(items)} {result['escalation_id']} {told}")
    decided = sum("code" not in result for result in results)
    if json:
        show_json({"results": results, "decided": decided})
    if decided < len(items):
        note(f"{len(items) - decided} of {len(items)} were not decided")
        raise SystemExit(ERROR)


def _told(result: dict[str, object]) -> str:
    if result["proposed"]:
        return "proposed; another has to confirm it"
    return "decided, and can still be undone" if result["pending"] else str(result["resolution"])


def _lines(file: str | None) -> list[dict[str, str]]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise Failure(f"--file {file}: {fault}", USAGE, code="usage") from None
    numbered = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [_item(line, None, f"{file}:{number}") for number, line in numbered if line and not line.startswith("#")]


def _item(written: str, between: str | None, where: str) -> dict[str, str]:
    parts = [part.strip() for part in written.split(between, 1)]
    if len(parts) < 2 or not all(parts):
        raise Failure(f"{where}: an escalation and a note are needed", USAGE, code="usage")
    return {"escalation_id": parts[0], "note": parts[1]}
