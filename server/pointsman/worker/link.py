"""The parent's end of the torch child: a `Generator` and a `TextEmbedder` over one process.

`TorchLink` owns the process and the pipe; `TorchGenerator` and `TorchEmbedder` are two faces of it, so that one
process owns the accelerator's memory. Imports nothing of torch. Never logs a message, which holds source text.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal

from pointsman.errors import EngineError, EngineUnavailable, ModelMissing, PointsmanError
from pointsman.models.base import Adaptation, EngineState, EngineStatus, Finish, GenerateRequest, Piece, Priority
from pointsman.models.card import Card
from pointsman.models.catalogue import ADAPTERS
from pointsman.settings import DeviceChoice, Precision
from pointsman.worker import messages as m
from pointsman.worker.pipe import Pipe, to_error
from pointsman.worker.supervise import Patience, Supervisor, spawn

Reply = m.PieceMade | m.Finished | m.Vectors | m.Scores | PointsmanError


def generator_spec(
    card: Card, folder: Path, *, precision: Precision, context: int, gguf_sha256: str = ""
) -> m.GeneratorSpec:
    """What the child needs of a card. `context` caps the model's own; the hash is that of the GGUF file in `folder`."""
    return m.GeneratorSpec(
        name=card.name,
        folder=str(folder),
        gguf=card.gguf,
        gguf_sha256=gguf_sha256,
        precision=precision,
        context=min(card.context_length, context),
        stop_tokens=card.stop_tokens,
        special_tokens=card.special_tokens,
    )


def embedder_spec(card: Card, folder: Path) -> m.EmbedderSpec:
    return m.EmbedderSpec(
        name=card.name,
        folder=str(folder),
        max_tokens=card.max_tokens_embedded or 256,
        query_prefix=card.query_prefix,
        pooling=card.pooling,
        adapter=str(ADAPTERS / card.adapter) if card.adapter else "",
        adapter_sha256=card.adapter_sha256,
    )


class TorchLink:
    """One torch process with a model that writes, an embedder, or both.

    Args:
        cache_dir: where a GGUF is kept as safetensors once it is converted.
        check_memory: raises `WontFit` when the models do not fit; called before every start.
        smaller: names models that would fit, for the message when memory ran out all the same.
    """

    name = "torch"

    def __init__(
        self,
        *,
        generator: m.GeneratorSpec | None,
        embedder: m.EmbedderSpec | None,
        device: DeviceChoice,
        cache_dir: Path,
        check_memory: Callable[[], None] = lambda: None,
        smaller: Callable[[], str] = lambda: "",
        patience: Patience | None = None,
    ) -> None:
        self.generator = generator
        self.embedder = embedder
        self._load_message = m.Load(device=device, cache_dir=str(cache_dir), generator=generator, embedder=embedder)
        self._check_memory = check_memory
        self._supervisor = Supervisor(self, smaller=smaller, patience=patience)
        self._ids = itertools.count(1)
        self._open: dict[int, asyncio.Queue[Reply]] = {}
        self._pipe: Pipe | None = None
        self._device_bytes = 0

    async def start(self) -> None:
        await self._supervisor.ensure()

    async def stop(self) -> None:
        await self._supervisor.stop()

    def status(self, model: str) -> EngineStatus:
        memory = self._supervisor.memory_bytes
        ready = self._supervisor.state is EngineState.READY
        return EngineStatus(
            name=self.name,
            model=model,
            state=self._supervisor.state,
            message=self._supervisor.message,
            pid=self._supervisor.pid,
            memory_bytes=None if memory is None else memory + (self._device_bytes if ready else 0),
        )

    async def ask(self, make: Callable[[int], m.Generate | m.Embed | m.Compare]) -> AsyncGenerator[Reply, None]:
        """Send the request that `make` builds for a fresh id; its replies, the last of which is not a `PieceMade`.

        Closing the stream cancels the request. Raises `EngineError` when the child fails or dies.
        """
        await self._supervisor.ensure()
        pipe = self._pipe
        if pipe is None:
            raise EngineUnavailable("the torch engine is restarting")
        id = next(self._ids)
        replies = self._open[id] = asyncio.Queue()
        over = False
        try:
            await pipe.send(make(id))
            while not over:
                reply = await replies.get()
                over = not isinstance(reply, m.PieceMade)
                if isinstance(reply, PointsmanError):
                    raise reply
                yield reply
        finally:
            del self._open[id]
            if not over:
                pipe.send_now(m.Cancel(id=id))

    # What the supervisor asks of its kind of child.

    def check(self) -> None:
        for spec in (self.generator, self.embedder):
            if spec is not None and not Path(spec.folder).is_dir():
                raise ModelMissing(f"the model {spec.name} is not here", remedy=f"pointsman models pull {spec.name}")
        self._check_memory()

    async def spawn(self) -> asyncio.subprocess.Process:
        return await spawn("pointsman.worker")

    async def load(self, process: asyncio.subprocess.Process) -> None:
        pipe = self._pipe = Pipe(process, self._take, busy=lambda: bool(self._open))
        self._device_bytes = (await pipe.greet(self._load_message)).device_bytes

    async def last_words(self) -> EngineError | None:
        return None if self._pipe is None else await self._pipe.last_words()

    async def lost(self, error: EngineError) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        for replies in self._open.values():
            # One for each: a shared exception would collect every reader's traceback.
            replies.put_nowait(type(error)(error.message, remedy=error.remedy))

    def _take(self, message: m.ToParent) -> None:
        # A reply to a request that was cancelled a moment ago has nobody to go to.
        match message:
            case m.Failed() if message.id in self._open:
                self._open[message.id].put_nowait(to_error(message))
            case m.PieceMade() | m.Finished() | m.Vectors() | m.Scores() if message.id in self._open:
                self._open[message.id].put_nowait(message)
            case _:
                pass


class _Face:
    """One model of a link. `start` and `stop` act on the process, which the other face shares."""

    def __init__(self, link: TorchLink, model: str) -> None:
        self._link = link
        self._model = model

    async def start(self) -> None:
        await self._link.start()

    async def stop(self) -> None:
        await self._link.stop()

    def status(self) -> EngineStatus:
        return self._link.status(self._model)


class TorchGenerator(_Face):
    """`Generator` of the link's model."""

    def __init__(self, link: TorchLink) -> None:
        if link.generator is None:
            raise ValueError("the link has no model that writes")
        super().__init__(link, link.generator.name)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Piece | Finish, None]:
        def make(id: int) -> m.Generate:
            return m.Generate(id=id, prompt=request.prompt, sampling=request.sampling, priority=request.priority)

        replies = self._link.ask(make)
        try:
            async for reply in replies:
                if isinstance(reply, m.PieceMade):
                    yield Piece(text=reply.text, logprob=reply.logprob, tokens=reply.tokens)
                elif isinstance(reply, m.Finished):
                    yield Finish(
                        reason=reply.reason,
                        model=self._model,
                        prompt_tokens=reply.prompt_tokens,
                        reused_tokens=reply.reused_tokens,
                        tokens=reply.tokens,
                        queue_ms=reply.queue_ms,
                        prefill_ms=reply.prefill_ms,
                        decode_ms=reply.decode_ms,
                    )
        finally:
            await replies.aclose()


class TorchEmbedder(_Face):
    """`TextEmbedder` of the link's embedder.

    Args:
        adaptation: what a repository taught it, under whose name its vectors then are; None as it ships.
    """

    def __init__(self, link: TorchLink, adaptation: Adaptation | None = None) -> None:
        if link.embedder is None:
            raise ValueError("the link has no embedder")
        super().__init__(link, adaptation.name if adaptation else link.embedder.name)
        self._compares = link.embedder.pooling == "mean"
        self._head, self._head_sha256 = (str(adaptation.file), adaptation.sha256) if adaptation else ("", "")

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "document"], priority: Priority
    ) -> list[list[float]]:
        vectors: list[list[float]] = []
        for at in range(0, len(texts), m.TEXTS_PER_EMBED):
            part = tuple(texts[at : at + m.TEXTS_PER_EMBED])
            vectors += await self._embed(part, query=kind == "query", priority=priority)
        return vectors

    async def _embed(self, texts: tuple[str, ...], *, query: bool, priority: Priority) -> list[list[float]]:
        def make(id: int) -> m.Embed:
            head, sha256 = self._head, self._head_sha256
            return m.Embed(id=id, texts=texts, query=query, priority=priority, head=head, head_sha256=sha256)

        reply = await self._only_reply(make)
        if isinstance(reply, m.Vectors) and reply.count == len(texts):
            return m.unpack(reply)
        raise EngineError("the engine sent vectors of the wrong shape")

    async def compare(self, query: str, texts: Sequence[str], *, priority: Priority) -> list[float] | None:
        """What an adaptation learned is of whole vectors, so it has no part in this."""
        if not self._compares:
            return None

        def make(id: int) -> m.Compare:
            return m.Compare(id=id, query=query, texts=tuple(texts), priority=priority)

        reply = await self._only_reply(make)
        if isinstance(reply, m.Scores) and len(reply.scores) == len(texts):
            return list(reply.scores)
        raise EngineError("the engine sent scores for other texts")

    async def _only_reply(self, make: Callable[[int], m.Embed | m.Compare]) -> Reply:
        async with aclosing(self._link.ask(make)) as replies:
            return await anext(replies)
