"""Fetching what settings name by its address, on the machine of whoever applies them: small, once, from where it says.

No redirect is followed: whoever answers with another address does not choose what this machine asks.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
_HERE = ("127.0.0.1", "::1", "localhost")


def fetch(url: str, largest: int) -> bytes:
    """What stands there. Raises ValueError, in words that follow the address."""
    import httpx

    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is not an address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise ValueError("is not fetched: write an address that begins with https://")
    until, found = time.monotonic() + TIMEOUT_S, bytearray()
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT_S, follow_redirects=False) as answer:
            if answer.is_redirect:
                raise ValueError("has moved; write the address that it has now")
            if answer.status_code != 200:
                raise ValueError(f"cannot be fetched: the answer is {answer.status_code}")
            for chunk in answer.iter_bytes():
                found += chunk
                if len(found) > largest:
                    raise ValueError(f"is larger than {largest // 1024} KiB; leave out turns that are over")
                if time.monotonic() > until:
                    raise ValueError(f"takes longer than {TIMEOUT_S:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise ValueError(f"cannot be fetched: {type(fault).__name__}") from None
    return bytes(found)
