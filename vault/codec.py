"""What Temporal stores is ciphertext: AES-256-GCM over every payload, with the key's id beside it.

Failure messages and stack traces go the same way (encoded attributes). A payload that was not encrypted, as an
operator's `temporal workflow signal` sends it, passes through as it is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
)

from vault.envelopes import VaultError
from vault.keyring import Keyring, KeySet

ENCODING = b"binary/encrypted"
_KEY_ID = "encryption-key-id"
_BOUND_TO = b"kt.codec.v1"
_NONCE = 12


class EncryptionCodec(PayloadCodec):
    """Encodes with the current codec key, decodes with any that the keyring still holds."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys
        self._ciphers = {key_id: AESGCM(keys.secret(key_id)) for key_id in keys.keys}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises VaultError for a payload under an unknown key, or one that was altered."""
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._keys.current].encrypt(nonce, payload.SerializeToString(), _BOUND_TO)
        return Payload(metadata={"encoding": ENCODING, _KEY_ID: self._keys.current.encode()}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        cipher = self._ciphers.get(payload.metadata.get(_KEY_ID, b"").decode(errors="replace"))
        if cipher is None:
            raise VaultError("a Temporal payload was written under a codec key that this keyring does not hold")
        try:
            return Payload.FromString(cipher.decrypt(payload.data[:_NONCE], payload.data[_NONCE:], _BOUND_TO))
        except InvalidTag:
            raise VaultError("a Temporal payload was altered") from None


_json = PydanticJSONPlainPayloadConverter()


class SharedPayloadConverter(CompositePayloadConverter):
    """Pydantic's conversion, with one set of type adapters for the process.

    Temporal makes a converter for every workflow it loads; with adapters of their own, building them anew was a third
    of what a worker does.
    """

    def __init__(self) -> None:
        usual = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(_json if isinstance(one, JSONPlainPayloadConverter) else one for one in usual))


def data_converter(keyring: Keyring) -> DataConverter:
    """How every process of an installation writes and reads what it gives to Temporal."""
    return DataConverter(
        payload_converter_class=SharedPayloadConverter,
        payload_codec=EncryptionCodec(keyring.codec),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
