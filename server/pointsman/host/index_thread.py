"""One repository's index on the one thread that it admits.

What someone waits for comes before an update that is under way, which looks at `waiting` and gives way.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pointsman.errors import PointsmanError
from pointsman.host.bridge import EmbedderBridge
from pointsman.models.base import TextEmbedder
from pointsman_indexer import Hit, Index, IndexerError, Report

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the indexes of a host have in common."""

    exclusions: Callable[[Path], Sequence[str]]
    """The policy's patterns for a root, read anew whenever the index is used."""
    store: Callable[[Path], tuple[str, str]] = lambda root: ("", "")
    """URL and key of the server that keeps the vectors; two "" for none."""
    pause: Callable[[], str] = lambda: ""
    """Why indexing is to pause now, or ""; asked between batches."""


class IndexThread:
    """Belongs to one event loop. `close` it once."""

    def __init__(
        self, root: Path, folder: Path, embedder: TextEmbedder, dimension: int, surroundings: Surroundings
    ) -> None:
        self.root = root
        self.around = surroundings
        self.bridge = EmbedderBridge(embedder, dimension)
        self.waiting = 0
        """How many wait for a short answer."""
        self.closing = False
        self.counts = (0, 0)
        """Files and chunks, when they were last looked at."""
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._index: Index | None = None
        self._patterns: tuple[str, ...] = ()

    async def quickly(self, work: Callable[[], T]) -> T:
        """On the thread, before an update that is under way goes on."""
        self.waiting += 1
        try:
            return await self.run(work)
        finally:
            self.waiting -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """On the thread. Raises `PointsmanError` for the indexer's errors, and once it is closing."""
        if self.closing:
            raise index_closed()
        loop = asyncio.get_running_loop()
        self.bridge.loop = loop
        with told():
            return await loop.run_in_executor(self._thread, work)

    async def at_last(self, work: Callable[[], None]) -> None:
        """On the thread, closing or not: for what is to be closed there."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """After whatever is under way there."""
        await self.at_last(self._close_index)
        self._thread.shutdown(wait=False)

    def opened(self) -> Index:
        """The index, on its thread. An index that was opened under other exclusions than the policy's of now is
        opened anew: what is excluded now is not found, and is purged by the next update."""
        patterns = tuple(self.around.exclusions(self.root))
        if self._index is not None and patterns != self._patterns:
            self._index.close()
            self._index = None
        if self._index is None:
            url, key = self.around.store(self.root)
            self._index = Index.open(
                self.root, self._folder, self.bridge, exclude=patterns, store_url=url, store_key=key
            )
            self._patterns = patterns
        return self._index

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None


def index_closed() -> PointsmanError:
    return PointsmanError("the index was closed, for the embedder or the host changes", remedy="try again")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """The indexer's errors as the host's."""
    try:
        yield
    except IndexerError as error:
        raise PointsmanError(error.message, remedy=error.remedy) from error


def fields_of(value: Report | Hit, *kept_back: str) -> dict[str, Any]:
    """What a message takes over from the indexer's own value: its fields, of the same names."""
    names = (field.name for field in dataclasses.fields(value))
    return {name: getattr(value, name) for name in names if name not in kept_back}
