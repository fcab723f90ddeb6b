"""The parent's end of the llama.cpp child: a `Generator` that starts it, stops it and keeps typing ahead of chat.

llama.cpp evaluates a prompt to its end whatever happens to the connection, and serves its slots alike. So prompts are
fed in slices: a cancelled request costs one slice at most, and chat waits between slices while someone types.
Typing has a slot of its own, so that chat does not push its prefix out of the cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from pointsman.errors import EngineError, EngineUnavailable, ModelMissing
from pointsman.gateway.own import OwnEndpoint
from pointsman.models.base import EngineStatus, Finish, GenerateRequest, Piece, Priority
from pointsman.models.card import Card
from pointsman.worker import messages as m
from pointsman.worker.pipe import Pipe
from pointsman.worker.prompt import common_prefix
from pointsman.worker.slices import Slices
from pointsman.worker.supervise import Patience, Supervisor, spawn

_SOCKET = "l.sock"
"""llama.cpp takes a host name for a Unix socket only when it ends in .sock."""
_LONGEST_SOCKET = 100
"""Bytes that every platform takes as a socket's path."""


@dataclass(slots=True)
class _Slot:
    number: int
    tokens: list[int] = field(default_factory=list)
    """What its prefix cache holds, as far as this end knows. Only where slices begin hangs on it."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class LlamaGenerator:
    """`Generator` of one GGUF file.

    Args:
        run_dir: this user's folder for runtime files; the socket goes into a folder below it.
        context: tokens of prompt and answer of each of the two slots, capped by the model's own.
        threads: 0 lets llama.cpp choose.
        check_memory, smaller: as for `TorchLink`.
    """

    name = "llama.cpp"

    def __init__(
        self,
        *,
        card: Card,
        folder: Path,
        run_dir: Path,
        context: int = 4096,
        threads: int = 0,
        check_memory: Callable[[], None] = lambda: None,
        smaller: Callable[[], str] = lambda: "",
        patience: Patience | None = None,
    ) -> None:
        if not card.gguf:
            raise ValueError(f"the model {card.name} has no GGUF file")
        self._model = card.name
        self._markers = card.special_tokens
        self._file = folder / card.gguf
        self._run_dir = run_dir
        self._context = min(card.context_length, context)
        self._threads = threads
        self._check_memory = check_memory
        self._supervisor = Supervisor(self, smaller=smaller, patience=patience)
        self._pipe: Pipe | None = None
        self._endpoint: OwnEndpoint | None = None
        self._folder: Path | None = None
        self._slots = (_Slot(0), _Slot(1))
        self._slices = Slices(first=16)  # 3 to 4 ms a token on two cores
        self._typing = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def start(self) -> None:
        await self._supervisor.ensure()

    async def stop(self) -> None:
        await self._supervisor.stop()

    def status(self) -> EngineStatus:
        return EngineStatus(
            name=self.name,
            model=self._model,
            state=self._supervisor.state,
            message=self._supervisor.message,
            pid=self._supervisor.pid,
            memory_bytes=self._supervisor.memory_bytes,
        )

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Piece | Finish, None]:
        typing = request.priority is Priority.TYPING
        slot = self._slots[0 if typing else 1]
        arrived = time.perf_counter()
        with self._typing_now() if typing else contextlib.nullcontext():
            async with slot.turn:
                endpoint, tokens = await self._tokens(request)
                with self._watched(endpoint):
                    async with aclosing(self._answer(endpoint, slot, tokens, request, arrived)) as items:
                        async for item in items:
                            yield item

    async def _tokens(self, request: GenerateRequest) -> tuple[OwnEndpoint, list[int]]:
        """A server that answers, and the prompt in its tokens. A process that died a moment ago, or hung, is waited
        for."""
        endpoint = await self._serving()
        try:
            with self._watched(endpoint):
                return endpoint, await endpoint.tokenise(request.prompt, request.sampling)
        except EngineError:
            if not await self._supervisor.ended(within=1.0):
                raise
        endpoint = await self._serving()
        return endpoint, await endpoint.tokenise(request.prompt, request.sampling)

    @contextlib.contextmanager
    def _watched(self, endpoint: OwnEndpoint) -> Iterator[None]:
        """A process that runs and cannot be reached, or does not answer, hangs: it makes room for another."""
        try:
            yield
        except EngineUnavailable:
            if self._pipe is not None and endpoint is self._endpoint:
                self._pipe.replace("the llama.cpp engine stopped answering")
            raise

    async def _serving(self) -> OwnEndpoint:
        await self._supervisor.ensure()
        if self._endpoint is None:
            raise EngineUnavailable("the llama.cpp engine is restarting")
        return self._endpoint

    async def _answer(
        self, endpoint: OwnEndpoint, slot: _Slot, tokens: list[int], request: GenerateRequest, arrived: float
    ) -> AsyncGenerator[Piece | Finish, None]:
        typing = request.priority is Priority.TYPING
        reused: int | None = None
        prefill = 0.0
        at = common_prefix(slot.tokens, tokens)
        while len(tokens) - at > (size := self._slices.size()):
            if not typing:
                await self._quiet.wait()
            at += size
            # Set first: llama.cpp evaluates the slice even if this request is cancelled meanwhile.
            slot.tokens = tokens[:at]
            part = await endpoint.warm(slot.tokens, slot.number)
            self._slices.took(size, part.prefill_ms / 1000)
            prefill += part.prefill_ms
            reused = part.reused_tokens if reused is None else reused
        if not typing:
            await self._quiet.wait()
        slot.tokens = list(tokens)
        answer = endpoint.stream(tokens, request.sampling, slot=slot.number, seen=slot.tokens.extend)
        async with aclosing(answer) as items:
            async for item in items:
                if isinstance(item, Finish):
                    prefill += item.prefill_ms
                    waited = (time.perf_counter() - arrived) * 1000 - prefill - item.decode_ms
                    item = replace(
                        item,
                        model=self._model,
                        reused_tokens=item.reused_tokens if reused is None else reused,
                        queue_ms=max(0.0, waited),
                        prefill_ms=prefill,
                    )
                yield item

    @contextlib.contextmanager
    def _typing_now(self) -> Iterator[None]:
        self._typing += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._typing -= 1
            if not self._typing:
                self._quiet.set()

    # What the supervisor asks of its kind of child.

    def check(self) -> None:
        if not self._file.is_file():
            raise ModelMissing(f"the model {self._model} is not here", remedy=f"pointsman models pull {self._model}")
        self._check_memory()

    async def spawn(self) -> asyncio.subprocess.Process:
        return await spawn("pointsman.worker.llama")

    async def load(self, process: asyncio.subprocess.Process) -> None:
        self._pipe = Pipe(process, lambda message: None, busy=lambda: False)
        self._folder = _socket_folder(self._run_dir)
        socket, key = self._folder / _SOCKET, secrets.token_hex(32)
        await self._pipe.greet(
            m.Serve(
                model=str(self._file),
                name=self._model,
                socket=str(socket),
                key=key,
                context=self._context,
                slots=len(self._slots),
                threads=self._threads,
            )
        )
        for slot in self._slots:
            slot.tokens = []
        self._endpoint = OwnEndpoint(
            name="the llama.cpp engine",
            base_url="http://localhost",
            kind="llama.cpp",
            model=self._model,
            context=self._context,
            markers=self._markers,
            key=key,
            socket=socket,
        )
        # Opens the connection, so that the first keystroke does not pay for it.
        await self._endpoint.start()

    async def last_words(self) -> EngineError | None:
        return None if self._pipe is None else await self._pipe.last_words()

    async def lost(self, error: EngineError) -> None:
        pipe, endpoint, self._pipe, self._endpoint = self._pipe, self._endpoint, None, None
        if pipe is not None:
            pipe.close()
        if endpoint is not None:
            # Requests under way see their connection end.
            await endpoint.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _socket_folder(run_dir: Path) -> Path:
    """A fresh folder 0700 whose socket's name is short enough. Those of hosts that were killed are removed first."""
    longest = len(os.fsencode(run_dir)) + len(f"/llama-{os.getpid()}-12345678/{_SOCKET}")
    base = run_dir if longest <= _LONGEST_SOCKET else Path(tempfile.gettempdir())
    base.mkdir(parents=True, exist_ok=True, mode=0o700)  # nobody has made it yet where the host runs in this process
    for old in base.glob("llama-*-*"):
        owner = old.name.split("-")[1]
        with contextlib.suppress(OSError):
            if owner.isdigit() and not psutil.pid_exists(int(owner)) and old.stat().st_uid == os.getuid():
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"llama-{os.getpid()}-", dir=base))
