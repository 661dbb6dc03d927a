"""The keys of an installation, in one file that only its owner can read.

Five purposes, five separate key sets: `vault` wraps the data keys of escalations, `codec` encrypts Temporal payloads,
`ledger` signs checkpoints, `commands` signs what the API asks of workflows, `pseudonyms` makes the names that stand for
personal data. Each set names its current key and keeps the older ones, so that what was written under them can still
be read. Only `kt dev` and `kt admin init` create a keyring, or add the keys that an earlier release did not have; every
other process refuses to start without them.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PURPOSES = ("vault", "codec", "ledger", "commands", "pseudonyms")
_SIGNING = ("ledger", "commands")


class KeyringError(Exception):
    """The keyring is missing, readable by others, or not what it should be. The message says what to do."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one purpose. A signing key is {private?, public}: a verifier may hold only the public half."""

    current: str
    keys: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"KeySet(current={self.current!r}, keys={sorted(self.keys)})"

    def secret(self, key_id: str | None = None) -> bytes:
        """A symmetric key of 32 bytes. Raises KeyringError when the ring does not hold it."""
        chosen = key_id or self.current
        if chosen not in self.keys:
            raise KeyringError(
                f"the keyring has no key {chosen!r}; restore the keyring that was in use when this was written"
            )
        return base64.b64decode(self.keys[chosen])

    def private(self) -> Ed25519PrivateKey:
        raw = self.keys[self.current].get("private")
        if raw is None:
            raise KeyringError("this process holds only the public key and cannot sign")
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(raw))

    def public(self, key_id: str) -> Ed25519PublicKey | None:
        key = self.keys.get(key_id)
        return None if key is None else Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public"]))


@dataclass(frozen=True, slots=True)
class Keyring:
    vault: KeySet
    codec: KeySet
    ledger: KeySet
    commands: KeySet
    pseudonyms: KeySet


def load_keyring(path: Path) -> Keyring:
    """Read a keyring. Raises KeyringError when it is missing, open to others, or malformed."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except FileNotFoundError:
        raise KeyringError(f"{path}: no keyring; create one with `kt admin init`, or set KT_KEYRING_FILE") from None
    except OSError as fault:
        raise KeyringError(f"{path}: cannot read the keyring: {fault.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyringError(f"{path}: others can read the keyring; run `chmod 600 {path}`")
    try:
        data = json.loads(text)
        if "vault" in data and (missing := [purpose for purpose in PURPOSES if purpose not in data]):
            raise KeyringError(f"{path}: there is no key for {', '.join(missing)}; add it with `kt admin init`")
        return Keyring(**{purpose: KeySet(**data[purpose]) for purpose in PURPOSES})
    except (ValueError, KeyError, TypeError):
        raise KeyringError(f"{path}: this is not a keyring; restore it from your backup") from None


def ensure_keyring(path: Path) -> Keyring:
    """The keyring at `path`, made or completed: under a lock, whole or not at all, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = _read(path)
        if there is not None and (missing := [purpose for purpose in PURPOSES if purpose not in there]):
            _write(path, {**there, **{purpose: _new_set(purpose) for purpose in missing}})
    return load_keyring(path)


def _read(path: Path) -> dict[str, Any] | None:
    """What is there already, nothing where there is no file; None for what is no keyring and must stay as it is."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "vault" in found else None


def _new_set(purpose: str) -> dict[str, Any]:
    key_id = f"{purpose}-{secrets.token_hex(4)}"
    if purpose not in _SIGNING:
        return {"current": key_id, "keys": {key_id: base64.b64encode(secrets.token_bytes(32)).decode()}}
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    pair = {"private": base64.b64encode(private).decode(), "public": base64.b64encode(public).decode()}
    return {"current": key_id, "keys": {key_id: pair}}


def _write(path: Path, data: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(data, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
