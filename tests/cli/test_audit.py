"""`kt audit verify`: a ledger directory, checked without any server."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

from tests.support.stack import Stack


def test_a_true_ledger_verifies_and_an_altered_one_does_not(stack: Stack, tmp_path: Path) -> None:
    stack.decide(stack.create()["escalation_id"], "block")
    copy = tmp_path / "ledger"
    copy.mkdir()
    for file in (stack.data_dir / "ledger").glob("*.ledger"):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as source, sqlite3.connect(copy / file.name) as target:
            source.backup(target)
    verdict = json.loads(stack.kt("audit", "verify", "--ledger-dir", str(copy), "--json"))
    assert verdict["ok"]
    assert {chain["chain"] for chain in verdict["chains"]} >= {"api", "worker", "gateway"}
    with sqlite3.connect(copy / "api.ledger") as altered:
        altered.execute("DROP TRIGGER ledger_no_update")
        altered.execute("UPDATE ledger SET entry = replace(CAST(entry AS TEXT), '\"api\"', '\"apo\"') WHERE seq = 3")
    told = stack.kt("audit", "verify", "--ledger-dir", str(copy), code=1)
    assert "api: ALTERED at entry 3" in told
    shutil.rmtree(copy)
    assert "no ledger here" in stack.kt("audit", "verify", "--ledger-dir", str(tmp_path), code=2)
