"""Ranked answers to figures: MRR@10, NDCG@10 and recall, each with a 95 % bootstrap interval (Efron 1979). Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import ceil, log2

DEPTH = 10
_RESAMPLES = 1000

Interval = tuple[float, float, float]
"""Value, lower and upper end."""


def figures(found: Sequence[int | None], answers: int) -> dict[str, float]:
    """Of one query. `found` holds for each hit, best first, the number of the answer that it gives, or None.

    An answer counts where it is first given.
    """
    seen: set[int] = set()
    gains = []
    for number in found[:DEPTH]:
        gains.append(number is not None and number not in seen)
        if number is not None:
            seen.add(number)
    first = next((rank for rank, gain in enumerate(gains, 1) if gain), 0)
    ideal = sum(1 / log2(rank + 1) for rank in range(1, min(answers, DEPTH) + 1))
    return {
        "mrr@10": 1 / first if first else 0.0,
        "ndcg@10": sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, 1)) / ideal,
        **{f"recall@{k}": sum(gains[:k]) / min(answers, k) for k in (1, 5, 10)},
    }


def summary(rows: Sequence[Mapping[str, float]]) -> dict[str, Interval]:
    """Means over queries."""
    return {name: interval([row[name] for row in rows]) for name in rows[0]} if rows else {}


def interval(values: Sequence[float]) -> Interval:
    """The mean and the middle 95 % of means of resampled values; the seed is fixed, so that a run can be repeated."""
    draw = random.Random(0)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(_RESAMPLES))
    low, high = means[round(0.025 * _RESAMPLES)], means[round(0.975 * _RESAMPLES) - 1]
    return round(sum(values) / len(values), 4), round(low, 4), round(high, 4)


def percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank: the least value that so many percent do not exceed."""
    return sorted(values)[ceil(len(values) * percent / 100) - 1]
