"""What the prompt may hold: a window around the cursor, and chunks of other files when the model can use them.

Budgets are tokens, estimated from characters. The window's start moves in steps, so that the next keystroke's prompt
begins with the same text and the engine finds its prefix in the cache.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from pointsman.complete.cursor import Cursor
from pointsman.errors import PointsmanError
from pointsman.exclusion import ExclusionsOf, admitted
from pointsman.host.api import HostApi, ModelFacts, SearchParams
from pointsman.models.base import Priority
from pointsman.models.prompting import CHARS_PER_TOKEN, estimate_tokens

SEARCH_SECONDS = 0.15
_QUERY_LINES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Tokens for each part of the prompt."""

    before: int
    after: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    before: str
    after: str
    complete_before: bool
    """True when `before` starts where the document does."""
    chunks: tuple[Chunk, ...]


def budget_for(facts: ModelFacts, answer_tokens: int) -> Budget:
    """A model that fills in the middle gets a suffix and other files; one that does not would only be confused.

    512 tokens of prefix take such a small model under 2 s on two CPU cores when nothing is cached.
    """
    room = max(facts.context_length - answer_tokens - 64, 128)
    if facts.fim is None:
        return Budget(before=min(512, room), after=0, chunks=0)
    room = min(room, 2048)
    return Budget(before=room * 5 // 10, after=room * 2 // 10, chunks=room * 3 // 10)


def window(cursor: Cursor, budget: Budget) -> Context:
    """The text around the cursor that the budget allows, without chunks."""
    most = int(budget.before * CHARS_PER_TOKEN)
    start = 0
    if len(cursor.before) > most:
        step = max(most // 4, 1)
        start = -(-(len(cursor.before) - most) // step) * step
        newline = cursor.before.find("\n", start)
        start = newline + 1 if 0 <= newline < len(cursor.before) - most // 4 else start
    after = cursor.after[: int(budget.after * CHARS_PER_TOKEN)]
    return Context(before=cursor.before[start:], after=after, complete_before=start == 0, chunks=())


async def related(
    host: HostApi, exclusions: ExclusionsOf, root: Path, path: str, language: str, cursor: Cursor, budget: int
) -> tuple[tuple[Chunk, ...], str]:
    """Fresh chunks of other files that resemble the lines above the cursor, and what happened, in words.

    Gives up after `SEARCH_SECONDS`: a suggestion without them is better than a late one.
    """
    query = "\n".join(cursor.before[-2000:].split("\n")[-_QUERY_LINES:]).strip()
    if not query:
        return (), "nothing to search for"
    params = SearchParams(path=str(root), query=query, k=6, language=language, priority=Priority.TYPING)
    try:
        async with asyncio.timeout(SEARCH_SECONDS):
            reply = await host.search(params)
    except TimeoutError:
        return (), f"search took longer than {SEARCH_SECONDS * 1000:.0f} ms"
    except PointsmanError as error:
        return (), f"search failed: {error.code}"
    allowed = await asyncio.to_thread(admitted, root, {hit.path for hit in reply.hits}, exclusions)
    chunks: list[Chunk] = []
    for hit in reply.hits:
        cost = estimate_tokens(hit.text)
        if hit.fresh and hit.path != path and hit.path in allowed and cost <= budget:
            chunks.append(Chunk(path=hit.path, text=hit.text))
            budget -= cost
    return tuple(reversed(chunks)), f"{len(chunks)} chunks of other files"
