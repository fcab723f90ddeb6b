"""What the completion pipeline is asked and what it answers. Offsets are code points in the snapshot's text."""

from __future__ import annotations

from dataclasses import dataclass, field

from pointsman.session import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedCompletion:
    """The entry picked in the editor's completion menu: an item must extend `text` over the same range."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionQuery:
    snapshot: Snapshot
    offset: int
    count: int = 1
    """How many alternatives at most."""
    automatic: bool = True
    selected: SelectedCompletion | None = None
    patience_ms: float = 0.0
    """How long to wait before the model is asked, for a key that may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """`text` replaces [start, end), which lies on one line."""

    id: str
    text: str
    score: float
    """Mean log-probability of a token; higher is better."""
    start: int
    end: int
    confidence: float = 0.5
    """How likely it is what the user goes on to write, between 0 and 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one stage of the pipeline did, so that "why this" and "why nothing" can be answered."""

    stage: str
    outcome: str
    ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    items: tuple[Item, ...]
    model: str
    timings_ms: dict[str, float] = field(default_factory=dict)
    """context, queue, prefill, decode, clean, total."""
    stages: tuple[Stage, ...] = ()
    reason: str | None = None
    """Why there is nothing, in words; None when there is something. What is particular to the case comes behind a
    colon, for the part before is recorded."""
