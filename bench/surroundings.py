"""What the measurements of the gateway stand on: a real disk, gateway processes of one configuration each, a rival.

Everything listens on loopback only, and ends with its context.
"""

from __future__ import annotations

import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import yaml

from bench.load import HOST, quantile
from tests.support.stack import Stack, wait_for

RIVAL = "1.106.2"
"""The release of LiteLLM that is measured beside the gateway."""
START_S = 180.0
FULL = ("prompt-injection", "pii-detector", "human-oversight", "audit-logger")
RECORD_ONLY = ("audit-logger",)
_MEMORY = ("tmpfs", "ramfs")
_OPTIONS = {
    "pii-detector": {"action": "redact", "pci_mode": True},
    "human-oversight": {"require_human_for": ["legal_opinions", "medical_decisions", "hiring_actions"]},
}


@contextmanager
def directory_on_disk() -> Iterator[Path]:
    """A directory for the run whose flushes reach a disk. Raises AssertionError where there is only memory."""
    for parent in (Path(tempfile.gettempdir()), platformdirs.user_cache_path(), Path.cwd()):
        parent.mkdir(parents=True, exist_ok=True)
        if filesystem(parent) not in _MEMORY:
            with tempfile.TemporaryDirectory(dir=parent) as directory:
                yield Path(directory)
            return
    raise AssertionError("no directory on a disk: a flush of memory costs nothing, so the figures would be false")


def filesystem(directory: Path) -> str:
    """The name of the file system, by statfs."""
    asked = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


def flush_seconds(directory: Path, times: int = 200) -> float:
    """The median of one fdatasync after 512 appended bytes."""
    took = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(times):
            file.write(b"k" * 512)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    return quantile(took, 0.5)


def policy_config(directory: Path, chain: tuple[str, ...], *, patience: str | None = None) -> Path:
    """A configuration with that chain, whose one target takes every model; held callers wait for `patience`."""
    path = directory / f"{'-'.join(chain)}{patience or ''}.yaml"
    options: dict[str, dict[str, object]] = {name: dict(_OPTIONS[name]) for name in chain if name in _OPTIONS}
    if patience is not None:
        options["human-oversight"]["hold"] = {"max_wait": patience}
    written = {
        "pack": {"name": "bench", "version": "1.0.0"},
        "providers": {"targets": [{"id": "echo", "provider": "openai"}]},
        "policies": {"chain": list(chain)},
        "policy": options,
    }
    path.write_text(yaml.safe_dump(written))
    return path


@contextmanager
def gateway(stack: Stack, chain: tuple[str, ...], upstream: int, *options: str) -> Iterator[int]:
    """One more gateway beside those of `stack`; gives its port."""
    directory, port = stack.ready_file.parent, free_port()
    name = f"gateway-{port}"
    pidfile = directory / f"{name}.pid"
    command = [
        *(sys.executable, "-m", "cli.main", "gateway", "run", "--listen", f"{HOST}:{port}"),
        *("--policy-config", str(policy_config(directory, chain)), "--upstream", f"http://{HOST}:{upstream}"),
        *("--pidfile", str(pidfile), *options),
    ]
    with (
        open(directory / f"{name}.log", "wb") as log,
        subprocess.Popen(command, env=environment(stack), stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_serving(process, port, Path(log.name), pidfile)
            yield port
        finally:
            process.terminate()


def environment(stack: Stack) -> dict[str, str]:
    """What `kt dev` tells its own gateway."""
    data = stack.data_dir
    return {
        **stack.environment,
        "KT_DATA_DIR": str(data),
        "KT_KEYRING_FILE": str(data / "keyring.json"),
        "KT_LEDGER_DIR": str(data / "ledger"),
        "KT_PUBLIC_URL": str(stack.info["api_url"]),
        "KT_REQUIRE_API_KEY": "false",
        "TEMPORAL_ADDRESS": str(stack.info["temporal_address"]),
    }


def knows_workers() -> bool:
    """Whether one command starts several gateway processes."""
    command = [sys.executable, "-m", "cli.main", "gateway", "run", "--help"]
    told = subprocess.run(command, env={**os.environ, "COLUMNS": "120"}, capture_output=True, text=True, check=True)
    return "--workers" in told.stdout


@contextmanager
def rival(directory: Path, upstream: int) -> Iterator[tuple[int, str]]:
    """LiteLLM's proxy with one worker, no database and no callbacks; gives its port and its key."""
    program, port, key = rival_program(), free_port(), f"sk-{secrets.token_hex(32)}"
    path = directory / "rival.yaml"
    parameters = {"model": "openai/echo-1", "api_base": f"http://{HOST}:{upstream}/v1", "api_key": "none"}
    path.write_text(
        yaml.safe_dump(
            {
                "model_list": [{"model_name": "echo-1", "litellm_params": parameters}],
                "litellm_settings": {"telemetry": False},
            }
        )
    )
    command = [
        str(program),
        "--config",
        str(path),
        "--host",
        HOST,
        "--port",
        str(port),
        "--num_workers",
        "1",
        "--telemetry",
        "False",
    ]
    offline = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": key}
    with (
        open(directory / "rival.log", "wb") as log,
        subprocess.Popen(command, env=offline, cwd=directory, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_serving(process, port, Path(log.name))
            yield port, key
        finally:
            process.terminate()


def rival_program() -> Path:
    """Its command, in an environment of its own that is made once for each interpreter: both run on the same one."""
    interpreter = f"python-{platform.python_version()}"
    home = platformdirs.user_cache_path("keeptrusts-bench") / f"litellm-{RIVAL}-{interpreter}"
    program = home / "bin" / "litellm"
    if not program.exists():
        print(f"installing litellm[proxy]=={RIVAL} into {home} …", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "-q", f"litellm[proxy]=={RIVAL}"], check=True)
    return program


def free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        return int(taken.getsockname()[1])


def _wait_until_serving(process: subprocess.Popen[bytes], port: int, log: Path, pidfile: Path | None = None) -> None:
    def serves() -> bool:
        assert process.poll() is None, f"it ended: {log.read_text(errors='replace')[-2000:]}"
        if pidfile is not None and not pidfile.exists():
            return False
        with socket.socket() as probe:
            return probe.connect_ex((HOST, port)) == 0

    wait_for(serves, f"a server on port {port}, see {log}", START_S)
