"""Types bursts into a system that suggests, and notes what came, and when. Knows no system."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import Protocol

from pointsman.measure.keystrokes import Burst, Stroke


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What one request brought. `text` goes in at the cursor; "" is nothing."""

    text: str = ""
    tokens: int = 0
    """That a model generated for it."""
    source: str = "model"
    """model, repository where it was found there without asking the model, the kind of cache, or refused: nothing."""
    reason: str = ""
    """Why there is no text."""
    stages_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `ms` until its answer; None when the next keystroke came first."""

    suggestion: Suggestion
    ms: float | None
    typed_on: int = 0
    """Code points of the suggestion that were then typed."""


class System(Protocol):
    name: str

    async def open(self, burst: Burst) -> None: ...

    async def change(self, before: str, stroke: Stroke, after: str) -> None:
        """Tell of an edit; the request follows."""
        ...

    async def suggest(self, text: str, cursor: int) -> Suggestion:
        """Answer at the cursor. Cancelled when the next keystroke comes first."""
        ...

    async def explain(self, suggestion: Suggestion) -> Suggestion:
        """What else is known of the last answer; not part of its time."""
        ...


async def play(system: System, burst: Burst, pace: float) -> list[Asked]:
    """Type the burst. With a `pace` of 0 seconds each answer is waited for, else a keystroke comes every `pace`."""
    await system.open(burst)
    text, out, typed = burst.text, list[Asked](), list[tuple[int, str]]()
    for number, stroke in enumerate(burst.strokes):
        before, text = text, stroke.edit.applied(text)
        began = time.perf_counter()
        await system.change(before, stroke, text)
        if not stroke.typed:
            continue
        asked = await _ask(system, text, stroke.cursor, pace)
        out.append(asked)
        typed.append((number, asked.suggestion.text))
        if pace:
            await asyncio.sleep(max(0.0, began + pace - time.perf_counter()))
    return [replace(one, typed_on=_typed_on(burst, *place)) for one, place in zip(out, typed, strict=True)]


async def _ask(system: System, text: str, cursor: int, pace: float) -> Asked:
    began = time.perf_counter()
    task = asyncio.create_task(system.suggest(text, cursor))
    try:
        await asyncio.wait([task], timeout=pace or None)
    finally:
        task.cancel()  # does nothing to one that is done
    if not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return Asked(suggestion=Suggestion(reason="the next keystroke came first"), ms=None)
    ms = (time.perf_counter() - began) * 1000
    return Asked(suggestion=await system.explain(task.result()), ms=ms)


def _typed_on(burst: Burst, number: int, suggested: str) -> int:
    """How much of what was suggested at stroke `number` the strokes after it went on to type, from its start."""
    at, count = burst.strokes[number].cursor, 0
    for stroke in burst.strokes[number + 1 :]:
        new = stroke.edit.new
        if stroke.edit.start != at + count or stroke.edit.end != stroke.edit.start:
            break
        same = next((n for n, (a, b) in enumerate(zip(new, suggested[count:], strict=False)) if a != b), len(new))
        count = min(count + same, len(suggested))
        if same < len(new):
            break
    return min(count, len(suggested))
