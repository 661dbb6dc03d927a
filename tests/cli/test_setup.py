"""Signing in, the directory, settings, lint, help: what surrounds reviewing."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.support.stack import Stack


def test_login_keeps_the_token_in_a_file_of_ones_own(stack: Stack, tmp_path: Path) -> None:
    stack.environment["KT_CONFIG_DIR"] = str(tmp_path)
    token = stack.token("reviewer")
    told = stack.kt("login", "--with-token", who=None, stdin=token + "\n")
    assert "as reviewer (reviewer)" in told
    file = tmp_path / "tokens.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(stack.kt("auth", "status", "--json", who=None))["login"] == "reviewer"
    assert "from profile default" in stack.kt("auth", "status", who=None)
    stack.kt("login", "--with-token", "--profile", "boss", who=None, stdin=stack.token("admin"))
    assert json.loads(stack.kt("auth", "status", "--profile", "boss", "--json", who=None))["login"] == "admin"
    assert json.loads(stack.kt("auth", "status", "--json", who="senior"))["login"] == "senior", (
        "the environment beats a profile"
    )
    assert "signed out" in stack.kt("logout", who=None)
    assert "kt login" in stack.kt("auth", "status", who=None, code=4)
    assert "not a valid" not in stack.kt("login", "--with-token", who=None, stdin="nonsense\n", code=4)
    assert "--with-token" in stack.kt("login", who=None, code=2)


def test_teams_users_consumers_and_tokens(stack: Stack) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    assert stack.kt("team", "create", name, who="admin") == f"created team {name}\n"
    assert name in stack.kt("team", "list")
    assert "created user" in stack.kt(
        "user", "create", f"u{name}", "--team", name, "--role", "senior", "--email", f"{name}@x.example", who="admin"
    )
    users = json.loads(stack.kt("user", "list", "--json"))["users"]
    made = next(user for user in users if user["login"] == f"u{name}")
    assert (made["user_id"], made["roles"], made["teams"]) == (f"u{name}", ["senior"], [name])
    assert "created consumer" in stack.kt(
        "consumer", "create", f"c{name}", "--team", "sales", "--group", "external", who="admin"
    )
    assert f"c{name}\tc{name}\tsales\texternal" in stack.kt("consumer", "list")
    key = stack.kt("token", "create", "--consumer", f"c{name}", who="admin").strip()
    assert key.startswith("kt_gateway_")
    token = json.loads(stack.kt("token", "create", "--login", f"u{name}", "--json", who="admin"))
    assert token["token_id"] in stack.kt("token", "list", who="admin")
    assert "revoked" in stack.kt("token", "revoke", token["token_id"], who="admin")
    assert "exactly one" in stack.kt("token", "create", who="admin", code=2)


def test_settings_are_printed_as_yaml_that_apply_takes(stack: Stack, tmp_path: Path) -> None:
    printed = stack.kt("settings", "get")
    file = tmp_path / "settings.yaml"
    file.write_text(printed)
    before = json.loads(stack.kt("settings", "get", "--json"))
    assert f"version {before['version']}" in stack.kt("settings", "apply", "--file", str(file), who="admin")
    file.write_text("sla:\n  critical: soon\n")
    assert f"{file}:2:3: KT103 error: sla.critical" in stack.kt(
        "settings", "apply", "--file", str(file), who="admin", code=1
    )


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    chosen = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments], env=chosen, capture_output=True, text=True, timeout=60
    )


def test_lint_works_offline_and_ends_with_one_for_errors(root: Path, tmp_path: Path) -> None:
    good = root / "runtime" / "defaults" / "policy-config.yaml"
    fine = run("policy", "lint", "--file", str(good))
    assert (fine.returncode, fine.stdout) == (0, f"{good}: ok\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("- human-oversight", "- human-oversigt"))
    wrong = run("policy", "lint", "--file", str(bad))
    assert wrong.returncode == 1
    assert "KT102 error: unknown policy 'human-oversigt' — did you mean 'human-oversight'?" in wrong.stdout
    as_json = json.loads(run("policy", "lint", "--file", str(bad), "--json").stdout)
    assert (as_json["ok"], as_json["findings"][0]["rule"]) == (False, "KT102")
    assert "::error file=" in run("policy", "lint", "--file", str(bad), "-o", "github").stdout
    assert run("policy", "rule", "KT201").stdout.startswith("KT201: ")
    assert run("policy", "rule", "KT999").returncode == 5


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("escalation", "--help"), ("dev", "--help"), ("help", "exit-codes"), ("--version",)]
)
def test_help_is_there_without_any_server(arguments: tuple[str, ...]) -> None:
    assert run(*arguments, KT_API_URL="http://127.0.0.1:1").returncode == 0


def test_no_api_at_that_address_is_one_line_with_a_hint() -> None:
    told = run("escalation", "list", KT_API_URL="http://127.0.0.1:1", KEEPTRUSTS_API_TOKEN="x")
    assert told.returncode == 1
    assert told.stderr.splitlines()[0] == "error: no API answers at http://127.0.0.1:1"
    assert "KT_API_URL" in told.stderr
    assert "Traceback" not in told.stderr


def test_kt_never_loads_temporal_nor_anything_heavy(root: Path) -> None:
    modules = ", ".join(f"cli.{path.stem}" for path in sorted((root / "cli").glob("[a-z]*.py")))
    heavy = "temporalio sqlalchemy fastapi httpx aiohttp pydantic yaml uvicorn cryptography"
    code = f"import sys, {modules}; print(sorted(set({heavy!r}.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
