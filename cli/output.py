"""What `kt` prints: a table on a terminal, tab-separated lines in a pipe, JSON when it is asked for.

Only results go to stdout. Text from models and clients is printed with its control characters made visible: it must
not move a cursor or recolour a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from cli.failures import Failure


def is_terminal() -> bool:
    return sys.stdout.isatty()


def colours() -> bool:
    """Colours only on a terminal, and never with NO_COLOR."""
    if os.environ.get("NO_COLOR"):
        return False
    return is_terminal() or bool(os.environ.get("CLICOLOR_FORCE"))


def show_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_json_line(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def show_line(text: str) -> None:
    print(text, flush=True)


def note(text: str) -> None:
    """Something beside the result, on stderr."""
    print(text, file=sys.stderr, flush=True)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """A table on a terminal, tab-separated lines elsewhere. `empty` says what to do next when there is nothing."""
    if not rows:
        note(empty)
        return
    shown = [[visible("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not is_terminal():
        for row in [list(columns), *shown]:
            print("\t".join(cell.replace("\t", " ") for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in shown:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console(no_color=not colours()).print(table)


_STYLES = {"critical": "bold red", "high": "red", "breached": "bold red", "amber": "yellow", "open": "green"}


def show_fields(fields: Mapping[str, Any]) -> None:
    """A record, one field a line."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        print(f"{name.ljust(width)}  {visible(_flat(value))}")


def visible(text: str) -> str:
    """The text with control, format and bidirectional characters spelled out, line breaks and tabs aside."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(char) for char in text)


def _spelled(char: str) -> str:
    if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def _flat(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def ago(instant: str | None) -> str:
    """How far an instant is from now: `12m ago`, `in 48m`."""
    if not instant:
        return "-"
    left = (datetime.fromisoformat(instant) - datetime.now(UTC)).total_seconds()
    size = abs(left)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if size >= length:
            count = f"{int(size // length)}{unit}"
            break
    else:
        count = f"{int(size)}s"
    return f"in {count}" if left >= 0 else f"{count} ago"


def fail(failure: Failure, *, as_json: bool) -> NoReturn:
    """Say what went wrong and end with its code."""
    if as_json:
        print(json.dumps(failure.as_json(), ensure_ascii=False), file=sys.stderr)
    else:
        told = f"error: {visible(failure.message)}"
        print(told + (f"\n  {failure.hint}" if failure.hint else ""), file=sys.stderr)
    raise SystemExit(failure.exit_code)
