"""Sends one recorded body to one listed endpoint and reads what comes back, whole or as a stream.

Below any HTTP client: one request is written on one connection, and nothing here can follow a redirect, send again,
add a header or take a proxy from the environment. With `own` and `network`, the only importer of an HTTP library
besides the models' `download`. Knows nothing of policy's layers, quota or audit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

import httpcore2

from pointsman import __version__
from pointsman.errors import GatewayError
from pointsman.gateway.apis import APIS, Answer, Streamed
from pointsman.gateway.events import events
from pointsman.gateway.keys import Key
from pointsman.gateway.network import AddressRefused, PinnedBackend, tls
from pointsman.policy import baseurl
from pointsman.policy.schema import Endpoint

Cost = Literal["nothing", "request", "bound"]
_PASSING = frozenset({429, 502, 503, 504, 529})
"""States that a moment later may be over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Seconds and bytes after which a reply is given up."""

    connect: float = 10.0
    idle: float = 60.0
    total: float = 300.0
    reply_bytes: int = 10 * 2**20


class EndpointFailure(GatewayError):
    """The endpoint gave no usable answer.

    Args:
        status: a few words for the audit record.
        cost: what the request may have cost: nothing left the machine; it was turned down; or anything up to the bound.
        passing, wait: as `GatewayError` has them.
    """

    def __init__(self, message: str, *, status: str, cost: Cost, passing: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.cost = cost
        self.passing = passing
        self.wait = wait

    @property
    def outage(self) -> bool:
        """Whether the endpoint is at fault, rather than the request."""
        return self.passing or self.status in ("timeout", "broken off") or self.status.startswith("HTTP 5")


@dataclass(slots=True)
class Exchange:
    """One request to one endpoint. `body` is what the audit record holds the hash of."""

    endpoint: Endpoint
    key: Key
    body: bytes = field(repr=False)
    caps: Caps = field(default_factory=Caps)

    async def run(self) -> AsyncGenerator[str | Answer, None]:
        """Pieces of text as they come, if the body asked for a stream, and the whole answer last.

        Raises `EndpointFailure`; its message holds the endpoint's name and nothing that came from there.
        """
        name, way = self.endpoint.name, self._way()
        try:
            async with asyncio.timeout(self.caps.total), await self._pool(way) as pool:
                response = await pool.handle_async_request(self._request())
                try:
                    self._check(response)
                    async with aclosing(self._answer(response)) as parts:
                        async for part in parts:
                            yield part
                finally:
                    await response.aclose()
        except AddressRefused as refusal:
            raise EndpointFailure(f"{name}: {refusal}", status="address refused", cost="nothing") from None
        except (httpcore2.TimeoutException, TimeoutError) as error:
            # Passes only when nothing left: what was sent may be in the works, and would be paid twice.
            cost = _cost(error, way)
            raise EndpointFailure(
                f"{name} did not answer in time", status="timeout", cost=cost, passing=cost == "nothing"
            ) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError) as error:
            raise EndpointFailure(
                f"the connection to {name} failed ({type(error).__name__})",
                status="broken off",
                cost=_cost(error, way),
                passing=not way.connected,
            ) from None
        except OSError as error:
            raise EndpointFailure(
                f"the certificates for {name} cannot be read ({type(error).__name__})",
                status="no certificates",
                cost="nothing",
            ) from None
        except ValueError as error:
            raise EndpointFailure(f"the answer of {name} {error}", status="unusable answer", cost="bound") from None

    def _way(self) -> PinnedBackend:
        """The connection, to the endpoint or to the proxy that policy names for it."""
        address = baseurl.parse(self.endpoint.proxy or self.endpoint.base_url, proxy=self.endpoint.proxy is not None)
        # A proxy is policy's own choice and stands in one's own network as a rule.
        return PinnedBackend(
            address.host, address.port, "private" if self.endpoint.proxy is not None else self.endpoint.network
        )

    async def _pool(self, way: PinnedBackend) -> httpcore2.AsyncConnectionPool:
        proxy, certificates = self.endpoint.proxy, self.endpoint.ca_file
        if proxy is not None and not self.endpoint.base_url.startswith("https:"):
            raise AddressRefused("only https goes through a proxy")
        context = await asyncio.to_thread(tls, certificates)  # Reads a long list of certificates.
        through = None
        if proxy is not None:
            through = httpcore2.Proxy(proxy, ssl_context=context if proxy.startswith("https:") else None)
        return httpcore2.AsyncConnectionPool(
            ssl_context=context,
            proxy=through,
            max_connections=1,
            max_keepalive_connections=0,
            http2=False,
            retries=0,
            network_backend=way,
        )

    def _request(self) -> httpcore2.Request:
        address = baseurl.parse(self.endpoint.base_url)
        url = httpcore2.URL(address.url(APIS[self.endpoint.api].path))
        headers: dict[bytes | str, bytes | str] = {
            "Host": address.netloc,
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {self.key.reveal()}",
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            "User-Agent": f"pointsman/{__version__}",
        }
        caps = self.caps
        timeout = {"connect": caps.connect, "read": caps.idle, "write": caps.idle, "pool": caps.connect}
        return httpcore2.Request("POST", url, headers=headers, content=self.body, extensions={"timeout": timeout})

    def _check(self, response: httpcore2.Response) -> None:
        name, status = self.endpoint.name, response.status
        if 300 <= status < 400:
            raise EndpointFailure(
                f"{name} answered with a redirect, which is not followed", status=f"HTTP {status}", cost="bound"
            )
        if not 200 <= status < 300:
            raise EndpointFailure(
                f"{name} answered HTTP {status}",
                status=f"HTTP {status}",
                cost="request" if 400 <= status < 500 else "bound",
                passing=status in _PASSING,
                wait=_seconds(_header(response, b"retry-after")),
            )
        if _header(response, b"content-encoding") not in ("", "identity"):
            raise ValueError("is compressed though that was not accepted")

    async def _answer(self, response: httpcore2.Response) -> AsyncGenerator[str | Answer, None]:
        api = APIS[self.endpoint.api]
        content = self._capped(response)
        if not _header(response, b"content-type").startswith("text/event-stream"):
            yield api.answer(b"".join([part async for part in content]))
            return
        so_far, text = Streamed(), []
        async for data in events(content):
            if part := api.event(data, so_far).encode("utf-8", "replace").decode("utf-8"):
                text.append(part)
                yield part
        yield api.streamed("".join(text), so_far)

    async def _capped(self, response: httpcore2.Response) -> AsyncIterator[bytes]:
        total = 0
        async for chunk in response.aiter_stream():
            total += len(chunk)
            if total > self.caps.reply_bytes:
                raise ValueError(f"is longer than {self.caps.reply_bytes} bytes")
            yield chunk


def _cost(error: Exception, way: PinnedBackend) -> Cost:
    """The body leaves only over a connection that is made, through the proxy and TLS where there are any."""
    unmade = isinstance(error, (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.ProxyError))
    return "nothing" if unmade or not way.connected else "bound"


def _header(response: httpcore2.Response, name: bytes) -> str:
    return next((value.decode("latin-1").lower() for key, value in response.headers if key.lower() == name), "")


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0.0
