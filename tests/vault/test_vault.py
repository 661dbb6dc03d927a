"""Keys, envelopes, the codec, signatures and tokens."""

from __future__ import annotations

import json
import multiprocessing
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from vault.codec import EncryptionCodec, data_converter
from vault.envelopes import Envelopes, VaultError, WrappedKey
from vault.keyring import PURPOSES, Keyring, KeyringError, ensure_keyring, load_keyring
from vault.signatures import Signer, Verifier
from vault.tokens import new_token, token_hash, well_formed


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return ensure_keyring(tmp_path / "keyring.json")


def test_a_keyring_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keyring.json"
    made = ensure_keyring(path)
    assert ensure_keyring(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len({json.dumps(getattr(made, purpose).keys, sort_keys=True) for purpose in PURPOSES}) == len(PURPOSES)


def _ensure(path: str) -> str:
    return ensure_keyring(Path(path)).vault.current


def test_two_processes_that_want_it_at_once_get_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_ensure, [str(tmp_path / "keyring.json")] * 8))) == 1


def test_one_of_an_earlier_release_gets_the_keys_that_it_lacks_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    made = ensure_keyring(path)
    path.write_text(
        json.dumps({name: keys for name, keys in json.loads(path.read_text()).items() if name != "pseudonyms"})
    )
    with pytest.raises(KeyringError, match="no key for pseudonyms; add it with `kt admin init`"):
        load_keyring(path)
    completed = ensure_keyring(path)
    assert (completed.vault, completed.commands) == (made.vault, made.commands)
    assert completed.pseudonyms != made.pseudonyms
    assert load_keyring(path) == completed


def test_nobody_else_makes_one(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="kt admin init"):
        load_keyring(tmp_path / "keyring.json")


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    ensure_keyring(tmp_path / "keyring.json")
    (tmp_path / "keyring.json").chmod(0o644)
    with pytest.raises(KeyringError, match="chmod 600"):
        load_keyring(tmp_path / "keyring.json")


def test_one_that_is_broken_is_refused_without_being_quoted(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.touch(0o600)
    path.write_text('{"vault": "c2VjcmV0"')
    with pytest.raises(KeyringError, match="not a keyring") as fault:
        load_keyring(path)
    assert "c2VjcmV0" not in str(fault.value)


def test_keys_are_not_in_its_repr(keyring: Keyring) -> None:
    for purpose in PURPOSES:
        keys = getattr(keyring, purpose)
        secret = keys.keys[keys.current]
        assert (secret if isinstance(secret, str) else secret["private"]) not in repr(keyring)


@given(st.binary(max_size=200), st.sampled_from(["answer", "request"]))
def test_what_is_sealed_opens_again_under_the_unwrapped_key(content: bytes, field: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        envelopes = Envelopes(ensure_keyring(Path(directory) / "k.json"))
        key, wrapped = envelopes.new_key("default", "esc_1")
        again = envelopes.unwrap("default", "esc_1", wrapped)
        assert again.open(field, key.seal(field, content)) == content
        assert again.digest(content) == key.digest(content)


def test_content_is_bound_to_its_field_and_its_escalation(keyring: Keyring) -> None:
    envelopes = Envelopes(keyring)
    key, wrapped = envelopes.new_key("default", "esc_1")
    sealed = key.seal("answer", b"x")
    with pytest.raises(VaultError):
        key.open("request", sealed)
    with pytest.raises(VaultError):
        envelopes.unwrap("default", "esc_2", wrapped)
    with pytest.raises(VaultError):
        envelopes.unwrap("elsewhere", "esc_1", wrapped)
    with pytest.raises(VaultError):
        key.open("answer", sealed[:-1] + bytes([sealed[-1] ^ 1]))


def test_equal_content_of_two_escalations_has_two_digests(keyring: Keyring) -> None:
    envelopes = Envelopes(keyring)
    first, second = (envelopes.new_key("default", name)[0] for name in ("esc_1", "esc_2"))
    assert first.digest(b"yes") != second.digest(b"yes")
    assert envelopes.index_digest(b"yes") == Envelopes(keyring).index_digest(b"yes")


def test_a_key_that_the_ring_does_not_hold_is_a_clear_error(keyring: Keyring) -> None:
    with pytest.raises(KeyringError, match="restore the keyring"):
        Envelopes(keyring).unwrap("default", "esc_1", WrappedKey("vault-old", b"x" * 60))


async def test_payloads_for_temporal_are_ciphertext_and_come_back(keyring: Keyring) -> None:
    codec = EncryptionCodec(keyring.codec)
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"secret words"')
    [encoded] = await codec.encode([plain])
    assert b"secret" not in encoded.SerializeToString()
    assert await codec.decode([encoded]) == [plain]


async def test_an_unencrypted_payload_passes_through_as_an_operators_signal_does(keyring: Keyring) -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"ana"')
    assert await EncryptionCodec(keyring.codec).decode([plain]) == [plain]


async def test_payloads_under_an_older_key_still_decode_and_altered_ones_do_not(tmp_path: Path) -> None:
    old, new = ensure_keyring(tmp_path / "a.json").codec, ensure_keyring(tmp_path / "b.json").codec
    [encoded] = await EncryptionCodec(old).encode([Payload(data=b"x")])
    rotated = replace(new, keys={**old.keys, **new.keys})
    assert (await EncryptionCodec(rotated).decode([encoded]))[0].data == b"x"
    with pytest.raises(VaultError, match="does not hold"):
        await EncryptionCodec(new).decode([encoded])
    with pytest.raises(VaultError, match="altered"):
        await EncryptionCodec(old).decode([Payload(metadata=encoded.metadata, data=encoded.data[:-1] + b"!")])


async def test_failure_messages_are_encrypted_too(keyring: Keyring) -> None:
    from temporalio.api.failure.v1 import Failure

    failure = Failure()
    await data_converter(keyring).encode_failure(ValueError("secret words"), failure)
    assert b"secret" not in failure.SerializeToString()


def test_a_signature_is_of_one_message_by_one_key(keyring: Keyring, tmp_path: Path) -> None:
    signer, verifier = Signer(keyring), Verifier(keyring)
    signature = signer.sign(b"claim")
    assert verifier.verifies(signer.key_id, b"claim", signature)
    assert not verifier.verifies(signer.key_id, b"resolve", signature)
    assert not verifier.verifies("other", b"claim", signature)
    assert not verifier.verifies(signer.key_id, b"claim", "not base64!")
    stranger = ensure_keyring(tmp_path / "other.json")
    assert not Verifier(stranger).verifies(signer.key_id, b"claim", signature)


def test_a_worker_may_hold_only_the_public_half(keyring: Keyring) -> None:
    commands = keyring.commands
    public = {key_id: {"public": key["public"]} for key_id, key in commands.keys.items()}
    half = replace(keyring, commands=replace(commands, keys=public))
    assert Verifier(half).verifies(commands.current, b"claim", Signer(keyring).sign(b"claim"))
    with pytest.raises(KeyringError, match="cannot sign"):
        Signer(half)


def test_tokens_are_recognised_by_their_checksum_without_a_look_up() -> None:
    token = new_token("user")
    assert well_formed(token)
    assert token.startswith("kt_user_")
    flipped = token[:20] + ("a" if token[20] != "a" else "b") + token[21:]
    for wrong in (flipped, token[:-1], token + "x", "kt_user_x", "sk-123", "", token.replace("user", "gateway")):
        assert not well_formed(wrong)
    assert len({token_hash(new_token("gateway")) for _ in range(50)}) == 50
