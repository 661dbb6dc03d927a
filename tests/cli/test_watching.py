"""`kt escalation watch` tells every change of the queue, and lives through a restart of the API."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.api.test_taking import desk, made
from tests.support.stack import Stack, wait_for


@contextmanager
def watching(stack: Stack, directory: Path, who: str, *options: str) -> Iterator[Path]:
    """What it writes into a pipe; it listens already."""
    environment = {**stack.environment, "KT_API_URL": stack.info["api_url"], "KEEPTRUSTS_API_TOKEN": stack.token(who)}
    command = [sys.executable, "-m", "cli.main", "escalation", "watch", *options]
    said = directory / "said.jsonl"
    with open(said, "wb") as out, open(directory / "errors.log", "wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=errors)
    try:
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130, (directory / "errors.log").read_text()


def told(said: Path, escalation_id: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in said.read_text().splitlines()]
    return [change for change in found if change["escalation_id"] == escalation_id]


def listens(stack: Stack, said: Path, kind: dict[str, Any]) -> None:
    """Until it has told of some case: those that change before it listens are no change to it."""

    def look() -> bool:
        case = made(stack, kind)
        stack.must(case, "withdraw", who="admin")
        return bool(said.read_text())

    wait_for(look, "it to listen")


def test_every_change_of_the_team_s_queue_is_a_line(stack: Stack, tmp_path: Path) -> None:
    with desk(stack) as ([ana], kind), watching(stack, tmp_path, "admin", "--team", ana.rpartition("-")[0]) as said:
        listens(stack, said, kind)
        other = stack.create(policy_rule="elsewhere")["escalation_id"]
        held = made(stack, kind)
        stack.decide(held, "block", ana)
        wait_for(lambda: [one for one in told(said, held) if one["status"] == "resolved"], "the decision")
        assert {one["team"] for one in told(said, held)} == {ana.rpartition("-")[0]}
        assert told(said, other) == []


def test_only_the_states_that_were_asked_for(stack: Stack, tmp_path: Path) -> None:
    with (
        desk(stack) as ([ana], kind),
        watching(stack, tmp_path, ana, "--status", "resolved", "--status", "expired") as said,
    ):
        listens(stack, said, kind)
        held = made(stack, kind)
        stack.decide(held, "block", ana)
        wait_for(lambda: told(said, held), "the decision")
        assert {one["status"] for one in told(said, held)} == {"resolved"}


@contextmanager
def live(stack: Stack, who: str, *options: str) -> Iterator[bytearray]:
    """What it writes on a terminal, as it comes; Ctrl-C ends it."""
    ours, theirs = pty.openpty()
    environment = {**stack.environment, "KT_API_URL": stack.info["api_url"], "KEEPTRUSTS_API_TOKEN": stack.token(who)}
    environment |= {"TERM": "xterm", "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "cli.main", "escalation", "watch", *options]
    process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = bytearray()

    def listen() -> None:
        with suppress(OSError):
            while more := os.read(ours, 65536):
                said.extend(more)

    listening = threading.Thread(target=listen)
    listening.start()
    try:
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130, said.decode()
        listening.join()
        os.close(ours)


def screen(said: bytearray) -> str:
    """What is on the terminal now: all since it was last cleared."""
    return said.decode(errors="replace").rpartition("\x1b[2J")[2]


def test_on_a_terminal_it_is_a_table_that_follows_the_queue(stack: Stack) -> None:
    with desk(stack) as ([ana], kind):
        held = made(stack, kind)
        with live(stack, ana) as said:
            wait_for(lambda: held in screen(said), "the case in the table")
            first = screen(said)
            assert all(column in first for column in ("ID", "SEVERITY", "STATUS", "SLA", "DUE", "ASSIGNEE"))
            assert ana not in next(line for line in first.splitlines() if held in line)
            stack.must(held, "claim", who=ana)

            def claimed() -> bool:
                lines = [line for line in screen(said).splitlines() if held in line]
                return bool(lines) and "claimed" in lines[0] and ana in lines[0]

            wait_for(claimed, "the claim in the table")
            stack.must(held, "resolve", {"resolution": "block"}, ana)
            wait_for(lambda: "queue clear" in screen(said), "an empty table")


def test_a_restart_of_the_api_is_lived_through_and_nothing_is_missed(stack: Stack, tmp_path: Path) -> None:
    with desk(stack) as ([ana], kind), watching(stack, tmp_path, ana) as said:
        listens(stack, said, kind)
        held = made(stack, kind)
        stack.back("api", stack.kill("api"))
        wait_for(lambda: stack.api("admin").get("/livez").status_code == 200, "the API")
        stack.decide(held, "block", ana)
        wait_for(lambda: [one for one in told(said, held) if one["status"] == "resolved"], "the decision")
