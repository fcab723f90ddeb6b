"""What the chat pipeline is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointsman.session import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    role: str
    """user or assistant"""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    text: str
    root: Path
    selection: Snapshot | None = None
    start: int = 0
    end: int = 0
    """Selected code points of `selection`; equal means none."""
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A numbered source that the answer refers to, as [n], with the hash of the file's text it was made from."""

    n: int
    path: str
    start_line: int
    end_line: int
    symbol: str
    sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTaken:
    """Where a request was answered and why. `endpoint` and `rule` are "" for local work without a rule."""

    target: str
    """local, closed or refused"""
    model: str
    reason: str
    endpoint: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    answer: str
    citations: tuple[Citation, ...]
    abstained: bool
    """True when the repository does not answer the question; `answer` then says so."""
    route: RouteTaken
