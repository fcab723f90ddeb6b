"""The host's indexes: one per repository, each on its own thread, shared by all clients.

An index admits one thread, and a first embedding takes minutes on a CPU; so an update gives way whenever a search
waits, and goes on where it stopped: what is stored stays stored. Knows the indexer and an embedder; knows nothing of
sockets or policy files.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from pointsman.errors import NotFound, PointsmanError
from pointsman.host.api import IndexParams, IndexProgress, IndexReport, IndexState, SearchHit, SearchParams, SearchReply
from pointsman.models.base import Priority, TextEmbedder
from pointsman_indexer import Hit, Index, IndexerError, Progress, Report, find_root

log = logging.getLogger(__name__)
T = TypeVar("T")


class Indexes:
    """All indexes of the user. `exclusions` gives the policy's patterns for a root, read anew at each update."""

    def __init__(
        self,
        folder: Path,
        embedder: Callable[[], Awaitable[tuple[TextEmbedder, int]]],
        exclusions: Callable[[Path], Sequence[str]],
    ) -> None:
        self._folder = folder
        self._embedder = embedder
        """The embedder in use and the length of its vectors; raises `ModelMissing`."""
        self._exclusions = exclusions
        self._open: dict[Path, _Repository] = {}
        self._opening = asyncio.Lock()

    async def update(self, params: IndexParams) -> AsyncGenerator[IndexProgress | IndexReport, None]:
        repository = await self._repository(params.path)
        async with contextlib.aclosing(repository.update()) as stream:
            async for item in stream:
                yield item

    async def search(self, params: SearchParams) -> SearchReply:
        repository = await self._repository(params.path)
        return await repository.search(params)

    def states(self) -> tuple[IndexState, ...]:
        return tuple(repository.state() for repository in self._open.values())

    async def close(self) -> None:
        for repository in self._open.values():
            await repository.close()
        self._open.clear()

    async def _repository(self, path: str) -> _Repository:
        root = await asyncio.to_thread(_root_of, path)
        async with self._opening:
            embedder, dimension = await self._embedder()
            if root in self._open and self._open[root].embedder is not embedder:
                await self._open.pop(root).close()
            if root not in self._open:
                name = hashlib.sha256(str(root).encode("utf-8", "surrogatepass")).hexdigest()[:24]
                self._open[root] = _Repository(root, self._folder / name, embedder, dimension, self._exclusions)
            return self._open[root]


def _root_of(path: str) -> Path:
    given = Path(path)
    try:
        if not given.is_absolute() or not given.exists():
            raise NotFound(f"{given.name or path} does not exist")
        return find_root(given).resolve()
    except OSError as error:
        raise PointsmanError(f"{given.name} cannot be looked at: {error.strerror}") from error


class _Repository:
    def __init__(
        self,
        root: Path,
        folder: Path,
        embedder: TextEmbedder,
        dimension: int,
        exclusions: Callable[[Path], Sequence[str]],
    ) -> None:
        self._root = root
        self._folder = folder
        self.embedder = embedder
        self._bridge = _Bridge(embedder, dimension)
        self._exclusions = exclusions
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._index: Index | None = None
        self._patterns: tuple[str, ...] = ()
        self._watchers: set[asyncio.Queue[IndexProgress | IndexReport | PointsmanError]] = set()
        self._updating: asyncio.Task[None] | None = None
        self._again = False
        """A caller joined after the scan: what it saved meanwhile needs another look."""
        self._searches = 0
        self._counts = (0, 0)
        self._message = ""
        self._closing = False

    def state(self) -> IndexState:
        files, chunks = self._counts
        busy = self._updating is not None
        return IndexState(root=str(self._root), busy=busy, files=files, chunks=chunks, message=self._message)

    async def update(self) -> AsyncGenerator[IndexProgress | IndexReport, None]:
        """Join the update under way or start one. When the last watcher leaves, it stops at the next batch."""
        inbox: asyncio.Queue[IndexProgress | IndexReport | PointsmanError] = asyncio.Queue()
        self._watchers.add(inbox)
        self._again = self._updating is not None
        if self._updating is None:
            self._updating = asyncio.create_task(self._update(), name=f"index {self._root.name}")
        try:
            while True:
                item = await inbox.get()
                if isinstance(item, PointsmanError):
                    raise item
                yield item
                if isinstance(item, IndexReport):
                    return
        finally:
            self._watchers.discard(inbox)

    async def search(self, params: SearchParams) -> SearchReply:
        vector = (await self.embedder.embed([params.query], kind="query", priority=Priority(params.priority)))[0]
        self._searches += 1
        try:
            hits, self._counts = await self._run(lambda: self._look(params, vector))
        finally:
            self._searches -= 1
        note = ""
        if self._updating is not None:
            note = "the index is still being built: later answers may find more"
        elif self._counts[0] == 0:
            note = "nothing is indexed here yet: run `pointsman index`"
        return SearchReply(
            root=str(self._root), hits=tuple(SearchHit(**_fields(hit, SearchHit)) for hit in hits), note=note
        )

    def _look(self, params: SearchParams, vector: Sequence[float]) -> tuple[list[Hit], tuple[int, int]]:
        """Hits and counts, on the index's thread: opening it asks the policy, which once a search is enough."""
        index = self._opened()
        hits = index.search(params.query, params.k, language=params.language, query_vector=vector)
        return hits, index.counts()

    async def close(self) -> None:
        """Whoever watches an update or waits for a search is told; a later request opens the index anew."""
        self._closing = True
        self._tell(_closed())
        self._watchers.clear()
        if self._updating is not None:
            await asyncio.gather(self._updating, return_exceptions=True)
        # On the thread, after whatever is under way there.
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_index)
        self._thread.shutdown(wait=False)

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    async def _update(self) -> None:
        loop = asyncio.get_running_loop()
        outcome: IndexReport | PointsmanError
        try:
            outcome = await self._update_in_slices(loop)
            self._message = ""
        except PointsmanError as error:
            outcome, self._message = error, error.message
        except Exception as error:
            # The watchers must hear of every end. The type is logged, never the text, which may quote source.
            log.error("internal error while indexing: %s", type(error).__name__)
            outcome = PointsmanError("internal error while indexing", remedy="the host's log names the kind")
        self._updating = None
        self._tell(outcome)

    async def _update_in_slices(self, loop: asyncio.AbstractEventLoop) -> IndexReport:
        """Run updates until one ends by itself; between two, the searches that wait take the thread."""
        seconds, embedded, reused = 0.0, 0, 0
        while True:
            gave_way = self._again = False

            def must_stop() -> bool:
                nonlocal gave_way
                gave_way = gave_way or self._searches > 0 or not self._watchers
                return gave_way

            def progress(step: Progress) -> None:
                item = IndexProgress(stage=step.stage, done=step.done, total=step.total)
                loop.call_soon_threadsafe(self._tell, item)

            report: Report = await self._run(lambda: self._opened().update(progress=progress, should_stop=must_stop))
            seconds, embedded, reused = seconds + report.seconds, embedded + report.embedded, reused + report.reused
            self._counts = (report.files, report.chunks)
            if not (gave_way or self._again) or not self._watchers:
                total = dataclasses.replace(report, seconds=round(seconds, 3), embedded=embedded, reused=reused)
                return IndexReport(**_fields(total, IndexReport))

    def _tell(self, item: IndexProgress | IndexReport | PointsmanError) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(item)

    def _opened(self) -> Index:
        """The index, on its thread. An index that was opened under other exclusions than the policy's of now is
        opened anew: what is excluded now is not found, and is purged by the next update."""
        patterns = tuple(self._exclusions(self._root))
        if self._index is not None and patterns != self._patterns:
            self._index.close()
            self._index = None
        if self._index is None:
            self._index = Index.open(self._root, self._folder, self._bridge, exclude=patterns)
            self._patterns = patterns
        return self._index

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closing:
            raise _closed()
        loop = asyncio.get_running_loop()
        self._bridge.loop = loop
        try:
            return await loop.run_in_executor(self._thread, work)
        except IndexerError as error:
            raise PointsmanError(str(error), remedy=getattr(error, "remedy", "")) from error


def _closed() -> PointsmanError:
    return PointsmanError("the index was closed, for the embedder or the host changes", remedy="try again")


class _Bridge:
    """The indexer's synchronous `Embedder` over the host's asynchronous one; called on the index's thread only."""

    max_batch = 32

    def __init__(self, embedder: TextEmbedder, dimension: int) -> None:
        self._embedder = embedder
        self.name = embedder.status().model
        self.dimension = dimension
        self.loop: asyncio.AbstractEventLoop | None = None

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Sequence[Sequence[float]]:
        assert self.loop is not None  # set by whoever hands work to the thread
        work = self._embedder.embed(texts, kind=kind, priority=Priority.INDEX)
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()


def _fields(value: Report | Hit, message: type[IndexReport] | type[SearchHit]) -> dict[str, Any]:
    """What the message takes over from the indexer's own value, field by field of the same name."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(message)}
