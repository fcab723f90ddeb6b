"""Sends one recorded body to one listed endpoint: the only importer of `openai`, with it of `httpx2`, besides `own`.

The client's transport lets a single request through, and only one that is byte for byte the recorded one and goes to
the listed address with the listed key. Whatever the library, its environment variables or the reply would have it do
besides (another base URL, a proxy, a redirect, a retry, extra headers) ends here. Knows nothing of policy or audit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import httpx2
import openai

from pointsman import __version__
from pointsman.errors import GatewayError
from pointsman.gateway import chatapi
from pointsman.gateway.keys import Key
from pointsman.policy import baseurl

Cost = Literal["nothing", "request", "bound"]


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
    """

    def __init__(self, message: str, *, status: str, cost: Cost) -> None:
        super().__init__(message)
        self.status = status
        self.cost = cost


class _Refused(httpx2.TransportError):
    """The transport would not carry a request, or gave up its reply. The message holds no content."""


async def ask(name: str, base_url: str, key: Key, body: bytes, caps: Caps | None = None) -> chatapi.Answer:
    """POST `body` to the chat-completions API below `base_url` and read the answer.

    Raises `EndpointFailure`; its message holds the endpoint's name and nothing that came from there.
    """
    caps = caps or Caps()
    transport = _Once(baseurl.parse(base_url).url(chatapi.PATH), body, key, caps)
    timeout = httpx2.Timeout(caps.idle, connect=caps.connect)
    try:
        async with (
            asyncio.timeout(caps.total),
            httpx2.AsyncClient(
                transport=transport, trust_env=False, follow_redirects=False, timeout=timeout
            ) as http_client,
        ):
            client = openai.AsyncOpenAI(
                api_key=key.reveal(), base_url=base_url, max_retries=0, timeout=timeout, http_client=http_client
            )
            response = await client.post(
                chatapi.PATH,
                cast_to=httpx2.Response,
                content=body,
                options={"headers": {"Content-Type": "application/json"}},
            )
            return chatapi.answer(response.content)
    except openai.APIStatusError as error:
        raise _turned_down(name, error.status_code) from None
    except (openai.APITimeoutError, TimeoutError):
        raise EndpointFailure(
            f"{name} did not answer in time", status="timeout", cost="bound" if transport.left else "nothing"
        ) from None
    except (openai.OpenAIError, httpx2.HTTPError) as error:
        why = transport.why or f"the connection to {name} failed ({type(error.__cause__ or error).__name__})"
        raise EndpointFailure(why, status="broken off", cost="bound" if transport.left else "nothing") from None
    except ValueError as error:
        raise EndpointFailure(f"the answer of {name} {error}", status="unusable answer", cost="bound") from None


def _turned_down(name: str, status: int) -> EndpointFailure:
    if 300 <= status < 400:
        return EndpointFailure(
            f"{name} answered with a redirect, which is not followed", status=f"HTTP {status}", cost="bound"
        )
    cost: Cost = "request" if 400 <= status < 500 else "bound"
    return EndpointFailure(f"{name} answered HTTP {status}", status=f"HTTP {status}", cost=cost)


class _Once(httpx2.AsyncBaseTransport):
    """Carries the one request that was recorded, from scratch: only its address, key and body come from the caller."""

    def __init__(self, url: str, body: bytes, key: Key, caps: Caps) -> None:
        self.left = False
        """Whether a byte may have left."""
        self.why = ""
        """Why a request or its reply was refused here."""
        self._url, self._body, self._caps = httpx2.URL(url), body, caps
        self._authorization = f"Bearer {key.reveal()}"
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False, retries=0)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.left:
            raise self._refused("a second request was attempted and refused")
        same = (
            request.method == "POST"
            and request.url == self._url
            and await request.aread() == self._body
            and request.headers.get("Authorization") == self._authorization
        )
        if not same:
            raise self._refused("the request differs from the one on record, so nothing was sent")
        self.left = True
        try:
            response = await self._inner.handle_async_request(self._rebuilt(request))
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            self.left = False
            raise
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise self._refused("the answer is compressed though that was not accepted")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Capped(response.stream, self),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _rebuilt(self, request: httpx2.Request) -> httpx2.Request:
        headers = {
            "Host": self._url.netloc.decode("ascii"),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": self._authorization,
            "Connection": "close",
            "Content-Type": "application/json",
            "User-Agent": f"pointsman/{__version__}",
        }
        timeout = request.extensions["timeout"]
        return httpx2.Request("POST", self._url, headers=headers, content=self._body, extensions={"timeout": timeout})

    def _refused(self, why: str) -> _Refused:
        self.why = why
        return _Refused(why)

    def too_long(self) -> _Refused:
        return self._refused(f"the answer is longer than {self._caps.reply_bytes} bytes")

    @property
    def reply_bytes(self) -> int:
        return self._caps.reply_bytes


class _Capped(httpx2.AsyncByteStream):
    """A reply that ends with an error when it grows too long."""

    def __init__(self, stream: httpx2.AsyncByteStream, transport: _Once) -> None:
        self._stream, self._transport = stream, transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for chunk in self._stream:
            total += len(chunk)
            if total > self._transport.reply_bytes:
                raise self._transport.too_long()
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
