"""Connections to one listed host and no other: its name is looked up once, and the address checked is the one used.

A name that a stranger's resolver turns to this machine, its link or its cloud's metadata is refused before a byte
leaves; so is one that leads into a private network, unless policy says that the endpoint is there. The certificate is
checked against the name, not the address. Nothing is taken from the environment: no proxy, no certificates, no key log.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Literal

import certifi
import httpcore2

from pointsman.policy import baseurl

Network = Literal["public", "private"]


class AddressRefused(Exception):
    """A name leads where it may not. The message names neither."""


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to `host` alone: the endpoint's, or its proxy's."""

    def __init__(self, host: str, port: int, network: Network) -> None:
        self._host, self._port, self._network = host.strip("[]"), port, network
        self._inner = httpcore2.AnyIOBackend()
        self.connected = False
        """Whether a connection was made, so that something may have left."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        if (host.strip("[]"), port) != (self._host, self._port):
            raise AddressRefused("a connection to another address was attempted and refused")
        *others, last = await self._addresses(timeout)
        for address in others:
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._connect(address, timeout, local_address, socket_options)
        return await self._connect(last, timeout, local_address, socket_options)

    async def _connect(
        self,
        address: str,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(address, self._port, timeout, local_address, socket_options)
        self.connected = True
        return stream

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise AddressRefused("a connection to another address was attempted and refused")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _addresses(self, timeout: float | None) -> list[str]:
        """Where the name leads, looked up once; all must be allowed, so that no order of theirs can choose another."""
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(self._host))]  # Written in the policy: nothing to be turned elsewhere.
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("the name was not found in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the name is not known") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        loops_back = baseurl.loopback(self._host)
        if not addresses or not all(allowed(address, self._network, loops_back=loops_back) for address in addresses):
            raise AddressRefused("the endpoint's name leads to an address that is not allowed")
        return addresses


def allowed(address: str, network: Network, *, loops_back: bool = False) -> bool:
    """Whether a name may lead to `address`. `loops_back`: policy itself names this machine."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if loops_back or found.is_loopback:
        return loops_back and found.is_loopback
    if found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved:
        return False
    return found.is_global or (network == "private" and found.is_private)


def tls(ca_file: str | None) -> ssl.SSLContext:
    """Checks names and certificates, against `ca_file` or the list that came with this program. Raises `OSError`.

    Built by hand: Python's default context takes certificates and a file for session keys from the environment.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=ca_file or certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
