"""One repository's index in the host: its searches, and what it takes over and hands out.

Knows the indexer and an embedder; knows nothing of sockets or policy files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence, Set
from pathlib import Path

from pointsman.errors import EngineError, OutOfMemory
from pointsman.host.api import (
    IndexProgress,
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
from pointsman.host.index_thread import IndexThread, Surroundings, fields_of, told
from pointsman.host.rerank import READ, likeness, reordered, texts
from pointsman.host.updating import NOTHING_HERE, Updates
from pointsman.models.base import Priority, TextEmbedder
from pointsman_indexer import Hit, Index
from pointsman_indexer.dense import model_of
from pointsman_indexer.intent import understand
from pointsman_indexer.languages import WITH_USES, languages_called
from pointsman_indexer.scope import Definition
from pointsman_indexer.snapshot import Import

log = logging.getLogger(__name__)
_MOST_DEFINITIONS = 20


class Repository:
    """Belongs to one event loop. `close` it once."""

    def __init__(
        self, root: Path, folder: Path, embedder: TextEmbedder, dimension: int, surroundings: Surroundings
    ) -> None:
        self.root = root
        self.embedder = embedder
        self._thread = IndexThread(root, folder, embedder, dimension, surroundings)
        self.updates = Updates(self._thread)
        self._reads = True
        """Whether hits are read when that is asked for."""

    def state(self) -> IndexState:
        files, chunks = self._thread.counts
        message = "; ".join(filter(None, (self.updates.message, self.updates.unwatched, self.updates.remark)))
        return IndexState(root=str(self.root), busy=self.updates.busy, files=files, chunks=chunks, message=message)

    async def search(self, params: SearchParams) -> SearchReply:
        priority = Priority(params.priority)
        vector = (await self.embedder.embed([params.query], kind="query", priority=priority))[0]
        hits, asked, note, complete = await self._thread.quickly(lambda: self._look(params, vector))
        scores: list[float] | None = None
        if hits and (params.closely == "always" or (asked and params.closely == "questions")):
            scores = await self._read(params.query, hits, priority)
        nearness = likeness(hits, scores) if scores else None
        if scores and asked:
            hits = reordered(hits, scores)
        shown = tuple(SearchHit(**fields_of(hit, "cosine")) for hit in hits[: params.k])
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
        return await self._thread.quickly(
            lambda: self._thread.opened().repository_map(params.budget, params.focus, params.query)
        )

    async def uses(self, params: UsesParams) -> UsesReply:
        return await self._thread.quickly(lambda: self._places(params.symbol, params.file))

    async def in_scope(self, params: InScopeParams) -> InScopeReply:
        found = await self._thread.quickly(
            lambda: self._thread.opened().definitions(params.file, params.line, params.names)
        )
        return InScopeReply(definitions=tuple(_defined(one) for one in found))

    async def take_over(self, file: Path) -> AsyncGenerator[IndexProgress | int, None]:
        """Put what fits of a snapshot into the index, for the next update to find: progress, and last how many files.

        All of it is checked first; searches come between the steps.
        """
        yield IndexProgress(stage="check", done=0, total=1)
        with told():
            snapshot = await asyncio.to_thread(Import, file, model_of(self._thread.bridge))
        try:
            with told():
                await asyncio.to_thread(snapshot.check)
            while await self._thread.run(lambda: self._thread.opened().import_step(snapshot)):
                yield IndexProgress(stage="import", done=snapshot.seen, total=snapshot.total)
        except BaseException:
            snapshot.close()
            raise
        await self.updates.take_vectors_of(snapshot)
        yield snapshot.taken

    async def hand_out(self, file: Path) -> AsyncGenerator[IndexProgress | int, None]:
        """Write the index to a snapshot: progress, and last how many files."""
        export = await self._thread.run(lambda: self._thread.opened().export(file))
        try:
            while await self._thread.run(lambda: self._thread.opened().export_step(export)):
                total = max(self._thread.counts[0], export.versions)
                yield IndexProgress(stage="export", done=export.versions, total=total)
        finally:
            await asyncio.to_thread(export.close)
        yield export.versions

    async def close(self) -> None:
        """Whoever waits for an update or a search is told; a later request opens the index anew."""
        self._thread.closing = True
        await self.updates.close()
        await self._thread.close()

    # on the index's thread

    def _look(self, params: SearchParams, vector: Sequence[float]) -> tuple[list[Hit], bool, str, bool]:
        """Hits, whether the query is a question, what the caller should know of them, and whether every file was read.
        Opening the index asks the policy: once is enough."""
        index = self._thread.opened()
        asked = params.closely != "never" and understand(params.query).kind == "question"
        k = max(params.k, READ) if asked else params.k
        hits = index.search(params.query, k, language=params.language, query_vector=vector)
        self._thread.counts = index.counts()
        unread, waiting = index.missing()
        unknown = params.language and not languages_called(params.language)
        said = f"no language is called {params.language!r}" if unknown else self._note(index, unread, waiting)
        note = "; ".join(filter(None, (said, self.updates.remark)))
        return hits, asked, note, index.walked() and not unread

    def _note(self, index: Index, unread: int, waiting: int) -> str:
        if not (unread or waiting):
            if self._thread.counts[0]:
                return ""
            if self.updates.busy:
                return "nothing is indexed here yet: it is being read now"
            return NOTHING_HERE if index.walked() else "nothing is indexed here yet: run `pointsman index`"
        parts = []
        if unread:
            parts.append(f"{unread} files are not read yet")
        if index.serving != self._thread.bridge.name:
            parts.append(f"the vectors are {index.serving}'s, so the search is by words until all is embedded anew")
        elif waiting:
            parts.append(f"{waiting} pieces of code are found by their words only")
        return f"the index is still being built: {' and '.join(parts)}"

    def _places(self, symbol: str, file: str) -> UsesReply:
        index = self._thread.opened()
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
