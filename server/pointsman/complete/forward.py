"""Ahead of the user: once a suggestion has stood for a moment, what would follow its acceptance is made and cached.

One document at a time, and never in the way: the next request ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pointsman.complete.cache import Suggestion
from pointsman.complete.types import CompletionQuery, Item
from pointsman.errors import PointsmanError

_SECONDS = 0.2
"""A suggestion that is typed over sooner was not read."""
_LIKELY = 0.25
"""Confidence from which a suggestion is likely enough to be taken."""


class Forward:
    """Args:
    make: completes a query into the cache.
    """

    def __init__(self, make: Callable[[CompletionQuery], Awaitable[None]]) -> None:
        self._make = make
        self._task: asyncio.Task[None] | None = None

    def after(self, query: CompletionQuery, suggestion: Suggestion, item: Item) -> None:
        """Go on from where `query`'s document would be with `item` in it."""
        if suggestion.confidence >= _LIKELY:
            self.stop()
            self._task = asyncio.create_task(self._run(accepted(query, item)), name="complete ahead")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def close(self) -> None:
        task = self._task
        self.stop()
        if task is not None:
            await asyncio.wait([task])

    async def _run(self, query: CompletionQuery) -> None:
        await asyncio.sleep(_SECONDS)
        with contextlib.suppress(PointsmanError):
            await self._make(query)


def accepted(query: CompletionQuery, item: Item) -> CompletionQuery:
    """The query that follows when the item is taken."""
    text = query.snapshot.text
    return replace(
        query,
        snapshot=replace(query.snapshot, text=text[: item.start] + item.text + text[item.end :]),
        offset=item.start + len(item.text),
        selected=None,
        patience_ms=0.0,
    )
