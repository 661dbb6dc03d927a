"""Temporal for tests that go beneath the product's surface."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import Client

from runtime.temporal_binary import find_cli, usual_sources
from tests.support.stack import Stack
from vault.codec import data_converter
from vault.keyring import Keyring, load_keyring
from vault.signatures import Signer
from workflows.messages import AnyCommand, Instruction, bytes_to_sign


def keyring_of(stack: Stack) -> Keyring:
    return load_keyring(stack.data_dir / "keyring.json")


async def connect_to(stack: Stack) -> Client:
    """The stack's Temporal, with its codec."""
    return await Client.connect(stack.info["temporal_address"], data_converter=data_converter(keyring_of(stack)))


def cli_binary() -> Path:
    return find_cli(usual_sources())


def temporal(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The `temporal` command line against the stack's server, as an operator has it."""
    command = [str(cli_binary()), *arguments, "--address", stack.info["temporal_address"]]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def operators_signal(stack: Stack, workflow_id: str, operation: str, message: str) -> None:
    """As anybody with access to Temporal sends one."""
    sent = temporal(stack, "workflow", "signal", "--workflow-id", workflow_id, "--name", operation, "--input", message)
    assert sent.returncode == 0, sent.stderr


def signed(stack: Stack, workflow_id: str, command: AnyCommand) -> Instruction:
    """As the API of this stack would sign it."""
    signer, now = Signer(keyring_of(stack)), datetime.now(UTC)
    known = f"{command.operation}-{now.timestamp()}"
    unsigned = Instruction(known, workflow_id, command, "payload", now + timedelta(minutes=1), signer.key_id)
    return replace(unsigned, signature=signer.sign(bytes_to_sign(unsigned)))
