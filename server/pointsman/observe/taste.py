"""What this user takes: a logistic regression over the local record of what was shown, on this machine alone.

It tells one kind of suggestion from another, and not how often any is taken: who takes few of every kind is shown what
is likely in general, as before. Only what came unasked teaches, for only that may stay unseen. Says nothing until
enough was shown. Learned in a thread of its own, again every ten minutes; a record that cannot be read is done without.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pointsman.errors import PointsmanError
from pointsman.observe.reader import Outcome, outcomes

ENOUGH, OF_EACH = 200, 20
"""Suggestions that were shown unasked, and of them taken and passed over at least, from which something can be said."""
_MOST = 2_000
_EVERY_SECONDS = 600.0
_STEPS, _RATE, _DECAY = 150, 1.0, 0.002
_TAKEN = ("accepted", "partly", "typed")

Weights = tuple[float, ...]


class Taste:
    """Args:
    file: the record of usage.
    now: seconds of a clock that never goes back.
    """

    def __init__(self, file: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._now = now
        self._weights: Weights | None = None
        self._learned = float("-inf")

    def odds(self, characters: int, lines: int, *, line_start: bool) -> float | None:
        """That such a one is taken, beside an average one as likely in general; None while too little is known."""
        if self._now() - self._learned > _EVERY_SECONDS:
            self._learned = self._now()
            threading.Thread(target=self.learn, name="taste", daemon=True).start()
        if self._weights is None:
            return None
        return math.exp(_product(self._weights, _features(characters, lines, line_start)))

    def learn(self) -> None:
        """Read the record and learn from it now."""
        try:
            self._weights = learned(outcomes(self._file, _MOST))
        except (PointsmanError, ValueError):
            self._weights = None


def learned(shown: Sequence[Outcome]) -> Weights | None:
    """Weights of the odds' logarithm, or None when there is too little to learn from."""
    examples = [
        (
            # Confidence is learned as well and then left out, or else what comes with it would count twice.
            (
                *_features(
                    int(one.features["characters"]), int(one.features["lines"]), not one.features["typed_on_line"]
                ),
                _sure(one.features["confidence"]),
            ),
            float(one.outcome in _TAKEN),
        )
        for one in shown
        if one.features.keys() >= {"confidence", "characters", "lines", "typed_on_line"}
        and one.features.get("automatic")
    ]
    taken = sum(right for _, right in examples)
    if len(examples) < ENOUGH or min(taken, len(examples) - taken) < OF_EACH:
        return None
    weights = [0.0] * len(examples[0][0])
    for _ in range(_STEPS):
        slopes = [_DECAY * weight for weight in weights]
        for values, right in examples:
            error = (1 / (1 + math.exp(-_product(weights, values))) - right) / len(examples)
            for at, value in enumerate(values):
                slopes[at] += error * value
        weights = [weight - _RATE * slope for weight, slope in zip(weights, slopes, strict=True)]
    own = weights[1:-1]
    average = [sum(values[at] for values, _ in examples) / len(examples) for at in range(1, len(weights) - 1)]
    return (-_product(own, average), *own)


def _features(characters: int, lines: int, line_start: bool) -> tuple[float, ...]:
    return (1.0, math.log1p(characters) / 3, float(lines > 1), float(line_start))


def _sure(confidence: float) -> float:
    return math.log(max(confidence, 0.01) / max(1 - confidence, 0.01)) / 2


def _product(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(w * x for w, x in zip(weights, values, strict=True))
