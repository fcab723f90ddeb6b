"""The indexer's synchronous `Embedder` over the host's asynchronous one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from pointsman.models.base import Priority, TextEmbedder


class EmbedderBridge:
    """Called on threads; the embedder lives in `loop`, which must run meanwhile."""

    max_batch = 64

    def __init__(self, embedder: TextEmbedder, dimension: int) -> None:
        self._embedder = embedder
        self.name = embedder.status().model
        self.dimension = dimension
        self.loop: asyncio.AbstractEventLoop | None = None

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Sequence[Sequence[float]]:
        assert self.loop is not None  # set by whoever hands work to the thread
        work = self._embedder.embed(texts, kind=kind, priority=Priority.INDEX)
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()
