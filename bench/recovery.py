"""How long the next action takes after a process was killed with SIGKILL in the middle of a hold.

    python -m bench.recovery [--rounds N]

Of each process: `restart_s`, from the kill until the process serves again, and `action_s`, from then until a claim that
was sent meanwhile is answered. The claim repeats itself with one Idempotency-Key, as a careful client does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
import uuid
from pathlib import Path

import httpx

from tests.support.stack import Stack, running_stack, wait_for

CEILING_S = 2.0
PARTS = ("worker", "api", "gateway", "temporal")


def once(stack: Stack, part: str) -> tuple[float, float]:
    """(restart_s, action_s)"""
    held = stack.create()["escalation_id"]
    done: list[float] = []

    def claim() -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4()), "authorization": f"Bearer {stack.token('reviewer')}"}
        with httpx.Client(base_url=stack.info["api_url"], headers=headers, timeout=30, trust_env=False) as client:

            def look() -> bool:
                try:
                    return client.post(f"/v1/escalations/{held}/claim").status_code == 200
                except httpx.TransportError:
                    return False

            wait_for(look, f"a claim after {part} was killed")
        done.append(time.perf_counter())

    killed = time.perf_counter()
    old = stack.kill(part)
    claiming = threading.Thread(target=claim)
    claiming.start()
    stack.back(part, old)
    back = time.perf_counter()
    claiming.join()
    return back - killed, max(0.0, done[0] - back)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, running_stack(Path(directory)) as stack:
        found = {part: [once(stack, part) for _ in range(chosen.rounds)] for part in PARTS}
    told = {
        part: {
            "restart_s_median": round(statistics.median(restart for restart, _ in rounds), 2),
            "action_s_median": round(statistics.median(action for _, action in rounds), 2),
            "action_s_worst": round(max(action for _, action in rounds), 2),
        }
        for part, rounds in found.items()
    }
    print(json.dumps(told, indent=2))
    return 0 if all(part["action_s_worst"] <= CEILING_S for part in told.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
