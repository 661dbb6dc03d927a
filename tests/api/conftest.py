"""What several tests of the API share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.workspace import Workspace, running_workspace


@pytest.fixture(scope="package")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Shared by tests that leave its settings as they found them."""
    with running_workspace(tmp_path_factory.mktemp("slack")) as running:
        yield running
