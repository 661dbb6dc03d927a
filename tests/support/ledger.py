"""What stands in the chains of an embedded ledger, read as anybody with the files could."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def ledger_entries(directory: Path) -> list[dict[str, Any]]:
    """Every entry of every chain in a ledger's directory, in the order of each chain."""
    found: list[dict[str, Any]] = []
    for file in sorted(directory.glob("*.ledger")):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            found += [json.loads(row[0]) for row in connection.execute("SELECT entry FROM ledger ORDER BY seq")]
    return found
