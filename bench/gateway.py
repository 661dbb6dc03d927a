"""The gateway beside a direct call and beside LiteLLM's Python proxy, on one machine in one run.

    python -m bench.gateway [--quick] [--no-rival] [--holding [N]]

Each is one process before the same model, which answers at once; documents of 1 KB go in and out. The gateway runs its
full chain (injection, personal data, oversight, record) with every request durable on a real disk before its answer
leaves; LiteLLM checks and records nothing. Rounds alternate, so that a machine whose speed drifts slows all; figures
are medians of rounds. `--holding` measures instead what held requests cost (see bench/holding.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import echo, holding, load
from bench.load import HOST, Cell, quantile
from bench.surroundings import (
    FULL,
    RECORD_ONLY,
    RIVAL,
    directory_on_disk,
    filesystem,
    flush_seconds,
    gateway,
    knows_workers,
    policy_config,
    rival,
)
from bench.verdicts import Check, at_least, at_most, tell
from tests.support.stack import Stack, running_stack

TOGETHER = (1, 16, 64)
RATE_FLOOR = 12.0
"""Requests per second, as a multiple of LiteLLM's Python proxy."""
ADDED_P50_MS = 0.9
"""Above a direct call and one flush of the disk: nothing leaves before it is on the record."""
ADDED_P99_MS = 3.0
RECORD_ONLY_P50_MS = 0.35
"""The same as ADDED_P50_MS for a chain that looks at no text."""
FIRST_TOKEN_MS = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how often is measured."""

    rounds: int
    seconds: float

    @classmethod
    def of(cls, *, quick: bool) -> Pace:
        return cls(2, 0.3) if quick else cls(7, 2.0)


@dataclass(frozen=True, slots=True)
class Server:
    """Something to drive, with the key that it wants."""

    port: int
    key: str | None = None


def request(size_kb: int = 1, *, stream: bool = False) -> bytes:
    """A request document of exactly that size."""

    def document(text: str) -> dict[str, object]:
        messages = [{"role": "system", "content": "You are a helpful guide."}, {"role": "user", "content": text}]
        extra = {"stream": True} if stream else {}
        return {"model": f"echo-{size_kb}", **extra, "temperature": 0.2, "messages": messages}

    return echo.sized(document, size_kb)


def alternate(servers: Mapping[str, Server], body: bytes, together: int, pace: Pace) -> dict[str, list[Cell]]:
    """Drive each server in turn, round after round."""
    cells: dict[str, list[Cell]] = {name: [] for name in servers}
    for _ in range(pace.rounds):
        for name, server in servers.items():
            wire = load.post(body, server.key)
            cells[name].append(load.measure(server.port, wire, together, pace.seconds))
    return cells


def rates(servers: Mapping[str, Server], pace: Pace) -> dict[str, dict[str, float]]:
    """Requests per second at each number of connections, and the ratio of each round's ours to its rival."""
    found = {}
    for together in TOGETHER:
        cells = alternate(servers, request(), together, pace)
        row = {name: round(statistics.median(cell.rate for cell in each), 1) for name, each in cells.items()}
        if "litellm" in cells:
            ratios = [ours.rate / theirs.rate for ours, theirs in zip(cells["ours"], cells["litellm"], strict=True)]
            row["ours_over_litellm"] = round(statistics.median(ratios), 1)
        found[str(together)] = row
    return found


def added(servers: Mapping[str, Server], pace: Pace, directory: Path, size_kb: int = 1) -> dict[str, dict[str, float]]:
    """Milliseconds that each adds to a direct call at one connection, and a flush of the disk in the same rounds."""
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    flushes = []
    for _ in range(pace.rounds):
        flushes.append(flush_seconds(directory, 100))
        cells = alternate(servers, request(size_kb), 1, Pace(1, pace.seconds))
        direct = cells["direct"][0]
        for name, (cell,) in cells.items():
            rows[name].append((cell.p50 - direct.p50, cell.p99 - direct.p99))
    found = {
        name: {
            "p50": _ms(statistics.median(p50 for p50, _ in each)),
            "p99": _ms(statistics.median(p99 for _, p99 in each)),
        }
        for name, each in rows.items()
        if name != "direct"
    }
    return {**found, "flush": {"p50": _ms(statistics.median(flushes))}}


def first_token(direct: Server, ours: Server, pace: Pace) -> dict[str, float]:
    """Milliseconds until the first byte of a stream that passes through untouched."""
    cells = alternate({"direct": direct, "ours": ours}, request(stream=True), 1, pace)
    medians = {name: [quantile(cell.first, 0.5) for cell in each] for name, each in cells.items()}
    later = [mine - theirs for mine, theirs in zip(medians["ours"], medians["direct"], strict=True)]
    return {
        "direct": _ms(statistics.median(medians["direct"])),
        "ours": _ms(statistics.median(medians["ours"])),
        "added": _ms(statistics.median(later)),
    }


def measure(*, quick: bool = False, with_rival: bool = True) -> dict[str, object]:
    """Everything but the holding, each under its name."""
    pace = Pace.of(quick=quick)
    with directory_on_disk() as directory, echo.running() as model, ExitStack() as running:
        config, url = policy_config(directory, FULL), f"http://{HOST}:{model}"
        stack = running.enter_context(
            running_stack(directory / "stack", "--upstream", url, "--policy-config", str(config))
        )
        direct, ours = Server(model), own(stack)
        record_only = Server(running.enter_context(gateway(stack, RECORD_ONLY, model)), ours.key)
        for size in echo.SIZES_KB:
            _must_pass(ours, size)
        servers = {"direct": direct, "ours": ours, "record_only": record_only}
        rivals = {"litellm": Server(*running.enter_context(rival(directory, model)))} if with_rival else {}
        for server in (*servers.values(), *rivals.values()):
            load.measure(server.port, load.post(request(), server.key), 16, 3 * pace.seconds)
        found: dict[str, object] = {
            "disk": filesystem(directory),
            "rates": rates({**servers, **rivals}, pace),
            "added_ms": added(servers, pace, directory),
            "first_token_ms": first_token(direct, record_only, pace),
            "added_ms_by_size": {
                f"{size} KB": added({"direct": direct, "ours": ours}, pace, directory, size)["ours"]
                for size in echo.SIZES_KB
            },
        }
        if knows_workers():
            both = Server(running.enter_context(gateway(stack, FULL, model, "--workers", "2")), ours.key)
            found["two_workers"] = rates({"ours": ours, "two": both}, pace)
        else:
            print("kt gateway run has no --workers: two workers are not measured")
        return found


def own(stack: Stack) -> Server:
    """The gateway of `kt dev` itself."""
    return Server(int(stack.info["gateway_url"].rpartition(":")[2]), str(stack.info["gateway_key"]))


def _must_pass(server: Server, size_kb: int) -> None:
    """The compared request is one that the chain looks at and lets go; one that is held would be waited for."""
    answer = httpx.post(
        f"http://{HOST}:{server.port}/v1/chat/completions",
        content=request(size_kb),
        headers={"content-type": "application/json", "authorization": f"Bearer {server.key}"},
        trust_env=False,
    )
    assert (answer.status_code, answer.headers["x-policy-verdict"]) == (200, "passed"), answer.text


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def checks(found: Mapping[str, object]) -> list[Check]:
    """The floors, each with what was found."""
    made = []
    by_connections: Mapping[str, Mapping[str, float]] = found["rates"]  # type: ignore[assignment]
    for together, row in by_connections.items():
        if "ours_over_litellm" in row:
            what = f"requests/s of LiteLLM {RIVAL}, {together} connections"
            made.append(at_least(what, row["ours_over_litellm"], RATE_FLOOR, "x"))
    extra: Mapping[str, Mapping[str, float]] = found["added_ms"]  # type: ignore[assignment]
    flush, ours, record_only = extra["flush"]["p50"], extra["ours"], extra["record_only"]
    made.append(at_most("added p50, full chain, less one flush", round(ours["p50"] - flush, 3), ADDED_P50_MS, "ms"))
    made.append(at_most("added p99, full chain", ours["p99"], ADDED_P99_MS, "ms"))
    what = "added p50, record only, less one flush"
    made.append(at_most(what, round(record_only["p50"] - flush, 3), RECORD_ONLY_P50_MS, "ms"))
    streams: Mapping[str, float] = found["first_token_ms"]  # type: ignore[assignment]
    made.append(at_most("first token of a stream, added", streams["added"], FIRST_TOKEN_MS, "ms"))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short rounds, for a look")
    parser.add_argument("--no-rival", action="store_true", help="without LiteLLM, which is installed on first use")
    parser.add_argument(
        "--holding", type=int, nargs="?", const=0, metavar="N", help="hold N requests (5000; quick 200)"
    )
    chosen = parser.parse_args()
    if chosen.holding is not None:
        held = holding.measure(chosen.holding or (200 if chosen.quick else 5000))
        print(json.dumps(held, indent=2))
        return tell(holding.checks(held))
    found = measure(quick=chosen.quick, with_rival=not chosen.no_rival)
    print(json.dumps(found, indent=2))
    return tell(checks(found))


if __name__ == "__main__":
    raise SystemExit(main())
