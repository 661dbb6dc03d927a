"""Further gateways beside the one of `kt dev`, on the same store and the same Temporal."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.stack import Stack, wait_for


@contextmanager
def following_gateway(stack: Stack, name: str, model_url: str, log: Path) -> Iterator[str]:
    """A gateway beside the stack's own, which takes the policy of that name from the store; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **stack.environment,
        "KT_DATA_DIR": str(stack.data_dir),
        "TEMPORAL_ADDRESS": stack.info["temporal_address"],
    }
    command = ["gateway", "run", "--policy-config", f"store:{name}", "--listen", address, "--upstream", model_url]
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *command], env=environment, stdout=out, stderr=out
        )
    try:
        wait_for(lambda: "Gateway ready" in log.read_text() or process.poll() is not None, "the gateway", 60)
        assert process.poll() is None, log.read_text()
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)
