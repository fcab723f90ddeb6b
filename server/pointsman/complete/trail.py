"""The record of one completion: which stage did what, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pointsman.complete.types import Completion, Item, Stage

_NAMES = ("context", "queue", "prefill", "decode", "clean", "total")


class Trail:
    """Collects stages and milliseconds; `end` freezes them."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._stages: list[Stage] = []
        self._timings = dict.fromkeys(_NAMES, 0.0)

    def note(self, stage: str, outcome: str, ms: float = 0.0) -> None:
        """What a stage did, in words."""
        self._stages.append(Stage(stage=stage, outcome=outcome, ms=round(ms, 3)))

    def add_ms(self, name: str, ms: float) -> None:
        """Add to one of context, queue, prefill, decode, clean."""
        self._timings[name] += ms

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the block's milliseconds to `name`."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add_ms(name, (time.perf_counter() - begun) * 1000)

    def end(self, items: tuple[Item, ...], *, model: str, reason: str | None) -> Completion:
        self._timings["total"] = (time.perf_counter() - self._begun) * 1000
        return Completion(
            items=items,
            model=model,
            timings_ms={name: round(ms, 3) for name, ms in self._timings.items()},
            stages=tuple(self._stages),
            reason=reason,
        )
