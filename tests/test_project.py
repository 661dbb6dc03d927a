"""The project itself: its house, its Compose file, its lock, and a fresh clone."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runtime.temporal_binary import cache_dir

PACKAGES = [
    "activities",
    "api",
    "cli",
    "escalations",
    "gateway",
    "ledger",
    "policies",
    "runtime",
    "store",
    "vault",
    "workflows",
]
LONGEST_MODULE = 350

COMPOSE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["services"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "volumes": {"type": "object"},
        "services": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["image"],
                "additionalProperties": False,
                "properties": {
                    "image": {"type": "string", "pattern": "^[a-z0-9./-]+:[0-9][0-9A-Za-z.-]*$"},
                    "environment": {"type": "object", "additionalProperties": {"type": "string"}},
                    "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
                    "volumes": {"type": "array", "items": {"type": "string"}},
                    "entrypoint": {"type": "array", "items": {"type": "string"}},
                    "command": {"type": "array", "items": {"type": "string"}},
                    "restart": {"type": "string", "pattern": r"^(no|always|unless-stopped|on-failure(:\d+)?)$"},
                    "healthcheck": {
                        "type": "object",
                        "required": ["test"],
                        "additionalProperties": False,
                        "properties": {
                            "test": {"type": "array", "items": {"type": "string"}},
                            "interval": {"type": "string"},
                            "timeout": {"type": "string"},
                            "retries": {"type": "integer"},
                        },
                    },
                    "depends_on": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "required": ["condition"],
                            "properties": {
                                "condition": {
                                    "enum": ["service_started", "service_healthy", "service_completed_successfully"]
                                }
                            },
                        },
                    },
                },
            },
        },
    },
}


def compose(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "temporal-dev.yml").read_text())
    return found


def test_the_compose_file_fits_the_schema(root: Path) -> None:
    jsonschema.validate(compose(root), COMPOSE_SCHEMA)


def test_the_compose_file_refers_only_to_what_it_defines(root: Path) -> None:
    document = compose(root)
    services = document["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other]
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in document["volumes"]
    assert {"postgresql", "temporal", "temporal-ui"} <= set(services)


def test_every_module_has_a_promise_and_a_size(root: Path) -> None:
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            text = path.read_text()
            if not text.strip() or "migrations/versions" in str(path):
                continue
            assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it promises"
            assert len(text.splitlines()) <= LONGEST_MODULE, f"{path} has more than one noun"
            assert path.stem not in {"utils", "helpers", "common", "misc", "manager"}


def test_no_expression_repeats_a_group_possessively(root: Path) -> None:
    """Python 3.11.0 to 3.11.4 end such a match too late (https://github.com/python/cpython/issues/106052); an atomic
    group around the repetition says the same and is right everywhere."""
    possessive = re.compile(r"\)(?:[*+?]|\{+[\w,]*\}+)\+")
    found = [
        f"{path.relative_to(root)}:{number}"
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search('rf?["\x27]', line) and possessive.search(line)
    ]
    assert not found


def test_everything_that_is_imported_is_a_declared_dependency_and_pinned_by_hash(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\[><=; ]", name)[0] for name in project["dependencies"]}
    lock = (root / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    assert {name for name in declared if name not in pinned} == set()
    blocks = re.split(r"\n(?=[a-z])", lock)
    assert [block.split("==")[0] for block in blocks if "==" in block and "--hash=sha256:" not in block] == []


def test_packages_of_the_house_are_all_in_the_wheel(root: Path) -> None:
    built = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    assert {path.parent.name for path in root.glob("*/__init__.py")} - {"tests", "bench"} == set(built)


@pytest.mark.timeout(1500)
def test_a_fresh_clone_with_an_empty_home_demonstrates_itself(root: Path, tmp_path: Path) -> None:
    """`make demo`, with nothing of this checkout but what is in the repository; only the built Temporal is shared."""
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (root / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, clone / name)
    installers = ("PIP_", "UV_", "SSL_")
    kept = {
        name: value for name, value in os.environ.items() if name in ("PATH", "LANG") or name.startswith(installers)
    }
    path = ":".join(part for part in kept["PATH"].split(":") if ".venv" not in part)
    ports = {f"KT_{name}_PORT": "0" for name in ("API", "GATEWAY", "TEMPORAL", "UI")}
    environment = {
        **kept,
        **ports,
        "PATH": path,
        "HOME": str(home),
        "CI": "1",
        "KT_CACHE_DIR": str(cache_dir(os.environ)),
    }
    done = subprocess.run(["make", "demo"], cwd=clone, env=environment, capture_output=True, text=True, timeout=1400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "receives exactly what was approved" in done.stderr
    assert (clone / ".venv" / "bin" / "kt").exists()
