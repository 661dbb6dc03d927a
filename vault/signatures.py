"""Who asked: Ed25519 signatures by the API over what it asks of a workflow.

A Temporal payload proves nobody's identity; anybody who reaches the server can send one. The API signs each command
with a key that only it holds, and the worker checks it with the public half.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature

from vault.keyring import Keyring

_DOMAIN = b"kt.command.v1\0"


class Signer:
    """Signs for this process. Raises KeyringError when the keyring holds no private command key."""

    def __init__(self, keyring: Keyring) -> None:
        self._key = keyring.commands.private()
        self.key_id = keyring.commands.current

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self._key.sign(_DOMAIN + message)).decode()


class Verifier:
    """Checks signatures by any key that the keyring knows."""

    def __init__(self, keyring: Keyring) -> None:
        self._keys = keyring.commands

    def verifies(self, key_id: str, message: bytes, signature: str) -> bool:
        key = self._keys.public(key_id)
        if key is None:
            return False
        try:
            key.verify(base64.b64decode(signature, validate=True), _DOMAIN + message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True
