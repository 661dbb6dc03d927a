"""Every test of the store runs on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from store.database import Database
from tests.support.stores import Postgres, new_store


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest_asyncio.fixture
async def database(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    postgres: Postgres | None = request.getfixturevalue("postgres") if engine == "postgresql" else None
    async with new_store(engine, tmp_path, postgres) as made:
        yield made
