"""`kt audit`: checking the ledger, without any server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failures import USAGE, Failure
from cli.options import Json
from cli.output import show_json, show_line

app = typer.Typer(help="The ledger: verify.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def audit() -> None:
    """The ledger: verify."""


@app.command()
def verify(
    ledger_dir: Annotated[Path, typer.Option("--ledger-dir", envvar="KT_LEDGER_DIR", help="Where the chains are.")],
    json: Json = False,
) -> None:
    """Check every chain of a ledger directory: exit 0 when all hold, 1 when one was altered."""
    from ledger.verification import verify_chain

    files = sorted(ledger_dir.glob("*.ledger"))
    if not files:
        raise Failure(f"{ledger_dir}: there is no ledger here", USAGE, code="usage")
    verdicts = [verify_chain(file.stem, _entries(file)) for file in files]
    if json:
        chains = [
            {
                "chain": v.chain,
                "ok": v.ok,
                "entries": v.count,
                "head": v.head,
                "first_bad": v.first_bad,
                "reason": v.reason,
            }
            for v in verdicts
        ]
        show_json({"ok": all(v.ok for v in verdicts), "chains": chains})
    else:
        for v in verdicts:
            told = (
                f"ok, {v.count} entries, head {v.head[:16]}" if v.ok else f"ALTERED at entry {v.first_bad}: {v.reason}"
            )
            show_line(f"{v.chain}: {told}")
    if not all(v.ok for v in verdicts):
        raise typer.Exit(1)


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    import orjson

    try:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        for (entry,) in connection.execute("SELECT entry FROM ledger ORDER BY seq"):
            yield orjson.loads(entry)
    except (sqlite3.Error, ValueError) as fault:
        raise Failure(f"{file}: this chain cannot be read: {fault}") from None


COMMANDS = {"audit": app}
