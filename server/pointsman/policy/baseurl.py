"""The address of an endpoint: one strict form, so that two spellings never mean two places.

Knows the syntax only: it resolves no name and opens no socket. Rather refuses an unusual URL than guesses what an
HTTP client would make of it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import re2

_FORM = re2.compile(r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?((?:/[A-Za-z0-9_~.-]+)*)/?")
_LABEL = re2.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC = re2.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Scheme, host, port and path prefix, each in its only allowed spelling."""

    scheme: str
    host: str
    """As in the URL: an IPv6 address keeps its brackets."""
    port: int
    path: str
    """"" or "/segment…", without a slash at the end."""

    @property
    def netloc(self) -> str:
        """Host and port; the scheme's own port is left out."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def url(self, tail: str = "") -> str:
        """The canonical URL of `tail`, which starts with a slash or is ""."""
        return f"{self.scheme}://{self.netloc}{self.path}{tail}"


def parse(text: str, *, proxy: bool = False) -> BaseUrl:
    """Read a base URL, or a proxy's: that has no path, and may be plain http, since only TLS passes through it.

    Raises `ValueError` that does not repeat the text: it may hold a password.
    """
    if "@" in text:
        raise ValueError("must not hold a user name or password")
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("must be http(s)://host[:port][/path], in lower-case ASCII, without query or fragment")
    scheme, host, port, path = match.groups()
    if any(segment in (".", "..") for segment in (path or "").split("/")):
        raise ValueError("must not hold . or .. in its path")
    _check_host(host)
    number = int(port) if port else _PORTS[scheme]
    if number > 65535:
        raise ValueError("has a port above 65535")
    if proxy and (path or not port):
        raise ValueError("must be a proxy's: scheme, host and port alone")
    if scheme == "http" and not proxy and not loopback(host):
        raise ValueError("must be https, except on the loopback interface")
    return BaseUrl(scheme, host, number, path or "")


def _check_host(host: str) -> None:
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("has a malformed IPv6 address") from None
        if address.ipv4_mapped is not None or address.compressed != host[1:-1]:
            raise ValueError("must spell its IPv6 address in the short form, and none that maps IPv4")
        return
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise ValueError("has a malformed host name")
    if any(label.startswith("xn--") for label in labels):
        raise ValueError("must not use an internationalised host name")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("must spell its IPv4 address as four decimal numbers") from None


def loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
