"""Content at rest: AES-256-GCM under one data key per escalation, itself wrapped by the keyring's vault key.

Destroying the wrapped key is the erasure of everything that was sealed under it, keyed digests included: a digest
is an HMAC under the same data key, so a guessable text cannot be confirmed from the ledger once the key is gone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from vault.keyring import Keyring

_NONCE = 12


class VaultError(Exception):
    """Sealed content could not be opened: it was altered, moved, or its key was destroyed."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored: `blob` is nonce and ciphertext under the vault key `key_id`."""

    key_id: str
    blob: bytes


class DataKey:
    """The key of one escalation's content. `subject` (tenant and id) is bound into everything it seals."""

    __slots__ = ("_digesting", "_sealing", "_subject")

    def __init__(self, key: bytes, subject: str) -> None:
        self._subject = subject
        self._sealing = AESGCM(HKDFExpand(SHA256(), 32, b"kt.vault.seal.v1").derive(key))
        self._digesting = HKDFExpand(SHA256(), 32, b"kt.vault.digest.v1").derive(key)

    def seal(self, field: str, content: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._sealing.encrypt(nonce, content, self._bound_to(field))

    def open(self, field: str, sealed: bytes) -> bytes:
        """The content again. Raises VaultError when it is not what was sealed as this field of this escalation."""
        try:
            return self._sealing.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound_to(field))
        except InvalidTag:
            raise VaultError(f"the stored {field} of {self._subject} was altered or belongs elsewhere") from None

    def digest(self, content: bytes) -> str:
        """The keyed digest (HMAC-SHA256, hex) by which ledger and workflow name this content."""
        return hmac.new(self._digesting, content, hashlib.sha256).hexdigest()

    def _bound_to(self, field: str) -> bytes:
        return f"kt.vault.v1|{self._subject}|{field}".encode()


class Envelopes:
    """Makes and unwraps data keys."""

    def __init__(self, keyring: Keyring) -> None:
        self._keys = keyring.vault

    def index_digest(self, content: bytes) -> str:
        """A keyed digest by which equal contents of different escalations can find each other, as retries do."""
        return hmac.digest(self._indexing, content, "sha256").hex()

    @cached_property
    def _indexing(self) -> bytes:
        """Derived once: a keyring does not change while it is open, and every request asks."""
        return HKDFExpand(SHA256(), 32, b"kt.vault.index.v1").derive(self._keys.secret())

    def new_key(self, tenant: str, escalation_id: str) -> tuple[DataKey, WrappedKey]:
        subject = f"{tenant}/{escalation_id}"
        key, nonce = os.urandom(32), os.urandom(_NONCE)
        blob = nonce + AESGCM(self._keys.secret()).encrypt(nonce, key, subject.encode())
        return DataKey(key, subject), WrappedKey(self._keys.current, blob)

    def unwrap(self, tenant: str, escalation_id: str, wrapped: WrappedKey) -> DataKey:
        """Raises VaultError when the wrapped key was altered or belongs to another escalation."""
        subject = f"{tenant}/{escalation_id}"
        cipher = AESGCM(self._keys.secret(wrapped.key_id))
        try:
            key = cipher.decrypt(wrapped.blob[:_NONCE], wrapped.blob[_NONCE:], subject.encode())
        except InvalidTag:
            raise VaultError(f"the data key of {subject} was altered or belongs elsewhere") from None
        return DataKey(key, subject)
