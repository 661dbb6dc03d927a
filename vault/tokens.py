"""Bearer tokens: `kt_<kind>_<43 random base-62 digits><6 of a CRC-32>`. Only their SHA-256 is ever stored.

The checksum tells a mistyped or invented token apart without a look at the store, and lets secret scanners find
leaked ones without false alarms.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from typing import Literal

Kind = Literal["user", "gateway", "session"]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"kt_(user|gateway|session)_([0-9A-Za-z]{43})([0-9A-Za-z]{6})\Z")


def new_token(kind: Kind) -> str:
    """A fresh token with 256 random bits."""
    body = _base62(secrets.randbits(256), 43)
    return f"kt_{kind}_{body}{_checksum(kind, body)}"


def well_formed(token: str) -> bool:
    """Whether this could be one of ours; costs no look-up."""
    found = _FORM.match(token)
    return found is not None and secrets.compare_digest(found[3], _checksum(found[1], found[2]))


def token_hash(token: str) -> str:
    """What the store keeps of a token. It is random enough that a plain hash cannot be reversed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(kind: str, body: str) -> str:
    return _base62(zlib.crc32(f"{kind}_{body}".encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
