"""One repository's index in the host: its thread, its rounds of updating, and the searches that come between.

An index admits one thread, and a first embedding takes minutes on a CPU. So an update goes in rounds: it gives way
whenever a search waits, a file was saved or work is to pause, and goes on where it stopped; what is stored stays
stored. Files are watched from the first update on. Knows the indexer and an embedder; knows nothing of sockets or
policy files.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pointsman.errors import EngineError, OutOfMemory, PointsmanError
from pointsman.host.api import (
    IndexProgress,
    IndexReport,
    IndexState,
    InScopeParams,
    InScopeReply,
    OutlineParams,
    Place,
    SearchHit,
    SearchParams,
    SearchReply,
    UsesParams,
    UsesReply,
)
from pointsman.host.bridge import EmbedderBridge
from pointsman.host.rerank import READ, likeness, reordered, texts
from pointsman.host.watch import changes
from pointsman.models.base import Priority, TextEmbedder
from pointsman_indexer import Hit, Index, IndexerError, Progress, Report
from pointsman_indexer.dense import model_of
from pointsman_indexer.intent import understand
from pointsman_indexer.languages import WITH_USES, languages_called
from pointsman_indexer.scope import Definition
from pointsman_indexer.snapshot import Import

log = logging.getLogger(__name__)
T = TypeVar("T")
_MOST_DEFINITIONS = 20
_PAUSE_SECONDS = 2.0
"""Between two looks at whether a pause is over."""
_NOTHING_HERE = (
    "there is nothing to index here: files that git does not ignore are looked at, but for excluded, generated, binary "
    "and very large ones"
)
_NOT_WATCHED = "files are not watched: changes are found at the next request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the indexes of a host have in common."""

    exclusions: Callable[[Path], Sequence[str]]
    """The policy's patterns for a root, read anew whenever the index is used."""
    store: Callable[[Path], tuple[str, str]] = lambda root: ("", "")
    """URL and key of the server that keeps the vectors; two "" for none."""
    pause: Callable[[], str] = lambda: ""
    """Why indexing is to pause now, or ""; asked between batches."""


class Repository:
    """Belongs to one event loop. `close` it once."""

    def __init__(
        self, root: Path, folder: Path, embedder: TextEmbedder, dimension: int, surroundings: Surroundings
    ) -> None:
        self.root = root
        self.embedder = embedder
        self._folder = folder
        self._around = surroundings
        self.remark = ""
        """What the user should know of what it is opened with, such as an adaptation that was removed."""
        self._bridge = EmbedderBridge(embedder, dimension)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._index: Index | None = None
        self._patterns: tuple[str, ...] = ()
        self._callers: set[asyncio.Queue[IndexProgress | IndexReport | PointsmanError]] = set()
        self._updating: asyncio.Task[None] | None = None
        self._wanted: set[str] | None = set()
        """What the next round has to look at, relative paths; None for everything."""
        self._own_accord = False
        """The update under way was asked for by a change of files, and goes on without a caller."""
        self._watching: asyncio.Task[None] | None = None
        self._searches = 0
        self._reads = True
        """Whether hits are read when that is asked for."""
        self._counts = (0, 0)
        self._message = ""
        self._unwatched = ""
        self._snapshot: Import | None = None
        self._closing = False

    def state(self) -> IndexState:
        files, chunks = self._counts
        message = "; ".join(filter(None, (self._message, self._unwatched, self.remark)))
        return IndexState(
            root=str(self.root), busy=self._updating is not None, files=files, chunks=chunks, message=message
        )

    async def update(self, paths: Sequence[str] | None) -> AsyncGenerator[IndexProgress | IndexReport, None]:
        """Join the update under way or start one, of `paths` alone (relative to the root) or of everything.

        When the last caller leaves, it stops at the next batch.
        """
        if self._closing:
            raise _closed()
        inbox: asyncio.Queue[IndexProgress | IndexReport | PointsmanError] = asyncio.Queue()
        self._callers.add(inbox)
        self._want(None if self._unwatched else paths)
        try:
            while True:
                item = await inbox.get()
                if isinstance(item, PointsmanError):
                    raise item
                yield item
                if isinstance(item, IndexReport):
                    return
        finally:
            self._callers.discard(inbox)

    async def search(self, params: SearchParams) -> SearchReply:
        priority = Priority(params.priority)
        vector = (await self.embedder.embed([params.query], kind="query", priority=priority))[0]
        hits, asked, note, complete = await self._quickly(lambda: self._look(params, vector))
        scores: list[float] | None = None
        if hits and (params.closely == "always" or (asked and params.closely == "questions")):
            scores = await self._read(params.query, hits, priority)
        nearness = likeness(hits, scores) if scores else None
        if scores and asked:
            hits = reordered(hits, scores)
        shown = tuple(SearchHit(**_fields(hit, "cosine")) for hit in hits[: params.k])
        return SearchReply(root=str(self.root), hits=shown, note=note, likeness=nearness, complete=complete)

    async def _read(self, query: str, hits: Sequence[Hit], priority: Priority) -> list[float] | None:
        """How far each of the first hits says what the query says; None where that cannot be told."""
        if not self._reads:
            return None
        try:
            return await self.embedder.compare(query, texts(hits), priority=priority)
        except EngineError as error:  # what was found is worth showing all the same
            log.warning("hits are not read: %s", error.code)
            self._reads = not isinstance(error, OutOfMemory)  # each time costs the process that embeds
            return None

    async def outline(self, params: OutlineParams) -> str:
        return await self._quickly(lambda: self._opened().repository_map(params.budget, params.focus, params.query))

    async def uses(self, params: UsesParams) -> UsesReply:
        return await self._quickly(lambda: self._places(params.symbol, params.file))

    async def in_scope(self, params: InScopeParams) -> InScopeReply:
        found = await self._quickly(lambda: self._opened().definitions(params.file, params.line, params.names))
        return InScopeReply(definitions=tuple(_defined(one) for one in found))

    async def take_over(self, file: Path) -> AsyncGenerator[IndexProgress | int, None]:
        """Put what fits of a snapshot into the index, for the next update to find: progress, and last how many files.

        All of it is checked first; searches come between the steps.
        """
        yield IndexProgress(stage="check", done=0, total=1)
        with _told():
            snapshot = await asyncio.to_thread(Import, file, model_of(self._bridge))
        try:
            with _told():
                await asyncio.to_thread(snapshot.check)
            while await self._run(lambda: self._opened().import_step(snapshot)):
                yield IndexProgress(stage="import", done=snapshot.seen, total=snapshot.total)
        except BaseException:
            snapshot.close()
            raise
        await self._drop_snapshot()
        self._snapshot = snapshot  # the next update may find vectors in it
        yield snapshot.taken

    async def hand_out(self, file: Path) -> AsyncGenerator[IndexProgress | int, None]:
        """Write the index to a snapshot: progress, and last how many files."""
        export = await self._run(lambda: self._opened().export(file))
        try:
            while await self._run(lambda: self._opened().export_step(export)):
                total = max(self._counts[0], export.versions)
                yield IndexProgress(stage="export", done=export.versions, total=total)
        finally:
            await asyncio.to_thread(export.close)
        yield export.versions

    async def close(self) -> None:
        """Whoever waits for an update or a search is told; a later request opens the index anew."""
        self._closing = True
        self._tell(_closed())
        self._callers.clear()
        self._own_accord = False
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._updating is not None:
            await asyncio.gather(self._updating, return_exceptions=True)
        await self._drop_snapshot()
        # On the thread, after whatever is under way there.
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_index)
        self._thread.shutdown(wait=False)

    # updates

    def _want(self, paths: Sequence[str] | None) -> None:
        """Look at these paths, or at everything, in the next round; it starts now if none is under way."""
        self._wanted = _joined(self._wanted, None if paths is None else set(paths))
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name=f"watch {self.root.name}")
        if self._updating is None:
            self._updating = asyncio.create_task(self._update(), name=f"index {self.root.name}")

    async def _watch(self) -> None:
        async with contextlib.aclosing(changes(self.root)) as bursts:
            async for paths in bursts:
                self._own_accord = True
                self._want(paths)
        self._unwatched = _NOT_WATCHED

    async def _update(self) -> None:
        outcome: IndexReport | PointsmanError
        try:
            outcome = await self._rounds()
            self._message = ""
        except PointsmanError as error:
            outcome, self._message = error, error.message
        except Exception as error:
            # The callers must hear of every end. The type is logged, never the text, which may quote source.
            log.error("internal error while indexing: %s", type(error).__name__)
            outcome = PointsmanError("internal error while indexing", remedy="the host's log names the kind")
        await self._drop_snapshot()
        self._updating = None
        self._own_accord = False
        self._tell(outcome)

    async def _rounds(self) -> IndexReport:
        """First read what is wanted, so that it is found by words; then go on with what waits, until all is done."""
        seconds, embedded, reused = 0.0, 0, 0
        skipped_paths: dict[str, tuple[str, ...]] = {}
        behind = False
        """Files were left when reading gave way."""
        while True:
            reading = behind or self._is_wanted()
            wanted, self._wanted = self._wanted, set()
            if not reading:
                await self._pause()
            try:
                report, gave_way = await self._round(None if wanted is None else sorted(wanted), reading)
            except Exception:
                self._wanted = _joined(wanted, self._wanted)  # for the next update
                raise
            seconds, embedded, reused = seconds + report.seconds, embedded + report.embedded, reused + report.reused
            skipped_paths |= report.skipped_paths
            self._counts = (report.files, report.chunks)
            if self._alone() or not (reading or gave_way or self._is_wanted()):
                total = dataclasses.replace(report, seconds=round(seconds, 3), embedded=embedded, reused=reused)
                note = self.remark or ("" if report.files else _NOTHING_HERE)
                return IndexReport(**{**_fields(total), "skipped_paths": skipped_paths}, note=note)
            if reading:
                # A round of some paths does not look at what an earlier one left.
                behind = gave_way or (behind and bool(wanted))
                if not behind:
                    self._tell(IndexProgress(stage="read", done=report.files, total=report.files))

    async def _round(self, paths: Sequence[str] | None, reading: bool) -> tuple[Report, bool]:
        """One slice of work, and whether it ended early."""
        loop = asyncio.get_running_loop()
        gave_way = False

        def must_stop() -> bool:
            nonlocal gave_way
            paused = not reading and bool(self._around.pause())
            gave_way = gave_way or paused or self._searches > 0 or self._is_wanted() or self._alone()
            return gave_way

        def progress(step: Progress) -> None:
            item = IndexProgress(stage=step.stage, done=step.done, total=step.total)
            loop.call_soon_threadsafe(self._tell, item)

        work = functools.partial(self._update_index, paths, not reading, progress, must_stop)
        return await self._run(work), gave_way

    async def _pause(self) -> None:
        """Wait while indexing is to pause; a saved file, or being left alone, ends the wait."""
        while (reason := self._around.pause()) and not (self._is_wanted() or self._alone()):
            self._message = f"indexing pauses {reason}"
            await asyncio.sleep(_PAUSE_SECONDS)
        self._message = ""

    async def _drop_snapshot(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            # On the thread, where it is read.
            await asyncio.get_running_loop().run_in_executor(self._thread, snapshot.close)

    def _is_wanted(self) -> bool:
        return self._wanted is None or bool(self._wanted)

    def _alone(self) -> bool:
        return not (self._callers or self._own_accord)

    def _tell(self, item: IndexProgress | IndexReport | PointsmanError) -> None:
        for caller in self._callers:
            caller.put_nowait(item)

    # on the index's thread

    def _update_index(
        self,
        paths: Sequence[str] | None,
        embed: bool,
        progress: Callable[[Progress], None],
        must_stop: Callable[[], bool],
    ) -> Report:
        return self._opened().update(
            paths, embed=embed, progress=progress, should_stop=must_stop, snapshot=self._snapshot
        )

    def _look(self, params: SearchParams, vector: Sequence[float]) -> tuple[list[Hit], bool, str, bool]:
        """Hits, whether the query is a question, what the caller should know of them, and whether every file was read.
        Opening the index asks the policy: once is enough."""
        index = self._opened()
        asked = params.closely != "never" and understand(params.query).kind == "question"
        k = max(params.k, READ) if asked else params.k
        hits = index.search(params.query, k, language=params.language, query_vector=vector)
        self._counts = index.counts()
        unread, waiting = index.missing()
        unknown = params.language and not languages_called(params.language)
        told = f"no language is called {params.language!r}" if unknown else self._note(index, unread, waiting)
        note = "; ".join(filter(None, (told, self.remark)))
        return hits, asked, note, index.walked() and not unread

    def _note(self, index: Index, unread: int, waiting: int) -> str:
        if not (unread or waiting):
            if self._counts[0]:
                return ""
            if self._updating is not None:
                return "nothing is indexed here yet: it is being read now"
            return _NOTHING_HERE if index.walked() else "nothing is indexed here yet: run `pointsman index`"
        parts = []
        if unread:
            parts.append(f"{unread} files are not read yet")
        if index.serving != self._bridge.name:
            parts.append(f"the vectors are {index.serving}'s, so the search is by words until all is embedded anew")
        elif waiting:
            parts.append(f"{waiting} pieces of code are found by their words only")
        return f"the index is still being built: {' and '.join(parts)}"

    def _places(self, symbol: str, file: str) -> UsesReply:
        index = self._opened()
        found = [one for one in index.find_symbol(symbol) if file in ("", one.path)][:_MOST_DEFINITIONS]
        return UsesReply(
            root=str(self.root),
            definitions=tuple(_defined(one) for one in found),
            uses=tuple(
                Place(path=use.path, line=use.line, symbol=use.inside, kind=use.kind, confidence=use.confidence)
                for one in found
                for use in index.uses(one.path, one.symbol.qualified)
            ),
            note=_without_uses({one.language for one in found}),
        )

    def _opened(self) -> Index:
        """The index, on its thread. An index that was opened under other exclusions than the policy's of now is
        opened anew: what is excluded now is not found, and is purged by the next update."""
        patterns = tuple(self._around.exclusions(self.root))
        if self._index is not None and patterns != self._patterns:
            self._index.close()
            self._index = None
        if self._index is None:
            url, key = self._around.store(self.root)
            self._index = Index.open(
                self.root, self._folder, self._bridge, exclude=patterns, store_url=url, store_key=key
            )
            self._patterns = patterns
        return self._index

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    async def _quickly(self, work: Callable[[], T]) -> T:
        """On the thread, before an update that is under way goes on."""
        self._searches += 1
        try:
            return await self._run(work)
        finally:
            self._searches -= 1

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closing:
            raise _closed()
        loop = asyncio.get_running_loop()
        self._bridge.loop = loop
        with _told():
            return await loop.run_in_executor(self._thread, work)


def _joined(one: set[str] | None, other: set[str] | None) -> set[str] | None:
    """What both want looked at; None is everything."""
    return None if one is None or other is None else one | other


def _closed() -> PointsmanError:
    return PointsmanError("the index was closed, for the embedder or the host changes", remedy="try again")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """The indexer's errors as the host's."""
    try:
        yield
    except IndexerError as error:
        raise PointsmanError(error.message, remedy=error.remedy) from error


def _without_uses(languages: Set[str]) -> str:
    """What is to be said where no uses can be known of definitions in these languages, or ""."""
    unknown = "" if languages & WITH_USES else " and ".join(sorted(languages))
    return f"uses are not known for {unknown}" if unknown else ""


def _defined(one: Definition) -> Place:
    symbol = one.symbol
    return Place(
        path=one.path,
        line=symbol.start_line,
        symbol=symbol.qualified,
        kind=symbol.kind,
        end_line=symbol.end_line,
        signature=symbol.signature,
    )


def _fields(value: Report | Hit, *kept_back: str) -> dict[str, Any]:
    """What a message takes over from the indexer's own value: its fields, of the same names."""
    names = (field.name for field in dataclasses.fields(value))
    return {name: getattr(value, name) for name in names if name not in kept_back}
