"""`Generator` over an inference server of one's own: llama.cpp or anything that speaks OpenAI's completions.

Whether a server counts as one's own is policy's decision, made before this is built. Follows no redirect, takes no
proxy from the environment, reads a bounded reply, and never puts the server's words into an error.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.errors import EngineError, EngineUnavailable
from pointsman.gateway.dialects import Dialect, LlamaCpp, OpenAICompletions, OwnKind, Totals
from pointsman.gateway.infill import hole_of
from pointsman.models.base import EngineState, EngineStatus, Finish, FinishReason, GenerateRequest, Piece, Sampling
from pointsman.worker.prompt import fit_prompt, valid_unicode
from pointsman.worker.stops import StopFilter

if TYPE_CHECKING:
    import httpx2

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 300.0
"""Between two bytes: a long prompt on a slow machine sends none while it is evaluated."""
_MAX_EVENT = 1 << 20
_MAX_SMALL_REPLY = 16 << 20
"""A tokenised prompt; generations are bounded by their events."""


class OwnEndpoint:
    """Args:
    base_url: scheme, host, port and path prefix; for kind "openai" it ends in `/v1`.
    context: tokens of prompt and answer that the server takes. Prompts are cut to it on llama.cpp, which
        tokenises for us; None leaves that to the server.
    markers: texts of the model's own tokens, such as those around a hole; the last one that a cut would take stays.
    socket: Unix socket to connect to instead of the URL's host.
    key: bearer token, or "".
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        kind: OwnKind,
        model: str,
        context: int | None = None,
        markers: Container[str] = (),
        key: str = "",
        socket: Path | None = None,
    ) -> None:
        self.name = name
        self.model = model
        self.context = context
        self._markers = markers
        self._base_url = base_url.rstrip("/")
        self._llama = kind == "llama.cpp"
        self._dialect: Dialect = LlamaCpp() if self._llama else OpenAICompletions(model)
        self._key = key
        self._socket = socket
        self._client: httpx2.AsyncClient | None = None
        self._state = EngineState.STOPPED
        self._message = ""

    async def start(self) -> None:
        """Ask whether the server is there. Raises `EngineUnavailable` when it is not."""
        await self._small("GET", "/health" if self._llama else "/models", None)

    async def stop(self) -> None:
        client, self._client = self._client, None
        self._state, self._message = EngineState.STOPPED, ""
        if client is not None:
            await client.aclose()

    def status(self) -> EngineStatus:
        """As of the last exchange; a server of one's own is not watched in between."""
        return EngineStatus(name=self.name, model=self.model, state=self._state, message=self._message)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Piece | Finish, None]:
        text, sampling = valid_unicode(request.prompt), request.sampling
        hole = hole_of(text)
        if sampling.begin and not self._dialect.heals:
            # It is the end of the prompt, then, as it would be without healing.
            begin = valid_unicode(sampling.begin)
            text += begin
            hole = replace(hole, before=hole.before + begin) if hole else None
            yield Piece(text=sampling.begin, logprob=0.0, tokens=0)
        if hole:
            answer = self._stream(self._dialect.fill_path, self._dialect.fill(hole, sampling), sampling)
            async with aclosing(answer) as parts:
                async for part in parts:
                    yield part
            return
        prompt = await self.tokenise(text, sampling) if self._llama else text
        async with aclosing(self.stream(prompt, sampling)) as parts:
            async for part in parts:
                yield part

    async def tokenise(self, prompt: str, sampling: Sampling) -> list[int]:
        """`prompt` as tokens of the server's model, nothing added, cut to the context. llama.cpp only.

        Sending tokens instead of text keeps a server from adding a begin-of-text token of its own.
        """
        body = {"content": valid_unicode(prompt), "add_special": False, "parse_special": True}
        tokens = (await self._small("POST", "/tokenize", body)).get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(t, int) for t in tokens):
            raise EngineError(f"{self.name} answered in a way that is not understood")
        if self.context is None or fit_prompt(tokens, self.context, sampling.max_tokens) == tokens:
            return tokens
        # Only the tokens' texts say which of them are markers; a server too old to give them gives numbers again.
        named = (await self._small("POST", "/tokenize", body | {"with_pieces": True})).get("tokens")
        pieces = [one for one in named if isinstance(one, dict)] if isinstance(named, list) else []
        markers = [one.get("id", -1) for one in pieces if str(one.get("piece")).strip() in self._markers]
        return fit_prompt(tokens, self.context, sampling.max_tokens, markers)

    async def warm(self, tokens: Sequence[int], slot: int) -> Totals:
        """Evaluate a prompt into the slot's prefix cache without an answer. llama.cpp only."""
        body = self._dialect.body(tokens, Sampling(max_tokens=0), slot=slot) | {"stream": False, "n_probs": 0}
        totals = Totals()
        reply = await self._small("POST", "/completion", body)
        timings = reply.get("timings")
        if isinstance(timings, dict):
            totals.reused_tokens, totals.prefill_ms = int(timings.get("cache_n", 0)), float(timings.get("prompt_ms", 0))
        return totals

    async def stream(
        self,
        prompt: str | Sequence[int],
        sampling: Sampling,
        *,
        slot: int | None = None,
        seen: Callable[[Sequence[int]], None] = lambda ids: None,
    ) -> AsyncGenerator[Piece | Finish, None]:
        """Answer a prompt that is ready to send. `seen` gets the answer's token ids where the server gives them.

        Closing the stream closes the connection, which makes the server stop.
        """
        if not prompt:
            yield self._finish(Totals(), "length", time.perf_counter(), None)
            return
        body = self._dialect.body(prompt, sampling, slot=slot)
        async with aclosing(self._stream(self._dialect.path, body, sampling, seen)) as parts:
            async for part in parts:
                yield part

    async def _stream(
        self,
        path: str,
        body: dict[str, Any],
        sampling: Sampling,
        seen: Callable[[Sequence[int]], None] = lambda ids: None,
    ) -> AsyncGenerator[Piece | Finish, None]:
        started = time.perf_counter()
        first: float | None = None
        totals = Totals()
        stops = StopFilter(sampling.stop)
        logprob, tokens, received = 0.0, 0, 0
        async with self._open("POST", path, body) as response:
            async for data in self._events(response):
                event = self._dialect.read(data, totals)
                if event is None:
                    continue
                first = first or time.perf_counter()
                seen(event.ids)
                received += max(event.tokens, 1)
                if received > sampling.max_tokens + len(sampling.stop) + 8:
                    raise EngineError(f"{self.name} sent more than it was asked for")
                logprob, tokens = logprob + event.logprob, tokens + event.tokens
                if text := stops.feed(event.text):
                    yield Piece(text=text, logprob=logprob, tokens=tokens)
                    logprob, tokens = 0.0, 0
                if stops.stopped:
                    # A server that does not know this stop string would go on; leaving closes the connection.
                    break
        if totals.reason is None and not stops.stopped:
            raise EngineError(f"{self.name} broke off the answer")
        if rest := stops.flush():
            yield Piece(text=rest, logprob=logprob, tokens=tokens)
        totals.tokens = totals.tokens or received
        yield self._finish(totals, "stop" if stops.stopped else totals.reason or "stop", started, first)

    def _finish(self, totals: Totals, reason: FinishReason, started: float, first: float | None) -> Finish:
        ended = time.perf_counter()
        if not totals.prefill_ms and first is not None:
            # A server without timings: the wait for the first token is all that can be seen from here.
            totals.prefill_ms, totals.decode_ms = (first - started) * 1000, (ended - first) * 1000
        waited = (ended - started) * 1000 - totals.prefill_ms - totals.decode_ms
        return Finish(
            reason=reason,
            model=self.model,
            prompt_tokens=totals.prompt_tokens,
            reused_tokens=totals.reused_tokens,
            tokens=totals.tokens,
            queue_ms=max(0.0, waited),
            prefill_ms=totals.prefill_ms,
            decode_ms=totals.decode_ms,
        )

    async def _small(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """One whole reply of bounded size. Raises `EngineError`, or `EngineUnavailable` when nobody answers."""
        async with self._open(method, path, body) as response:
            data = bytearray()
            async for part in response.aiter_bytes():
                data += part
                if len(data) > _MAX_SMALL_REPLY:
                    raise EngineError(f"{self.name} answered in a way that is not understood")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise EngineError(f"{self.name} answered in a way that is not understood")
        return value

    @asynccontextmanager
    async def _open(self, method: str, path: str, body: dict[str, Any] | None) -> AsyncIterator[httpx2.Response]:
        import httpx2

        client = self._connect()
        try:
            async with client.stream(method, self._base_url + path, json=body) as response:
                self._check(response.status_code)
                self._state, self._message = EngineState.READY, ""
                yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise self._unavailable(f"{self.name} cannot be reached") from error
        except httpx2.TimeoutException as error:
            raise self._unavailable(f"{self.name} does not answer") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise EngineError(f"the connection to {self.name} broke off ({type(error).__name__})") from error

    def _connect(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2

            # Servers close idle connections after five seconds or more; one that closes under a request breaks it.
            # A Unix socket costs nothing to connect to anew.
            kept = httpx2.Limits(keepalive_expiry=2.0, max_keepalive_connections=0 if self._socket else 4)
            socket = str(self._socket) if self._socket else None
            transport = httpx2.AsyncHTTPTransport(uds=socket, trust_env=False, limits=kept)
            self._client = httpx2.AsyncClient(
                transport=transport,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            )
        return self._client

    def _check(self, status: int) -> None:
        if status == 200:
            return
        if status in (401, 403):
            raise self._unavailable(f"{self.name} does not accept the key")
        if status in (429, 503):
            raise self._unavailable(f"{self.name} is busy or still loading")
        if 300 <= status < 400:
            raise self._unavailable(f"{self.name} redirects elsewhere, which is not followed")
        if status == 501:
            raise EngineError(
                f"the model of {self.name} cannot do this (HTTP 501)",
                remedy='where it cannot fill in the middle, leave out fill = "server" in policy.toml',
            )
        raise EngineError(f"{self.name} refused the request (HTTP {status})")

    def _unavailable(self, message: str) -> EngineUnavailable:
        self._state, self._message = EngineState.FAILED, message
        return EngineUnavailable(message)

    async def _events(self, response: httpx2.Response) -> AsyncIterator[str]:
        """Data of each server-sent event, one line each, until `[DONE]` or the end."""
        buffer = b""
        async for part in response.aiter_bytes():
            buffer += part
            *lines, buffer = buffer.split(b"\n")
            if len(buffer) > _MAX_EVENT:
                raise EngineError(f"{self.name} sent more than it was asked for")
            for line in lines:
                if not line.startswith((b"data:", b"error:")):
                    continue
                data = line.partition(b":")[2].strip().decode("utf-8", "replace")
                if data == "[DONE]":
                    return
                if line.startswith(b"error:"):
                    raise EngineError(f"{self.name} reported an error")
                yield data
