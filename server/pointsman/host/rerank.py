"""The best hits of a search put in the order in which they say what the query says.

A ranking by what is known of a piece of code is quick enough for every key, and tells what is worth reading; reading it
tells more (`pointsman.worker.compare`). Of questions: a name, a path or a stack trace says by itself what is meant, and
for descriptions the ranking is better as it is, for they are what it learned from (`bench/README.md`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pointsman_indexer import Hit

READ = 12
"""Hits that are read: of more, too many are near in words alone (`bench/README.md`)."""
_WEIGHT = 12.5
"""What a reading of 1 adds to the logarithm of a hit's score; tuned with `READ` on the questions `dev` and `held`."""
_LEAST_SCORE = 1e-4
_READING = 0.6
"""Share of the reading in the likeness of hits and query: either alone is fooled by more questions."""


def texts(hits: Sequence[Hit]) -> list[str]:
    """What is read of the hits."""
    return [f"{hit.path} {hit.symbol}\n{hit.text}" for hit in hits[:READ]]


def reordered(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The hits that were read anew, and the others behind them. A place keeps its score, whoever takes it."""
    first = hits[: len(scores)]
    worth = [math.log(max(hit.score, _LEAST_SCORE)) + _WEIGHT * like for hit, like in zip(first, scores, strict=True)]
    order = sorted(range(len(first)), key=lambda at: -worth[at])
    return [
        *(replace(first[at], score=place.score) for at, place in zip(order, first, strict=True)),
        *hits[len(first) :],
    ]


def likeness(hits: Sequence[Hit], scores: Sequence[float]) -> float:
    """How near hits and query are, by the best reading and the best cosine; where nothing has a vector yet, by the
    reading."""
    nearest = max((hit.cosine for hit in hits if hit.cosine is not None), default=max(scores))
    return _READING * max(scores) + (1 - _READING) * nearest
