"""The definitions that the document's imports bring into scope, by their signatures: a piece for each file.

Asked of the index's graph once for a document, and remembered for a while. Their order is the graph's, so that the same
imports give the same text and the engine finds it in its cache.
"""

from __future__ import annotations

import asyncio
import time

from pointsman.complete.context import Chunk
from pointsman.complete.cursor import Cursor
from pointsman.complete.types import CompletionQuery
from pointsman.errors import PointsmanError
from pointsman.exclusion import ExclusionsOf, admitted
from pointsman.host.api import HostApi, InScopeParams, Place
from pointsman.models.prompting import estimate_tokens

_SECONDS = 0.05
_FRESH_SECONDS = 60.0


class InScope:
    """What the imports of the document that is being typed in bring."""

    def __init__(self, host: HostApi, exclusions: ExclusionsOf) -> None:
        self._host = host
        self._exclusions = exclusions
        self._known: tuple[str, float, tuple[Place, ...]] = ("", 0.0, ())

    async def chunks(self, query: CompletionQuery, cursor: Cursor, budget: int) -> tuple[Chunk, ...]:
        """Signatures out of other files, within so many tokens. Waits 50 ms at most, and goes without rather than
        longer."""
        snapshot, root = query.snapshot, query.snapshot.root
        if root is None:
            return ()
        uri, until, places = self._known
        if uri != snapshot.uri or time.monotonic() >= until:
            params = InScopeParams(path=str(root), file=snapshot.relative, line=cursor.before.count("\n") + 1)
            try:
                async with asyncio.timeout(_SECONDS):
                    reply = await self._host.in_scope(params)
            except (TimeoutError, PointsmanError):
                return ()
            places = tuple(place for place in reply.definitions if place.path != snapshot.relative)
            self._known = snapshot.uri, time.monotonic() + _FRESH_SECONDS, places
        allowed = await asyncio.to_thread(admitted, root, {place.path for place in places}, self._exclusions)
        files: dict[str, list[str]] = {}
        for place in places:
            cost = estimate_tokens(place.signature) + 1
            if place.path in allowed and place.signature and cost <= budget:
                files.setdefault(place.path, []).append(place.signature)
                budget -= cost
        return tuple(Chunk(path=path, text="\n".join(lines)) for path, lines in files.items())
