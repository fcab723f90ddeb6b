"""How strongly a `Head` learns from a repository's lessons, and the learning itself.

Some repositories speak a language of their own and teach much; most teach little, and learning too hard from them does
harm. So each strength is tried on part of the lessons' files and asked about the rest of them; a stronger one is taken
only when it is surely better there, and then used on all lessons. The questions that decide whether the result is kept
are no part of this.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pointsman.worker.head import Head
from pointsman.worker.lowrank import Pair, Plan, train
from pointsman_indexer.evaluate.metrics import DEPTH, Interval, interval
from pointsman_indexer.holdout import Lesson

_RANK = 32
_VALIDATION_SHARE, _MOST_VALIDATION = 0.25, 0.4
_STEPS = 25
"""Of an epoch, about, so that a large repository takes no longer than its embedding."""
_LEAST_BATCH, _LARGEST_BATCH = 32, 128


@dataclass(frozen=True, kw_only=True)
class Strength:
    epochs: int
    rate: float


STRENGTHS = (Strength(epochs=10, rate=5e-4), Strength(epochs=20, rate=5e-4), Strength(epochs=30, rate=1e-3))


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Lessons with the vectors of their queries and of all pieces, by the embedder as it ships."""

    lessons: Sequence[Lesson]
    queries: Any
    pieces: Any
    learned: Sequence[int]
    """Numbers of the pieces in files that may be learned from; they are the wrong answers."""
    paths: Sequence[str]
    """Of all pieces."""

    def fit(self, skip: set[str], strength: Strength, seconds: float, seed: int) -> Head:
        """A head that learned from all files but those in `skip`."""
        pairs = [
            Pair(group=one.path, query=vector, code=self.pieces[one.piece], answer=one.piece)
            for one, vector in zip(self.lessons, self.queries, strict=True)
            if one.path not in skip
        ]
        others = self.pieces[torch.tensor([number for number in self.learned if self.paths[number] not in skip])]
        torch.manual_seed(seed)
        head = Head(self.pieces.shape[1], _RANK)
        plan = Plan(
            seconds=seconds,
            batch=min(_LARGEST_BATCH, max(_LEAST_BATCH, len(pairs) // _STEPS)),
            rate=strength.rate,
            epochs=strength.epochs,
            seed=seed,
        )
        train(
            lambda vectors: head(torch.stack(list(vectors))),
            list(head.parameters()),
            pairs,
            plan,
            others=lambda: head(others),
        )
        return head


@torch.enable_grad()  # type: ignore[untyped-decorator]  # torch is not looked into; the worker switches gradients off
def learn(lessons: Lessons, seconds: float, seed: int, told: Callable[[int, int], None]) -> Head:
    """At most about so many seconds. `told` gets the parts of the work that are done, and all of them."""
    held = _validation(lessons.lessons, seed)
    asked = [number for number, one in enumerate(lessons.lessons) if one.path in held and one.measures]
    pool = lessons.pieces[torch.tensor(lessons.learned)]
    place = {number: at for at, number in enumerate(lessons.learned)}
    answers = [(place[lessons.lessons[number].piece],) for number in asked]
    part = seconds / (len(STRENGTHS) + 1)
    best: list[float] = []
    chosen = STRENGTHS[0]
    for done, strength in enumerate(STRENGTHS if asked else ()):
        told(done, len(STRENGTHS) + 1)
        head = lessons.fit(held, strength, part, seed)
        with torch.no_grad():
            ranks = reciprocal_ranks(head(lessons.queries[asked]) @ head(pool).T, answers)
        if not best or is_better(gain_of(best, ranks)):
            best, chosen = ranks, strength
    told(len(STRENGTHS), len(STRENGTHS) + 1)
    return lessons.fit(set(), chosen, part, seed)


def _validation(lessons: Sequence[Lesson], seed: int) -> set[str]:
    """Files that hold about a quarter of the lessons."""
    counts = Counter(one.path for one in lessons)
    chosen: set[str] = set()
    taken = 0
    for path in sorted(counts, key=lambda path: hashlib.sha256(f"{seed}:validation:{path}".encode()).digest()):
        if taken >= _VALIDATION_SHARE * len(lessons):
            break
        if taken + counts[path] <= _MOST_VALIDATION * len(lessons):
            chosen.add(path)
            taken += counts[path]
    return chosen


def gain_of(before: Sequence[float], after: Sequence[float]) -> Interval:
    """Mean of the paired differences, with its interval."""
    return interval([new - old for old, new in zip(before, after, strict=True)])


def is_better(gain: Interval) -> bool:
    """Whether the interval lies above 0."""
    return gain[1] > 0


def verdict(before: Sequence[float], after: Sequence[float], earlier: Sequence[float] | None) -> tuple[bool, bool]:
    """Whether what was just learned is to be kept, and whether what was learned earlier still holds.

    All are ranks of the same questions: `before` by the embedder as it ships.
    """
    holds = earlier is not None and is_better(gain_of(before, earlier))
    kept = is_better(gain_of(before, after)) and (not holds or earlier is None or sum(after) >= sum(earlier))
    return kept, holds


def reciprocal_ranks(scores: Any, answers: Sequence[Sequence[int]]) -> list[float]:
    """MRR@10 of each question. `scores` has the shape (questions, pieces); of the answers the best one counts."""
    found = []
    for row, own in zip(scores, answers, strict=True):
        best = row[list(own)].max()
        rank = 1 + int((row > best).sum())
        found.append(1 / rank if rank <= DEPTH else 0.0)
    return found
