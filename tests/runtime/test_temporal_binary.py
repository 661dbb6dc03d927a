"""Where Temporal comes from: each source in its order, and a clear word when there is none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.progress import Progress
from runtime.temporal_binary import CLI_VERSION, NoTemporal, Sources, cli_version, find_cli, find_present_cli

CURRENT = ".".join(str(part) for part in CLI_VERSION)


def temporal(directory: Path, version: str = CURRENT, name: str = "temporal") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / name
    file.write_text(f"#!/bin/sh\necho 'temporal version {version} (Server 1.32.0, UI 2.50)'\n")
    file.chmod(0o755)
    return file


def sources(tmp_path: Path, download: Callable[[Path], Path] | None = None, **environment: str) -> Sources:
    return Sources({"PATH": str(tmp_path / "bin"), **environment}, Progress(), tmp_path / "cache", download)


def go(tmp_path: Path, version: str) -> None:
    (tmp_path / "bin").mkdir(exist_ok=True)
    file = tmp_path / "bin" / "go"
    file.write_text(f'#!/bin/sh\nif [ "$1" = env ]; then echo go{version}; else echo "go: no module" >&2; exit 1; fi\n')
    file.chmod(0o755)


def test_the_named_binary_comes_first(tmp_path: Path) -> None:
    named = temporal(tmp_path / "elsewhere")
    temporal(tmp_path / "bin")
    assert find_cli(sources(tmp_path, KT_TEMPORAL_BIN=str(named))) == named


def test_a_named_binary_that_is_too_old_is_refused(tmp_path: Path) -> None:
    named = temporal(tmp_path / "elsewhere", "1.1.0")
    with pytest.raises(NoTemporal, match=r"is version 1\.1\.0; at least"):
        find_cli(sources(tmp_path, KT_TEMPORAL_BIN=str(named)))


def test_a_named_binary_that_cannot_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoTemporal, match="cannot be run"):
        find_cli(sources(tmp_path, KT_TEMPORAL_BIN=str(tmp_path / "nothing")))


def test_one_on_path_comes_before_the_cache(tmp_path: Path) -> None:
    on_path = temporal(tmp_path / "bin")
    temporal(tmp_path / "cache", name=f"temporal-cli-{CURRENT}")
    assert find_cli(sources(tmp_path)) == on_path


def test_one_on_path_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    temporal(tmp_path / "bin", "1.1.0")
    cached = temporal(tmp_path / "cache", name=f"temporal-cli-{CURRENT}")
    assert find_cli(sources(tmp_path)) == cached


def test_a_download_lands_in_the_cache_and_happens_once(tmp_path: Path) -> None:
    downloads: list[Path] = []

    def download(directory: Path) -> Path:
        downloads.append(directory)
        return temporal(directory, name="downloaded")

    for _ in range(2):
        found = find_cli(sources(tmp_path, download))
        assert found == tmp_path / "cache" / f"temporal-cli-{CURRENT}"
    assert len(downloads) == 1


def test_two_that_want_it_at_once_get_it_once(tmp_path: Path) -> None:
    under_way, going_on = threading.Event(), threading.Event()
    downloads: list[Path] = []

    def download(directory: Path) -> Path:
        downloads.append(directory)
        under_way.set()
        going_on.wait(30)
        return temporal(directory, name="downloaded")

    first = threading.Thread(target=lambda: find_cli(sources(tmp_path, download)))
    second = threading.Thread(target=lambda: find_cli(sources(tmp_path, download)))
    first.start()
    under_way.wait(30)
    second.start()
    going_on.set()
    first.join(30)
    second.join(30)
    assert len(downloads) == 1


def test_nothing_is_present_until_it_was_got(tmp_path: Path) -> None:
    assert find_present_cli(sources(tmp_path)) is None


def failing(_: Path) -> Path:
    raise RuntimeError("blocked")


@pytest.mark.parametrize(("version", "told"), [(None, "there is no Go"), ("1.21.0", r"Go is 1\.21\.0")])
def test_without_any_source_the_four_ways_are_named(tmp_path: Path, version: str | None, told: str) -> None:
    if version:
        go(tmp_path, version)
    with pytest.raises(NoTemporal, match=told) as refused:
        find_cli(sources(tmp_path, failing))
    for way in ("TEMPORAL_ADDRESS", "KT_TEMPORAL_BIN", "temporal.download", "install Go"):
        assert way in str(refused.value)


def test_a_build_that_fails_says_what_go_said_and_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    go(tmp_path, "1.26.8")
    with pytest.raises(NoTemporal, match="go: no module"):
        find_cli(sources(tmp_path, failing))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["temporal.lock"]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(NoTemporal, match="cannot write the cache"):
        find_cli(sources(tmp_path, failing))


def test_the_version_of_what_is_no_temporal_is_none(tmp_path: Path) -> None:
    file = tmp_path / "other"
    file.write_text("#!/bin/sh\necho other 1.0\n")
    file.chmod(0o755)
    assert cli_version(file) is None
    assert cli_version(Path(os.devnull)) is None
