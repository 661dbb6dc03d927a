"""What can be wrong with an answer as it comes over the wire, and decompressing one within the largest size."""

from __future__ import annotations

import zlib

LARGEST_ANSWER = 16 * 1024 * 1024


class WireError(Exception):
    """No answer that can be used."""


class NotConnected(WireError):
    """No connection came to be, so nothing was asked."""


class TooLarge(WireError):
    """The answer is larger than LARGEST_ANSWER."""


def inflated(encoding: str, body: bytes) -> bytes:
    """The body as it was before it was compressed. Raises WireError."""
    if encoding in ("gzip", "x-gzip"):
        window = 31
    elif encoding == "deflate":
        window = 15 if body and body[0] & 15 == 8 else -15
    else:
        raise WireError("an encoding that was not asked for")
    whole = b""
    try:
        while body:
            inflating = zlib.decompressobj(window)
            whole += inflating.decompress(body, LARGEST_ANSWER + 1 - len(whole))
            if len(whole) > LARGEST_ANSWER:
                raise TooLarge
            if not inflating.eof:
                raise WireError("cut off")
            body = inflating.unused_data
    except zlib.error:
        raise WireError("what is compressed cannot be read") from None
    return whole
