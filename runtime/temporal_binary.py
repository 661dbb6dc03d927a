"""Where the embedded Temporal comes from. In order:

    1. KT_TEMPORAL_BIN, or `temporal` on PATH, when it is at least CLI 1.8.2
    2. the cache of an earlier download or build
    3. the SDK's own download
    4. a build from the Go modules (Go 1.26.8 or newer), pinned by hash in runtime/temporal_build

The cache is the user's (XDG), shared by all checkouts, and locked: two processes that want it at once make it once.
(TEMPORAL_ADDRESS, for a Temporal that runs already, is looked at before any of this; see runtime.dev.)
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from runtime.progress import Progress

Version = tuple[int, ...]

CLI_VERSION: Version = (1, 8, 2)
SERVER_VERSION: Version = (1, 32, 1)
GO_VERSION: Version = (1, 26, 8)
DOWNLOAD_TIMEOUT_S = 600
_BUILD = Path(__file__).parent / "temporal_build"
_PACKAGES = {
    "cli": "github.com/temporalio/cli/cmd/temporal",
    "server": "go.temporal.io/server/cmd/server",
}


class NoTemporal(Exception):
    """No Temporal can be had here. The message names the ways to get one."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look; tests take some away."""

    environment: Mapping[str, str]
    progress: Progress
    cache: Path
    download: Callable[[Path], Path] | None = None


def cache_dir(environment: Mapping[str, str]) -> Path:
    """The user's cache: KT_CACHE_DIR, or `keeptrusts` under XDG_CACHE_HOME."""
    chosen = environment.get("KT_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("keeptrusts", appauthor=False))


def usual_sources(environment: Mapping[str, str] = os.environ, progress: Progress | None = None) -> Sources:
    return Sources(environment, progress or Progress(), cache_dir(environment), download_with_sdk)


def find_cli(sources: Sources) -> Path:
    """A Temporal CLI with its dev server, at least 1.8.2; got when there is none yet. Raises NoTemporal."""
    present = find_present_cli(sources)
    if present is not None:
        return present
    with _locked(sources):
        if cli_version(_cached_cli(sources)) is None:
            _download_or_build(sources, _cached_cli(sources))
    return _cached_cli(sources)


def find_present_cli(sources: Sources) -> Path | None:
    """The one that is here already: named, on PATH or in the cache. Raises NoTemporal when the named one is no good."""
    chosen = sources.environment.get("KT_TEMPORAL_BIN")
    if chosen:
        version = cli_version(Path(chosen))
        if version is None or version < CLI_VERSION:
            found = "cannot be run" if version is None else f"is version {_dots(version)}"
            raise NoTemporal(f"KT_TEMPORAL_BIN={chosen} {found}; at least {_dots(CLI_VERSION)} is needed")
        return Path(chosen)
    on_path = shutil.which("temporal", path=sources.environment.get("PATH"))
    if on_path:
        version = cli_version(Path(on_path))
        if version is not None and version >= CLI_VERSION:
            return Path(on_path)
        sources.progress.say(f"temporal on PATH is older than {_dots(CLI_VERSION)} and is not used")
    return _cached_cli(sources) if cli_version(_cached_cli(sources)) else None


async def get_cli(sources: Sources) -> Path:
    """`find_cli` for an event loop: what takes minutes happens in a process group of its own, ended when cancelled.

    Raises NoTemporal.
    """
    present = find_present_cli(sources)
    if present is not None:
        return present
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runtime.temporal_binary"),
        env=dict(sources.environment),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, _ = await process.communicate()
    except asyncio.CancelledError:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        raise
    if process.returncode != 0:
        raise NoTemporal("there is no Temporal to start, see above")
    return Path(out.decode().strip())


def find_server(sources: Sources) -> Path:
    """The full Temporal server 1.32.1, which can skip time. Only tests need it. Raises NoTemporal."""
    cached = sources.cache / f"temporal-server-{_dots(SERVER_VERSION)}"
    with _locked(sources):
        if not os.access(cached, os.X_OK):
            _build(sources, "server", cached)
    return cached


def cli_version(binary: Path) -> Version | None:
    """The version of a Temporal CLI; None when it is not one, or cannot be run."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"temporal version v?(\d+(?:\.\d+)+)", done.stdout)
    return _numbers(found[1]) if found else None


def go_version(environment: Mapping[str, str]) -> Version | None:
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        return None
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    found = re.match(r"go(\d+(?:\.\d+)+)", done.stdout.strip())
    return _numbers(found[1]) if found else None


def download_with_sdk(directory: Path) -> Path:
    """Let the Temporal SDK download its dev server. Raises OSError or RuntimeError when it cannot."""
    from temporalio.testing import WorkflowEnvironment

    async def fetch() -> None:
        async with asyncio.timeout(DOWNLOAD_TIMEOUT_S):
            version = f"v{_dots(CLI_VERSION)}"
            started = await WorkflowEnvironment.start_local(
                download_dest_dir=str(directory), dev_server_download_version=version
            )
            await started.shutdown()

    asyncio.run(fetch())
    found = [path for path in directory.iterdir() if path.is_file() and cli_version(path)]
    if not found:
        raise RuntimeError("the download left no Temporal CLI behind")
    return found[0]


def _cached_cli(sources: Sources) -> Path:
    return sources.cache / f"temporal-cli-{_dots(CLI_VERSION)}"


def _download_or_build(sources: Sources, target: Path) -> None:
    if sources.download is not None:
        sources.progress.say(f"Temporal {_dots(CLI_VERSION)} is not in the cache: downloading it")
        try:
            with tempfile.TemporaryDirectory(dir=sources.cache) as directory:
                _publish(sources.download(Path(directory)), target)
                return
        except (OSError, RuntimeError, TimeoutError) as fault:
            sources.progress.say(f"the download did not work ({type(fault).__name__}); building from the Go modules")
    _build(sources, "cli", target)


def _build(sources: Sources, kind: Literal["cli", "server"], target: Path) -> None:
    go = go_version(sources.environment)
    if go is None or go < GO_VERSION:
        found = "there is no Go" if go is None else f"Go is {_dots(go)}"
        raise NoTemporal(
            f"no Temporal here, it could not be downloaded, and {found}. One of four ways: set TEMPORAL_ADDRESS to a"
            f" Temporal that runs; put a `temporal` CLI {_dots(CLI_VERSION)} on PATH or name it in KT_TEMPORAL_BIN;"
            f" allow the download from temporal.download; install Go {_dots(GO_VERSION)} or newer"
        )
    what = "the Temporal CLI" if kind == "cli" else "the Temporal server"
    sources.progress.say(f"building {what} from its Go modules: once, 5 to 15 minutes on two cores")
    with tempfile.TemporaryDirectory(dir=sources.cache) as directory:
        shutil.copytree(_BUILD / kind, directory, dirs_exist_ok=True)
        binary = Path(directory) / "built"
        _run_go(sources, Path(directory), _PACKAGES[kind], binary)
        _publish(binary, target)
    sources.progress.say(f"built {what}: {target}")


def _run_go(sources: Sources, directory: Path, package: str, binary: Path) -> None:
    # A build from modules does not know its own tag.
    tag = f"-X github.com/temporalio/cli/internal/temporalcli.Version={_dots(CLI_VERSION)}"
    flags = ["-v", "-mod=readonly", "-trimpath", "-ldflags", f"-s -w {tag}"]
    arguments = ["go", "build", *flags, "-o", str(binary), package]
    environment = {**sources.environment, "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
    downloaded = compiled = 0
    tail: list[str] = []
    with subprocess.Popen(  # noqa: S603
        arguments, cwd=directory, env=environment, stderr=subprocess.PIPE, text=True
    ) as build:
        assert build.stderr is not None
        for line in build.stderr:
            tail = [*tail[-14:], line.rstrip()]
            if line.startswith("go: downloading"):
                downloaded += 1
            else:
                compiled += 1
            sources.progress.step(f"  {downloaded} modules downloaded, {compiled} packages compiled: {line.strip()}")
    if build.returncode != 0:
        raise NoTemporal("the build of Temporal from its Go modules failed:\n" + "\n".join(tail))


def _publish(source: Path, target: Path) -> None:
    """Put a finished binary in its place, whole or not at all."""
    source.chmod(0o755)
    draft = target.with_suffix(".new")
    shutil.copyfile(source, draft)
    draft.chmod(0o755)
    draft.replace(target)


@contextmanager
def _locked(sources: Sources) -> Iterator[None]:
    try:
        sources.cache.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise NoTemporal(f"{sources.cache}: cannot write the cache: {fault.strerror}; set KT_CACHE_DIR") from None
    with open(sources.cache / "temporal.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sources.progress.say("another process is getting Temporal; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _numbers(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def _dots(version: Version) -> str:
    return ".".join(str(part) for part in version)


def main() -> int:
    """`python -m runtime.temporal_binary [server]`: get it now, so that nobody waits later."""
    try:
        sources = usual_sources()
        print(find_server(sources) if "server" in sys.argv[1:] else find_cli(sources))  # noqa: T201
    except NoTemporal as fault:
        print(f"error: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
