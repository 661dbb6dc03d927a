"""The whole product as its users run it: `kt dev` as a process of its own, reached over its ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import openai

Found = TypeVar("Found")
PATIENCE_S = 60.0
LEGAL = "Draft a final legal opinion about whether we can terminate an employee for cause based on the facts below."


def wait_for(look: Callable[[], Found | None], what: str, timeout_s: float = PATIENCE_S) -> Found:
    """Look until there is something; fails with `what` when the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {timeout_s} s for {what}")


@dataclass
class Stack:
    """A running `kt dev`. `info` is its ready file."""

    process: subprocess.Popen[bytes]
    ready_file: Path
    environment: dict[str, str]
    output: Path
    _clients: dict[str, httpx.Client] = field(default_factory=dict)
    _people: dict[str, str] = field(default_factory=dict)
    _openai_clients: list[openai.OpenAI] = field(default_factory=list)

    @property
    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    @property
    def data_dir(self) -> Path:
        return Path(self.info["data_dir"])

    def token(self, who: str) -> str:
        return self._people.get(who) or str(self.info["tokens"][who])

    def hire(self, login: str, *teams: str, roles: tuple[str, ...] = ("reviewer",)) -> None:
        """Another person; from then on they are as good a `who` as those of the ready file."""
        admin = self.api("admin")
        made = admin.post("/v1/users", json={"login": login, "teams": list(teams), "roles": list(roles)})
        assert made.status_code == 201, made.text
        self._people[login] = str(admin.post("/v1/tokens", json={"login": login}).json()["token"])

    def api(self, who: str = "reviewer") -> httpx.Client:
        """A client of the API as that person."""
        if who not in self._clients:
            headers = {"authorization": f"Bearer {self.token(who)}"}
            self._clients[who] = httpx.Client(
                base_url=self.info["api_url"], headers=headers, timeout=30, trust_env=False
            )
        return self._clients[who]

    def gateway(self, key: str | None = "gateway_key") -> httpx.Client:
        name = f"gateway:{key}"
        if name not in self._clients:
            headers = {"authorization": f"Bearer {self.info[key]}"} if key else {}
            self._clients[name] = httpx.Client(
                base_url=self.info["gateway_url"], headers=headers, timeout=60, trust_env=False
            )
        return self._clients[name]

    def openai(self, key: str = "gateway_key", **options: Any) -> openai.OpenAI:
        """The stock client, with its defaults."""
        client = openai.OpenAI(base_url=self.info["gateway_url"] + "/v1", api_key=self.info[key], **options)
        self._openai_clients.append(client)
        return client

    def async_openai(self, key: str = "gateway_key", **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.info["gateway_url"] + "/v1", api_key=self.info[key], **options)

    def kt(
        self,
        *arguments: str,
        who: str | None = "reviewer",
        token: str | None = None,
        stdin: str = "",
        code: int | None = 0,
    ) -> str:
        """Run the command line as a person, or with a `token`; gives its stdout. `code` is the expected exit code, None
        for any."""
        environment = {**self.environment, "KT_API_URL": self.info["api_url"]}
        if token is not None or who is not None:
            environment["KEEPTRUSTS_API_TOKEN"] = token or self.token(str(who))
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if code is not None:
            assert done.returncode == code, f"kt {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if done.returncode == 0 else done.stderr or done.stdout

    def escalation(self, escalation_id: str, who: str = "admin", **query: str) -> dict[str, Any]:
        answer = self.api(who).get(f"/v1/escalations/{escalation_id}", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def act(
        self, escalation_id: str, verb: str, body: dict[str, Any] | None = None, who: str = "reviewer"
    ) -> httpx.Response:
        return self.api(who).post(f"/v1/escalations/{escalation_id}/{verb}", json=body if body is not None else {})

    def must(
        self, escalation_id: str, verb: str, body: dict[str, Any] | None = None, who: str = "reviewer"
    ) -> dict[str, Any]:
        answer = self.act(escalation_id, verb, body, who)
        assert answer.status_code == 200, answer.text
        done: dict[str, Any] = answer.json()
        return done

    def decide(self, escalation_id: str, resolution: str, who: str = "reviewer", **body: Any) -> dict[str, Any]:
        """Claim and resolve."""
        self.must(escalation_id, "claim", who=who)
        return self.must(escalation_id, "resolve", {"resolution": resolution, **body}, who=who)

    def case_about(self, marker: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The case whose request holds this text, as soon as it is in the queue."""

        def look() -> dict[str, Any] | None:
            page = self.api("admin").get("/v1/escalations", params={"status": "open,claimed", "limit": 200}).json()
            for item in page.get("escalations", []):
                if item["escalation_id"] in _elsewhere:
                    continue
                context = self.escalation(item["escalation_id"], include="context")["context"]
                if marker in json.dumps(context["request"]):
                    return item
                _elsewhere.add(item["escalation_id"])
            return None

        _elsewhere: set[str] = set()
        return wait_for(look, f"a case about {marker!r}", timeout_s)

    def create(self, answer: str = "You may terminate.", who: str = "admin", **body: Any) -> dict[str, Any]:
        """A case from outside, without any caller that waits."""
        plain = {
            "answer": answer,
            "policy_rule": "human-oversight",
            "reason_code": "legal_opinions",
            "severity": "high",
        }
        made = self.api(who).post("/v1/escalations", json={**plain, **body})
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def history(self, escalation_id: str) -> list[dict[str, Any]]:
        answer = self.api("admin").get(f"/v1/escalations/{escalation_id}/history")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["history"]
        return found

    def events(self, escalation_id: str) -> list[str]:
        return [entry["type"] for entry in self.history(escalation_id)]

    @contextmanager
    def settings(self, **parts: Any) -> Iterator[None]:
        """Settings for a while: what is not given stays as it is."""
        before = self.api("admin").get("/v1/settings").json()["settings"]
        changed = self.api("admin").put("/v1/settings", json={**before, **parts})
        assert changed.status_code == 200, changed.text
        try:
            yield
        finally:
            self.api("admin").put("/v1/settings", json=before)

    def pid(self, part: str) -> int:
        return int(self.info["pids"][part])

    def kill(self, part: str, number: int = signal.SIGKILL) -> int:
        """Kill one of the processes; gives the pid that it had."""
        pid = self.pid(part)
        os.kill(pid, number)
        return pid

    def back(self, part: str, old_pid: int) -> None:
        """Wait until that process was started again and the ready file says so."""
        wait_for(lambda: self.pid(part) != old_pid, f"{part} to be started again")

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted((self.data_dir / "logs").glob("*.log")))

    def close_clients(self) -> None:
        for client in (*self._clients.values(), *self._openai_clients):
            client.close()
        self._clients.clear()
        self._openai_clients.clear()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@contextmanager
def running_stack(directory: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Stack]:
    """Start `kt dev` on free ports, wait until it is ready, and stop it at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    ready = directory / "ready.json"
    ready.unlink(missing_ok=True)
    output = directory / "kt-dev.log"
    chosen = {**os.environ, "KT_CONFIG_DIR": str(directory / "config"), **(environment or {})}
    chosen.pop("OPENAI_API_KEY", None)
    ports = [flag for name in ("api", "gateway", "temporal", "ui") for flag in (f"--{name}-port", "0")]
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "dev",
        "--data-dir",
        str(directory / "data"),
        "--ready-file",
        str(ready),
    ]
    with open(output, "ab") as out:
        process = subprocess.Popen([*command, *ports, *options], env=chosen, stdout=out, stderr=out)
    stack = Stack(process, ready, chosen, output)
    try:

        def answers() -> bool:
            assert process.poll() is None, f"kt dev ended: {output.read_text()}"
            return ready.exists()

        wait_for(answers, f"kt dev to be ready, see {output}", 1200)
        yield stack
    finally:
        stack.close_clients()
        if process.poll() is None:
            stack.stop()
