"""Where `kt` finds its server and its token: flag > environment > profile > default.

Profiles are TOML in the user's configuration directory. Tokens are in a file of their own beside it, readable by its
owner only; never on a command line.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_URL = "http://127.0.0.1:41001"
DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Access:
    """A server and a token, each with where it came from."""

    url: str
    url_from: str
    token: str | None
    token_from: str
    profile: str


def config_dir(environment: Mapping[str, str] = os.environ) -> Path:
    chosen = environment.get("KT_CONFIG_DIR")
    if chosen:
        return Path(chosen)
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "kt"


def find_access(environment: Mapping[str, str] = os.environ, profile: str | None = None) -> Access:
    name = profile or environment.get("KT_PROFILE") or DEFAULT_PROFILE
    stored = _read_profiles(environment).get(name, {})
    url, url_from = environment.get("KT_API_URL"), "KT_API_URL"
    if not url:
        url, url_from = stored.get("api_url"), f"profile {name}"
    if not url:
        url, url_from = DEFAULT_URL, "default"
    token, token_from = environment.get("KEEPTRUSTS_API_TOKEN"), "KEEPTRUSTS_API_TOKEN"
    if not token:
        token, token_from = _read_tokens(environment).get(name), f"profile {name}"
    return Access(url.rstrip("/"), url_from, token, token_from if token else "nowhere", name)


def store(profile: str, url: str, token: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Remember a server and a token under a profile; gives the file that holds the token."""
    directory = config_dir(environment)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    profiles = _read_profiles(environment)
    profiles[profile] = {**profiles.get(profile, {}), "api_url": url}
    text = "".join(
        f"[profiles.{json.dumps(name)}]\napi_url = {json.dumps(str(values.get('api_url', '')))}\n\n"
        for name, values in sorted(profiles.items())
    )
    _replace(directory / "config.toml", text)
    tokens = _read_tokens(environment) | {profile: token}
    file = directory / "tokens.json"
    _replace(file, json.dumps(tokens, indent=2))
    return file


def forget(profile: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Drop the stored token of a profile; says whether there was one."""
    tokens = _read_tokens(environment)
    if tokens.pop(profile, None) is None:
        return False
    _replace(config_dir(environment) / "tokens.json", json.dumps(tokens, indent=2))
    return True


def _read_profiles(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    try:
        with open(config_dir(environment) / "config.toml", "rb") as file:
            profiles = tomllib.load(file).get("profiles", {})
    except (OSError, tomllib.TOMLDecodeError):
        return {}
    return profiles if isinstance(profiles, dict) else {}


def _read_tokens(environment: Mapping[str, str]) -> dict[str, str]:
    try:
        tokens = json.loads((config_dir(environment) / "tokens.json").read_text())
    except (OSError, ValueError):
        return {}
    return tokens if isinstance(tokens, dict) else {}


def _replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    draft.replace(path)
