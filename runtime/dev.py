"""`kt dev`: everything on one machine. Temporal, worker, API and gateway as children, kept alive, gone when this is.

The contract for scripts is the ready file: written when everything answers, replaced by rename when a child was started
again (see docs/kt-dev.md).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from policies.loading import load_policy_config, read_secret
from runtime import demo_model
from runtime.children import Child, keep_alive, pidfile_names
from runtime.connect import takes_calls
from runtime.dev_settings import put_in_force, read_escalation_config
from runtime.progress import Progress
from runtime.seed import seed
from runtime.serving import Server, take_port
from runtime.settings import API_PORT, GATEWAY_PORT, SettingsError, make_data_dir
from runtime.temporal_binary import get_cli, usual_sources
from store.database import Database, normal_url, sqlite_url
from store.migrating import migrate
from vault.keyring import ensure_keyring
from workflows.attributes import ALL

TEMPORAL_PORT = 7233
UI_PORT = 8233
READY_TIMEOUT_S = 60
_DEFAULTS = Path(__file__).parent / "defaults"
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class DevOptions:
    """Ports of 0 mean any free one."""

    data_dir: Path
    ready_file: Path | None = None
    api_port: int = API_PORT
    gateway_port: int = GATEWAY_PORT
    temporal_port: int = TEMPORAL_PORT
    ui_port: int = UI_PORT
    policy_config: Path | None = None
    escalation_config: Path | None = None
    upstream: str | None = None


@dataclass(slots=True)
class Dev:
    """A running installation."""

    options: DevOptions
    ports: dict[str, int]
    tokens: dict[str, str]
    listeners: dict[str, socket.socket]
    children: dict[str, Child] = field(default_factory=dict)
    demo_model: bool = False
    external_temporal: str | None = None
    ui_url: str | None = None

    @property
    def api_url(self) -> str:
        return f"http://{_HOST}:{self.ports['api']}"

    @property
    def gateway_url(self) -> str:
        return f"http://{_HOST}:{self.ports['gateway']}"

    @property
    def temporal_address(self) -> str:
        return self.external_temporal or f"{_HOST}:{self.ports['temporal']}"

    def describe(self) -> dict[str, Any]:
        """The content of the ready file."""
        people = {name: token for name, token in self.tokens.items() if not name.startswith("gateway_key")}
        pids = {name: child.pid for name, child in self.children.items()}
        return {
            "api_url": self.api_url,
            "gateway_url": self.gateway_url,
            "console_url": f"{self.api_url}/",
            "temporal_address": self.temporal_address,
            "temporal_ui_url": self.ui_url,
            "data_dir": str(self.options.data_dir),
            "pids": {name: pids.get(name) for name in ("temporal", "worker", "api", "gateway")},
            "tokens": people,
            "gateway_key": self.tokens["gateway_key"],
            "gateway_key2": self.tokens["gateway_key2"],
        }

    def write_ready_file(self) -> None:
        path = self.options.ready_file
        if path is None:
            return
        draft = path.with_name(path.name + ".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(self.describe(), out, indent=2)
        draft.replace(path)


async def start(options: DevOptions, environment: Mapping[str, str], progress: Progress) -> Dev:
    """Start everything. Raises one of `runtime.serving.EXPECTED`; then nothing is left running."""
    policy_file = (options.policy_config or _DEFAULTS / "policy-config.yaml").resolve()
    loaded = load_policy_config(policy_file)
    own = _DEFAULTS / "escalation-config.yaml"
    written, settings = read_escalation_config(options.escalation_config or own, own)
    make_data_dir(options.data_dir)
    external = environment.get("TEMPORAL_ADDRESS")
    listeners = _listeners(options, external is None)
    ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
    binary = None if external else await get_cli(usual_sources(environment, progress))
    ensure_keyring(options.data_dir / "keyring.json")
    url = environment.get("KT_DATABASE_URL")
    database = Database(normal_url(url) if url else sqlite_url(options.data_dir / "keeptrusts.db"))
    try:
        await migrate(database)
        tokens = await seed(database, options.data_dir)
        keep = options.escalation_config is None
        await put_in_force(database, _ledger_dir(options, environment), written, settings, progress, keep=keep)
    finally:
        await database.close()
    dev = Dev(options, ports, tokens, listeners, external_temporal=external)
    upstream = options.upstream
    if upstream is None and _lacks_secret(loaded.config.providers.targets, environment):
        dev.demo_model = True
        upstream = await _serve_demo_model()
    try:
        await _start_children(dev, environment, binary, policy_file, upstream)
    except BaseException:
        await stop(dev)
        raise
    dev.write_ready_file()
    return dev


async def stop(dev: Dev) -> None:
    """End the children, the gateway first, Temporal last; all of it within five seconds."""
    outer = [child for name, child in dev.children.items() if name != "temporal"]
    await asyncio.gather(*(child.stop(3.0) for child in outer))
    if "temporal" in dev.children:
        await dev.children["temporal"].stop(1.5)


async def watch(dev: Dev, stopping: asyncio.Event) -> None:
    """Keep every child alive until `stopping`, and the ready file true."""

    def changed(_child: Child) -> None:
        dev.write_ready_file()

    keeping = [asyncio.create_task(keep_alive(child, stopping, changed)) for child in dev.children.values()]
    await stopping.wait()
    await stop(dev)
    for task in keeping:
        task.cancel()
    await asyncio.gather(*keeping, return_exceptions=True)


def _ledger_dir(options: DevOptions, environment: Mapping[str, str]) -> Path:
    return Path(environment.get("KT_LEDGER_DIR") or options.data_dir / "ledger")


async def _start_children(
    dev: Dev, environment: Mapping[str, str], binary: Path | None, policy_file: Path, upstream: str | None
) -> None:
    data = dev.options.data_dir
    logs, run = data / "logs", data / "run"
    for directory in (logs, run):
        directory.mkdir(exist_ok=True)
    dev.ui_url = environment.get("KT_TEMPORAL_UI_URL") or (
        f"http://{_HOST}:{dev.ports['ui']}/temporal" if binary else None
    )
    shared = {
        **environment,
        "KT_DATA_DIR": str(data),
        "KT_KEYRING_FILE": str(data / "keyring.json"),
        "KT_LEDGER_DIR": str(_ledger_dir(dev.options, environment)),
        "KT_PUBLIC_URL": environment.get("KT_PUBLIC_URL") or dev.api_url,
        "KT_REQUIRE_API_KEY": environment.get("KT_REQUIRE_API_KEY") or "false",
        "TEMPORAL_ADDRESS": dev.temporal_address,
        **({"KT_TEMPORAL_UI_URL": dev.ui_url} if dev.ui_url else {}),
    }
    if binary is not None:
        arguments = _temporal_arguments(binary, dev.ports, data / "temporal.db", f"{dev.api_url}/codec")
        answers = _temporal_answers(dev.temporal_address, dev.ports["temporal"], dev.ports["ui"])
        dev.children["temporal"] = Child("temporal", arguments, shared, logs / "temporal.log", answers)
    gateway = ["gateway", "run", "--listen", f"{_HOST}:{dev.ports['gateway']}", "--policy-config", str(policy_file)]
    commands = {
        "worker": ["worker", "run"],
        "api": ["api", "run", "--listen", f"{_HOST}:{dev.ports['api']}"],
        "gateway": [*gateway, *(["--upstream", upstream] if upstream else [])],
    }
    for name, command in commands.items():
        pidfile = run / f"{name}.pid"
        pidfile.unlink(missing_ok=True)
        arguments = [sys.executable, "-m", "cli.main", *command, "--pidfile", str(pidfile)]
        dev.children[name] = Child(name, arguments, shared, logs / f"{name}.log", pidfile_names(pidfile))
        dev.children[name].listener = dev.listeners.get(name)
    for child in dev.children.values():
        (logs / f"{child.name}.log").write_bytes(b"")
    if "temporal" in dev.children:
        for name in ("temporal", "ui"):
            dev.listeners.pop(name).close()
        await dev.children["temporal"].start()
        await _must_be_ready(dev.children["temporal"])
    for child in dev.children.values():
        if child.process is None:
            await child.start()
    await asyncio.gather(*(_must_be_ready(child) for child in dev.children.values()))


async def _must_be_ready(child: Child) -> None:
    if not await child.wait_ready(READY_TIMEOUT_S):
        raise SettingsError(f"the {child.name} did not start: {child.last_words()} (log: {child.log})")


def _temporal_arguments(binary: Path, ports: Mapping[str, int], database: Path, codec_url: str) -> list[str]:
    attributes = [f"--search-attribute={key.name}={_TYPES[key.indexed_value_type.name]}" for key in ALL]
    return [
        str(binary),
        "server",
        "start-dev",
        "--ip",
        _HOST,
        "--port",
        str(ports["temporal"]),
        "--ui-port",
        str(ports["ui"]),
        "--ui-public-path",
        "/temporal",
        "--ui-codec-endpoint",
        codec_url,
        "--ui-disable-news-fetch",
        "--db-filename",
        str(database),
        "--log-level",
        "warn",
        *attributes,
    ]


_TYPES = {"KEYWORD": "Keyword", "DATETIME": "Datetime", "BOOL": "Bool"}


def _lacks_secret(targets: Any, environment: Mapping[str, str]) -> bool:
    references = [target.secret_key_ref for target in targets if target.secret_key_ref is not None]
    return any(read_secret(reference, environment) is None for reference in references)


_FLAGS = {"api": "--api-port", "gateway": "--gateway-port", "temporal": "--temporal-port", "ui": "--ui-port"}
_ANY = range(15_000, 30_000)
"""Where free ports are looked for: below those that the system gives to outgoing connections."""


def _listeners(options: DevOptions, own_temporal: bool) -> dict[str, socket.socket]:
    """A socket on each port, taken before anything is started. Raises SettingsError.

    API and gateway inherit theirs; those of Temporal, which opens its own, are closed just before it starts.
    """
    wanted = {"api": options.api_port, "gateway": options.gateway_port}
    if own_temporal:
        wanted |= {"temporal": options.temporal_port, "ui": options.ui_port}
    taken: dict[str, socket.socket] = {}
    try:
        for name, port in wanted.items():
            taken[name] = _listen(port, _FLAGS[name])
    except SettingsError:
        for listener in taken.values():
            listener.close()
        raise
    return taken


def _listen(port: int, flag: str) -> socket.socket:
    for candidate in [port] if port else random.sample(_ANY, 50):
        try:
            return take_port(_HOST, candidate)
        except SettingsError:
            continue
    raise SettingsError(f"port {port} is not free; choose another with {flag}, 0 for any")


def _temporal_answers(address: str, *ports: int) -> Callable[[int], Awaitable[bool]]:
    async def ready(_pid: int) -> bool:
        for port in ports:
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex((_HOST, port)) != 0:
                    return False
        return await takes_calls(address)

    return ready


async def _serve_demo_model() -> str:
    """The demo model on a free port of this process."""
    listener = socket.create_server((_HOST, 0))
    config = uvicorn.Config(demo_model.create_app(), log_config=None, access_log=False, lifespan="off")
    started = asyncio.Event()
    _serving.add(asyncio.create_task(Server(config, started.set).serve(sockets=[listener])))
    await started.wait()
    return f"http://{_HOST}:{listener.getsockname()[1]}"


_serving: set[asyncio.Task[None]] = set()
