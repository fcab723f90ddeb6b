"""What the prompt may hold: a window around the cursor, and chunks of other files when the model can use them.

Budgets are tokens, estimated from characters. The window's start moves in steps, so that the next keystroke's prompt
begins with the same text and the engine finds its prefix in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.complete.cursor import Cursor
from pointsman.host.api import ModelFacts
from pointsman.models.prompting import CHARS_PER_TOKEN


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

    Such a small model writes no better from 512 tokens of prefix than from 256 (`bench/README.md`), which take two CPU
    cores 3 to 4 ms each where nothing is cached: at the first key somewhere else in a file.
    """
    room = max(facts.context_length - answer_tokens - 64, 128)
    if facts.fim is None:
        return Budget(before=min(256, room), after=0, chunks=0)
    room = min(room, 2048)
    return Budget(before=room * 5 // 10, after=room * 2 // 10, chunks=room * 3 // 10)


def window(cursor: Cursor, budget: Budget) -> Context:
    """The text around the cursor that the budget allows, without chunks."""
    most = int(budget.before * CHARS_PER_TOKEN)
    start = 0
    if len(cursor.before) > most:
        # Half a window, so that a step, which costs what it leaves, comes seldom.
        step = max(most // 2, 1)
        start = -(-(len(cursor.before) - most) // step) * step
        newline = cursor.before.find("\n", start)
        start = newline + 1 if 0 <= newline < len(cursor.before) - most // 4 else start
    after = cursor.after[: int(budget.after * CHARS_PER_TOKEN)]
    return Context(before=cursor.before[start:], after=after, complete_before=start == 0, chunks=())
