"""Every command of the README and of docs/ runs, as it stands there.

The word behind `sh` of a code block says how: nothing: it is executed, in the order of the page; `claimed`: with a case
that the reviewer holds; `installs`: with the page's example addresses replaced by real ones; `serves`: it is started,
waited for and stopped; `in …`: it belongs to another test (`make demo` to the fresh clone, benchmarks to theirs).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runtime.temporal_binary import cache_dir
from tests.support.stack import Stack, wait_for
from tests.support.stores import Postgres

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLE_ID = "esc_1234567890"
_FENCE = re.compile(r"^```(\S*)[ ]?(.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass
class Reader:
    """Somebody who follows a page, in a directory of their own, against a running stack."""

    stack: Stack
    directory: Path
    postgres: Postgres
    environment: dict[str, str] = field(default_factory=dict)
    held: str = ""
    _shell: subprocess.Popen[str] | None = None
    _ran: int = 0

    def __post_init__(self) -> None:
        shutil.copy(ROOT / "runtime" / "defaults" / "policy-config.yaml", self.directory)
        info = self.stack.info
        self.environment = {
            **self.stack.environment,
            "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "KT_API_URL": info["api_url"],
            "KEEPTRUSTS_API_TOKEN": self.stack.token("reviewer"),
            "ADMIN_TOKEN": self.stack.token("admin"),
            "KT_LEDGER_DIR": str(self.stack.data_dir / "ledger"),
            "OPENAI_API_KEY": "unused",
            "KT_CACHE_DIR": str(cache_dir(os.environ)),
            **{f"KT_{name}_PORT": "0" for name in ("API", "GATEWAY", "TEMPORAL", "UI")},
        }

    @property
    def _said(self) -> Path:
        return self.directory / "said.log"

    def follow(self, how: str, script: str) -> None:
        if how.startswith("in "):
            return
        if how == "claimed" or (EXAMPLE_ID in script and not self.held):
            self.held = self.stack.create()["escalation_id"]
        if how == "claimed":
            self.stack.must(self.held, "claim")
        if how == "serves":
            self._serve(self._real(script).strip())
            return
        if how == "installs":
            self._install(script)
            return
        assert how in ("", "claimed"), f"nobody knows what `sh {how}` means"
        self._run(self._real(script))

    def _real(self, script: str) -> str:
        info = self.stack.info
        return (
            script.replace(EXAMPLE_ID, self.held)
            .replace("http://localhost:41001", info["api_url"])
            .replace("http://localhost:41002", info["gateway_url"])
            .replace("0.0.0.0:41001", "127.0.0.1:0")
            .replace("0.0.0.0:41002", "127.0.0.1:0")
        )

    def _run(self, script: str) -> None:
        """In the one shell of the page, so that what a block leaves in the background is there for the next."""
        if self._shell is None:
            with open(self._said, "wb") as out:
                self._shell = subprocess.Popen(
                    ["bash", "-euo", "pipefail", "-s"],
                    env=self.environment, cwd=self.directory, stdin=subprocess.PIPE, stdout=out, stderr=out, text=True,
                )  # fmt: skip
        shell, before = self._shell, self._said.stat().st_size
        self._ran += 1
        end = f"end of block {self._ran}"
        assert shell.stdin is not None
        shell.stdin.write(f"{script}\necho '{end}'\n")
        shell.stdin.flush()
        wait_for(lambda: end in self._said.read_text() or shell.poll() is not None, f"this to end: {script}", 120)
        assert end in self._said.read_text(), f"{script}\n{self._said.read_text()[before:]}"

    def leave(self) -> None:
        if self._shell is not None:
            self._shell.terminate()
            self._shell.communicate()

    def _install(self, script: str) -> None:
        import asyncio

        real = script.replace("/var/lib/keeptrusts", str(self.directory / "data"))
        real = real.replace("temporal:7233", self.stack.info["temporal_address"])
        real = real.replace("postgresql://kt@db/keeptrusts", asyncio.run(self.postgres.new_database()))
        for name, value in re.findall(r"(\w+)=(\S+)", real):
            self.environment[name] = value
        self._run(real)

    def _serve(self, command: str) -> None:
        """Start it, see that it says it is ready, stop it."""
        log = self.directory / "served.log"
        of_the_stack = {
            "KT_DATA_DIR": str(self.stack.data_dir),
            "TEMPORAL_ADDRESS": self.stack.info["temporal_address"],
        }
        environment = self.environment if command == "kt dev" else of_the_stack | self.environment
        with open(log, "wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], env=environment, cwd=self.directory, stdout=out, stderr=out
            )
        try:

            def ready() -> bool:
                assert process.poll() is None, f"{command}: {log.read_text()}"
                return "ready" in log.read_text().lower().replace("getting ready", "")

            wait_for(ready, f"`{command}` to be ready")
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(20)
        assert code == 0, log.read_text()


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """(language, how, script) of every code block."""
    for match in _FENCE.finditer(page.read_text()):
        yield match[1], match[2].strip(), match[3]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_every_command_of_a_page_runs(page: Path, stack: Stack, tmp_path: Path, postgres: Postgres) -> None:
    commands = [(how, script) for language, how, script in blocks(page) if language == "sh"]
    reader = Reader(stack, tmp_path, postgres)
    for case in (
        stack.api("admin").get("/v1/escalations", params={"status": "open,claimed", "limit": 200}).json()["escalations"]
    ):
        stack.act(case["escalation_id"], "withdraw", who="admin")
    try:
        for how, script in commands:
            reader.follow(how, script)
    finally:
        reader.leave()
    assert all(how == "" or how.split()[0] in ("in", "claimed", "serves", "installs") for how, _ in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_every_link_to_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_every_yaml_example_is_one_that_loads(tmp_path: Path) -> None:
    from policies.lint import lint

    found = 0
    for page in PAGES:
        for language, _, text in blocks(page):
            if language == "yaml":
                found += 1
                file = tmp_path / f"{page.stem}-{found}.yaml"
                file.write_text(text)
                assert [str(c) for c in lint(file) if not c.warning] == []
    assert found >= 3


def test_every_error_code_is_in_the_docs() -> None:
    from escalations.errors import BY_CODE

    told = (ROOT / "docs" / "errors.md").read_text()
    code = re.compile(r'(?:Problem|GatewayError)\(\s*\d+,\s*f?"([a-z_]+)"')
    sources = [path.read_text() for name in ("api", "gateway") for path in (ROOT / name).glob("*.py")]
    raised = {found for source in sources for found in code.findall(source)}
    bases = {"escalation_error", "refused"}
    internal = {"bad_request", "cross_site", "undecodable", "internal_error", "method_not_allowed", "escalation_"}
    missing = {word for word in (raised | set(BY_CODE)) - bases - internal if f"`{word}`" not in told}
    assert missing == set()


def test_the_map_of_the_readme_is_the_tree(root: Path) -> None:
    readme = (root / "README.md").read_text()
    packages = {path.parent.name for path in root.glob("*/__init__.py")} - {"tests", "bench"}
    assert {name for name in packages if f"`{name}/`" not in readme} <= {"console"}
