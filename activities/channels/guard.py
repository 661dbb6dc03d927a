"""Where a webhook may go: to public addresses only, looked up once and held on to for the request.

A URL in the settings must not make the worker speak to what only the worker can reach (SSRF). The name is resolved one
time, every address that it has must be public, and the connection goes to one of these, so that a name that answers
differently a moment later gains nothing. `KT_ALLOW_PRIVATE_WEBHOOKS=1` lets receivers stand in one's own network.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

ALLOW_PRIVATE = "KT_ALLOW_PRIVATE_WEBHOOKS"
_NAT64 = IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Refused(Exception):
    """The receiver's address is not one that webhooks may go to. The message names neither the URL nor the address."""


class Unresolved(Exception):
    """The receiver's name has no address at the moment."""


@dataclass(frozen=True, slots=True)
class Target:
    """One address to connect to, with what makes the request look as if it went to the name."""

    url: httpx.URL
    host: str
    name: str

    @property
    def extensions(self) -> dict[str, str]:
        """The certificate is checked against the name, not against the address."""
        return {"sni_hostname": self.name} if self.url.scheme == "https" else {}


_looking_up = ThreadPoolExecutor(32, thread_name_prefix="look-up")
"""Threads of their own: a name whose servers do not answer would hold up whatever else the process looks up."""


async def resolve(host: str, port: int) -> list[str]:
    asked = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_looking_up, asked)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


async def targets(url: str, environment: Mapping[str, str], look_up: Resolve = resolve) -> list[Target]:
    """Where to connect to, in the order of the name service. Raises Refused or Unresolved."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise Refused("the receiver's URL is not one") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 80) > 65535:
        raise Refused("the receiver's URL is not one")
    name = parsed.raw_host.decode("ascii")
    try:
        addresses = await look_up(name, parsed.port or (443 if parsed.scheme == "https" else 80))
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        raise Unresolved("the receiver's name could not be resolved")
    if environment.get(ALLOW_PRIVATE) != "1" and not all(is_public(address) for address in addresses):
        raise Refused(f"the receiver has no public address; {ALLOW_PRIVATE}=1 allows receivers in one's own network")
    host = parsed.netloc.decode("ascii").rpartition("@")[2]
    return [Target(parsed.copy_with(host=address.partition("%")[0]), host, name) for address in addresses]


def is_public(address: str) -> bool:
    """Whether everybody can reach this address; one that carries another in it is judged by that."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        carried = _carried(ip)
        if carried is not None:
            return is_public(str(carried))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if ip.teredo is not None:
        return ip.teredo[1]
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
