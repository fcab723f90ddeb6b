"""What search finds for the lines above the cursor: asked once for a place, and remembered while the cursor stays near.

A keystroke waits 150 ms at most, and goes without rather than longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from pointsman.complete.context import Chunk
from pointsman.complete.cursor import Cursor
from pointsman.complete.types import CompletionQuery
from pointsman.errors import PointsmanError
from pointsman.exclusion import ExclusionsOf, admitted
from pointsman.host.api import HostApi, SearchHit, SearchParams
from pointsman.models.base import Priority
from pointsman.models.prompting import estimate_tokens

SEARCH_SECONDS = 0.15
_QUERY_LINES = 6
_HITS = 8
_NEAR_LINES = 4
_FRESH_SECONDS = 30.0
_Place = tuple[str, int, float]
_NOWHERE: _Place = ("", 0, 0.0)


class Related:
    """The last hits of the document that is being typed in."""

    def __init__(self, host: HostApi, exclusions: ExclusionsOf) -> None:
        self._host = host
        self._exclusions = exclusions
        self._known: tuple[_Place, tuple[SearchHit, ...]] = (_NOWHERE, ())

    async def hits(self, query: CompletionQuery, cursor: Cursor) -> tuple[tuple[SearchHit, ...], str]:
        """Fresh hits in other files, best first, and what happened, in words."""
        snapshot, root = query.snapshot, query.snapshot.root
        if root is None:
            return (), "no search: no repository"
        line = cursor.before.count("\n")
        (uri, near, until), known = self._known
        if uri == snapshot.uri and abs(near - line) <= _NEAR_LINES and time.monotonic() < until:
            hits = await self._admitted(root, known)
            return hits, f"{len(hits)} hits, as a moment ago"
        wanted = "\n".join(cursor.before[-2000:].split("\n")[-_QUERY_LINES:]).strip()
        if not wanted:
            return (), "nothing to search for"
        params = SearchParams(
            path=str(root), query=wanted, k=_HITS, language=snapshot.language, priority=Priority.TYPING
        )
        place = (snapshot.uri, line, time.monotonic() + _FRESH_SECONDS)
        self._known = mine = (place, ())
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                reply = await self._host.search(params)
        except asyncio.CancelledError:
            if self._known is mine:
                self._known = (_NOWHERE, ())  # the next key asks again
            raise
        except TimeoutError:
            return (), f"search took longer than {SEARCH_SECONDS * 1000:.0f} ms"
        except PointsmanError as error:
            return (), f"search failed: {error.code}"
        hits = tuple(hit for hit in reply.hits if hit.fresh and hit.path != snapshot.relative)
        if self._known is mine:  # or another document, of another repository perhaps, was asked about meanwhile
            self._known = (place, hits)
        hits = await self._admitted(root, hits)
        return hits, f"{len(hits)} hits"

    async def _admitted(self, root: Path, hits: tuple[SearchHit, ...]) -> tuple[SearchHit, ...]:
        allowed = await asyncio.to_thread(admitted, root, {hit.path for hit in hits}, self._exclusions)
        return tuple(hit for hit in hits if hit.path in allowed)

    @staticmethod
    def chunks(hits: Sequence[SearchHit], budget: int) -> tuple[Chunk, ...]:
        """The best of them that fit in so many tokens, the best one last, next to the cursor."""
        chosen: list[Chunk] = []
        for hit in hits:
            cost = estimate_tokens(hit.text)
            if cost <= budget:
                chosen.append(Chunk(path=hit.path, text=hit.text))
                budget -= cost
        return tuple(reversed(chosen))
