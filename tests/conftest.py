"""What tests share: real servers, started once and only when a test wants them."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import runtime.dev
from tests.support.model import FakeModel
from tests.support.stack import Stack, running_stack
from tests.support.stores import Postgres, running_postgres

# A busy machine is no bug.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

HOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of the tests' own webhook").decode()
GROUPS = """
consumer_groups:
  deferred:
    policy: {human-oversight: {hold: {mode: deferred}}}
  quick:
    policy: {human-oversight: {hold: {grace: 0.2, keepalive: 0.2}}}
  hooked:
    policy: {human-oversight: {hold: {mode: deferred, webhook: "webhook:app-hook"}}}
  injected:
    chain: [prompt-injection, audit-logger]
    policy: {prompt-injection: {response: {action: escalate}}}
  described:
    policy:
      human-oversight:
        categories: {press: {phrases: [press release]}}
        require_human_for: [press]
        hold: {mode: deferred}
  tokenized:
    policy: {pii-detector: {action: tokenize}, human-oversight: {hold: {mode: deferred}}}
  shown-to-people:
    policy: {pii-detector: {action: log}, human-oversight: {hold: {mode: deferred}}}
  rated:
    chain: [rate-anomaly, human-oversight, audit-logger]
    policy: {rate-anomaly: {window: 10m, baseline: 1h, at_least: 3}, human-oversight: {hold: {mode: deferred}}}
  watched:
    policy: {prompt-injection: {canary: true, response: {action: block}}}
  watched-and-held:
    policy:
      prompt-injection: {canary: true, response: {action: escalate}}
      human-oversight: {hold: {mode: deferred}}
  few:
    limits: {requests_per_minute: 2, held: 1}
  frugal:
    chain: [prompt-injection, audit-logger]
    limits: {tokens_per_minute: 1}
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Where root tests, the server is another user, to whom the next run of pytest closes pytest's own directories.
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory, running_postgres(Path(directory)) as running:
        yield running


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def model() -> Iterator[FakeModel]:
    with FakeModel().running() as running:
        yield running


@pytest.fixture(scope="session")
def patient_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of `kt dev`, with a silence so long that a test's decision always falls into it.

    And with groups of consumers that are kept otherwise.
    """
    default = (Path(runtime.dev.__file__).parent / "defaults" / "policy-config.yaml").read_text()
    patient = default.replace("    action: escalate\n", "    action: escalate\n    hold: {grace: 60s, keepalive: 1s}\n")
    patient += GROUPS
    file = tmp_path_factory.mktemp("config") / "policy-config.yaml"
    file.write_text(patient)
    return file


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, model: FakeModel, patient_config: Path) -> Iterator[Stack]:
    """`kt dev`, shared by the tests that leave it as they found it."""
    options = ("--upstream", model.url, "--policy-config", str(patient_config))
    environment = {"KT_ALLOW_PRIVATE_WEBHOOKS": "1", "HOOK_SECRET": HOOK_SECRET}
    with running_stack(tmp_path_factory.mktemp("stack"), *options, environment=environment) as running:
        yield running
