"""SLA timers through restarts of workers and the Temporal server, and what waits after an outage of all of them.

    python -m bench.clocks [--cases N] [--spread S] [--apart S] [--outage S]

Restarts: cases whose deadlines fall one after the other, each with two timers (amber and breach), while two workers and
the server go down in turn, one of them at a time: workers with SIGTERM in one run and SIGKILL in the other, the server
with SIGKILL in both; once so many seconds apart, and once each as soon as the one before is back. A timer's lateness
is when the case did what was due, by the workflow's own clock, less the instant at which it was due. Outage: server and
workers stand still while every deadline passes, and are killed then; the backlog is drained when the last breach can be
read from the API, counted from when all of them serve again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.support.stack import Stack, running_stack, wait_for

LATE_CEILING_S = 2.0
DRAIN_CEILING_S = 10.0
AMBER_PERCENT = 10
PATIENCE_S = 120.0
CASE = {
    "answer": "You may terminate.",
    "policy_rule": "human-oversight",
    "reason_code": "legal_opinions",
    "severity": "high",
}


class Worker:
    """A worker beside that of `kt dev`, which nobody but this starts again."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self._pidfile, self._log = directory / "second-worker.pid", directory / "second-worker.log"
        self._environment = {
            **stack.environment,
            "KT_DATA_DIR": str(stack.data_dir),
            "TEMPORAL_ADDRESS": stack.info["temporal_address"],
        }
        self.start()

    def start(self) -> None:
        self._pidfile.unlink(missing_ok=True)
        with open(self._log, "ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "worker", "run", "--pidfile", str(self._pidfile)],
                env=self._environment,
                stdout=out,
                stderr=out,
            )

    def ready(self) -> None:
        wait_for(self._pidfile.exists, "the second worker to work")

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait()


@contextmanager
def second_worker(stack: Stack, directory: Path) -> Iterator[Worker]:
    worker = Worker(stack, directory)
    try:
        worker.ready()
        yield worker
    finally:
        worker.stop()


def open_cases(stack: Stack, cases: int, spread_s: float) -> list[str]:
    """Cases opened one after the other, spread over that time where opening is fast enough."""
    began, opened = time.monotonic(), []
    for number in range(cases):
        time.sleep(max(0.0, began + number * spread_s / cases - time.monotonic()))
        answer = stack.api("admin").post("/v1/escalations", json=CASE)
        # What is open but not shown yet is open: its clock runs.
        opened.append(str(answer.json()["escalation_id"]))
    return opened


def all_breached(stack: Stack, opened: Sequence[str]) -> bool:
    return all(stack.escalation(case)["sla_state"] == "breached" for case in reversed(opened))


def fired(stack: Stack, opened: Sequence[str]) -> dict[str, Any]:
    """How often each timer fired, and how late."""
    late: list[float] = []
    times: list[int] = []
    for case in opened:
        told = stack.api("admin").get(f"/v1/escalations/{case}/explain").json()["deadline"]
        history = stack.history(case)
        for kind, due in (("amber", told["amber_at"]), ("breached", stack.escalation(case)["sla_deadline"])):
            at = [entry["at"] for entry in history if entry["type"] == kind]
            times.append(len(at))
            late += [(datetime.fromisoformat(one) - datetime.fromisoformat(due)).total_seconds() for one in at]
    return {
        "timers": len(times),
        "fired_once": times.count(1),
        "early": sum(one < 0 for one in late),
        "late_s_median": round(statistics.median(late), 3),
        "late_s_p99": round(sorted(late)[int(len(late) * 0.99)], 3),
        "late_s_worst": round(max(late), 3),
    }


def through_restarts(
    stack: Stack, directory: Path, how: signal.Signals, cases: int = 100, spread_s: float = 30.0, apart_s: float = 0.0
) -> dict[str, Any]:
    """`cases` deadlines within `spread_s`; a worker or the server goes down when the one before is back, and not sooner
    than `apart_s` after it went down. `how` is what workers are told."""
    target = spread_s * 1.5
    sla = {"high": f"{target}s", "amber_at_remaining": f"{AMBER_PERCENT}%", "expire_after": "1h"}
    with stack.settings(sla=sla), second_worker(stack, directory) as worker:
        began = time.monotonic()
        opened = open_cases(stack, cases, spread_s)
        opening_s = time.monotonic() - began
        time.sleep(max(0.0, target * (1 - AMBER_PERCENT / 100) - opening_s - 1))
        restarts = 0
        for victim in cycle(("worker", "temporal", "second worker", "temporal")):
            if time.monotonic() - began > opening_s + target:
                break
            next_at = time.monotonic() + apart_s
            if victim == "second worker":
                worker.stop(how)
                worker.start()
                worker.ready()
            else:
                stack.back(victim, stack.kill(victim, how if victim == "worker" else signal.SIGKILL))
            restarts += 1
            time.sleep(max(0.0, next_at - time.monotonic()))
        wait_for(lambda: all_breached(stack, opened), "every breach", PATIENCE_S)
        return {"cases": cases, "restarts": restarts, **fired(stack, opened)}


def after_an_outage(stack: Stack, directory: Path, cases: int = 100, outage_s: float = 60.0) -> dict[str, Any]:
    """`cases` deadlines in an outage of server and workers; how long they take once these are started again."""
    opened: list[str] = []
    with second_worker(stack, directory) as worker:
        with stack.settings(sla={"high": f"{max(outage_s / 2, 15)}s", "expire_after": "1h"}):
            opened = open_cases(stack, cases, 0)
        frozen = [stack.pid("temporal"), stack.pid("worker"), worker.process.pid]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        last = max(datetime.fromisoformat(stack.escalation(case)["sla_deadline"]) for case in opened)
        time.sleep(max(outage_s, last.timestamp() - time.time() + 1))
        waiting = sum(stack.escalation(case)["sla_state"] != "breached" for case in opened)
        began = time.perf_counter()
        before = {name: stack.kill(name) for name in ("temporal", "worker")}
        worker.stop()
        worker.start()
        worker.ready()
        for name, pid in before.items():
            stack.back(name, pid)
        serving = time.perf_counter()
        wait_for(lambda: all_breached(stack, opened), "the backlog", PATIENCE_S)
        drained_s = time.perf_counter() - serving
    found = fired(stack, opened)
    return {
        "cases": cases,
        "waiting": waiting,
        "restart_s": round(serving - began, 2),
        "drained_s": round(drained_s, 2),
        **{name: found[name] for name in ("timers", "fired_once", "early")},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--spread", type=float, default=30.0, help="seconds over which the deadlines fall")
    parser.add_argument("--apart", type=float, default=5.0, help="seconds from one restart to the next")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, running_stack(Path(directory)) as stack:
        found = {"outage": after_an_outage(stack, Path(directory), chosen.cases, chosen.outage)}
        for how in (signal.SIGTERM, signal.SIGKILL):
            for name, apart in (("apart", chosen.apart), ("at once", 0.0)):
                went = through_restarts(stack, Path(directory), how, chosen.cases, chosen.spread, apart)
                found[f"workers {how.name}, {name}"] = went
    print(json.dumps(found, indent=2))
    once = all(part["fired_once"] == part["timers"] and not part["early"] for part in found.values())
    late = max(part["late_s_worst"] for name, part in found.items() if name.endswith(", apart"))
    return 0 if once and late <= LATE_CEILING_S and found["outage"]["drained_s"] <= DRAIN_CEILING_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
