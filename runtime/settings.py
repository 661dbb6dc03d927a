"""What a process needs to know before it starts, from the environment, with plain defaults.

KT_DATA_DIR           where the embedded store lives            ~/.local/share/keeptrusts
KT_DATABASE_URL       SQLite or PostgreSQL                      sqlite in the data directory
KT_KEYRING_FILE       the keyring                               keyring.json in the data directory
KT_LEDGER_DIR         ledger chains (SQLite only)               ledger/ in the data directory
KT_PUBLIC_URL         how people reach the API                  http://127.0.0.1:41001
KT_TEMPORAL_UI_URL    the Temporal UI, its path /temporal       none
KT_REQUIRE_API_KEY    refuse gateway requests without a key     true (kt dev: false)
KT_LOG_FORMAT         text | json                               text
TEMPORAL_*            as temporalio.envconfig reads them        127.0.0.1:7233
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from store.database import normal_url, sqlite_url

API_PORT = 41001
GATEWAY_PORT = 41002


class SettingsError(Exception):
    """A process cannot start as it is set up. The message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    data_dir: Path
    database_url: str
    keyring_file: Path
    ledger_dir: Path
    public_url: str
    temporal_ui_url: str | None
    require_api_key: bool
    environment: Mapping[str, str]


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. Raises SettingsError."""
    data_dir = Path(environment.get("KT_DATA_DIR") or platformdirs.user_data_dir("keeptrusts", appauthor=False))
    url = environment.get("KT_DATABASE_URL")
    try:
        database_url = normal_url(url) if url else sqlite_url(data_dir / "keeptrusts.db")
    except Exception:
        raise SettingsError(
            "KT_DATABASE_URL is not a database URL; write for example postgresql://user@host/name"
        ) from None
    return Settings(
        data_dir=data_dir,
        database_url=database_url,
        keyring_file=Path(environment.get("KT_KEYRING_FILE") or data_dir / "keyring.json"),
        ledger_dir=Path(environment.get("KT_LEDGER_DIR") or data_dir / "ledger"),
        public_url=(environment.get("KT_PUBLIC_URL") or f"http://127.0.0.1:{API_PORT}").rstrip("/"),
        temporal_ui_url=(environment.get("KT_TEMPORAL_UI_URL") or "").rstrip("/") or None,
        require_api_key=_flag(environment, "KT_REQUIRE_API_KEY", default=True),
        environment=environment,
    )


def make_data_dir(path: Path) -> None:
    """Create the data directory, for its owner only. Raises SettingsError when it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as fault:
        raise SettingsError(
            f"{path}: cannot write the data directory: {fault.strerror}; choose another with --data-dir"
        ) from None


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environment.get(name, "").strip().lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{name} is {value!r}; write true or false")
