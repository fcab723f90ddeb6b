"""The best hits of a search put in the order in which they say what the query says.

A ranking by what is known of a piece of code is quick enough for every key, and tells what is worth reading; reading it
tells more (`pointsman.worker.compare`). Of questions: a name, a path or a stack trace says by itself what is meant, and
for descriptions the ranking is better as it is, for they are what it learned from (`bench/README.md`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from pointsman.errors import EngineError
from pointsman.models.base import Priority, TextEmbedder
from pointsman_indexer import Hit
from pointsman_indexer.intent import understand

log = logging.getLogger(__name__)
READ = 12
"""Hits that are read: of more, too many are near in words alone (`bench/README.md`)."""
_WEIGHT = 12.5
"""What a likeness of 1 adds to the logarithm of a hit's score; tuned with `READ` on the questions `dev` and `held`."""
_LEAST_SCORE = 1e-4
_READING = 0.6
"""Share of the reading in the likeness of hits and query: either alone is fooled by more questions."""


async def reranked(
    embedder: TextEmbedder, query: str, hits: Sequence[Hit], priority: Priority
) -> tuple[list[Hit], float | None]:
    """The first hits anew, and the others behind them; and the hits' likeness to the query, of the best reading and the
    best cosine, or of the reading alone where nothing has a vector yet; None when nothing was read.

    A place keeps its score, whoever takes it.
    """
    first = list(hits[:READ])
    texts = [f"{hit.path} {hit.symbol}\n{hit.text}" for hit in first]
    try:
        scores = await embedder.compare(query, texts, priority=priority)
    except EngineError as error:  # out of memory, perhaps: what was found is worth showing all the same
        log.warning("hits are not read: %s", error.code)
        scores = None
    if not scores:
        return list(hits), None
    nearest = max((hit.cosine for hit in hits if hit.cosine is not None), default=max(scores))
    likeness = _READING * max(scores) + (1 - _READING) * nearest
    if understand(query).kind != "question":
        return list(hits), likeness
    worth = [math.log(max(hit.score, _LEAST_SCORE)) + _WEIGHT * like for hit, like in zip(first, scores, strict=True)]
    order = sorted(range(len(first)), key=lambda at: -worth[at])
    moved = [replace(first[at], score=place.score) for at, place in zip(order, first, strict=True)]
    return [*moved, *hits[READ:]], likeness
