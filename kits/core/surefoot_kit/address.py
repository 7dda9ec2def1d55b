"""Where a kit may connect: a job's addresses come from whoever could reach the worker."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from .failure import KitError

TRUSTED = "SUREFOOT_KIT_TRUSTED_ORIGINS"
"""Environment: origins that may be private, such as `http://10.0.0.2:8787`, with commas between them."""

# What Python does not count as private, or not in every version: Oracle's metadata, Azure's, 6to4, site-local, IPv4-compatible.
_NOT_PUBLIC = [
    ipaddress.ip_network(each) for each in ("192.0.0.0/24", "168.63.129.16/32", "2002::/16", "fec0::/10", "::/96")
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressError(Exception):
    """A text that is no address of the web. Its words hold nothing of that text, which may be signed."""


class UntrustedAddress(KitError):
    """An address within the worker's own network that nobody has allowed. Trying again does not help."""

    def __init__(self, origin: str) -> None:
        words = (
            f"The job leads to {origin} and that is no public address. If that is your gateway or its storage,"
            f" name it in {TRUSTED} of the worker."
        )
        super().__init__("deployment_missing", words)


@dataclass(frozen=True)
class Place:
    """An http(s) URL, taken apart."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""
    origin: str
    """`scheme://host[:port]`, fit to be shown."""


def parse_url(url: str) -> Place:
    """Takes a URL apart. Fails with `AddressError`, also for characters that a URL holds only when they are escaped."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise AddressError("the address has characters that no URL may have")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError("the address has no valid host or port") from error
    host = parts.hostname
    if parts.scheme not in ("http", "https") or host is None or not re.fullmatch(r"[\w.:%-]+", host):
        raise AddressError("this is no http or https address")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    usual = 443 if parts.scheme == "https" else 80
    return Place(parts.scheme, host, usual if port is None else port, target, _origin(parts, host, port, usual))


def _origin(parts: SplitResult, host: str, port: int | None, usual: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, usual) else f":{port}")


def resolve(place: Place, guarded: bool) -> list[str]:
    """
    The IP addresses of a place, to connect to these and no others. `guarded`: all of them must be public, or the origin be
    named in `SUREFOOT_KIT_TRUSTED_ORIGINS`. Fails with `UntrustedAddress`, or `OSError` where there is no such host.
    """
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise AddressError("the address has no valid host") from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if guarded and place.origin not in _trusted() and not all(is_public(each) for each in addresses):
        raise UntrustedAddress(place.origin)
    return addresses


def is_public(text: str) -> bool:
    """Whether an IP address is one of the internet's: not private, loopback, link-local, metadata, multicast or reserved."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)))
    return address.is_global and not address.is_multicast and not any(address in each for each in _NOT_PUBLIC)


def _trusted() -> set[str]:
    """Fails with `deployment_missing` for what is no origin: a typing error must not look like a gateway that is refused."""
    trusted = set()
    for each in filter(None, (part.strip() for part in os.environ.get(TRUSTED, "").split(","))):
        try:
            trusted.add(parse_url(each).origin)
        except AddressError as error:
            raise KitError("deployment_missing", f"{TRUSTED} of the worker holds what is no origin: {error}.") from error
    return trusted
