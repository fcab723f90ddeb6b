"""What the chat pipeline is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointsman.routed import Receipt, RouteTaken, Target
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
    target: Target = "auto"
    dry_run: bool = False
    """Find the sources, decide the route and build the outgoing body, send nothing and ask no model."""
    approved_sha256: str = ""
    """Hash of the outgoing body that the user saw and approved; "" when none was shown."""

    @property
    def before(self) -> str:
        """What the user asked last; what was answered says more about a model than about the code."""
        return next((turn.text for turn in reversed(self.history) if turn.role == "user"), "")


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
class Answer:
    answer: str
    citations: tuple[Citation, ...]
    abstained: bool
    """True when the repository does not answer the question; `answer` then says so."""
    route: RouteTaken
    redactions: int = 0
    marks: tuple[str, ...] = ()
    """Each placeholder of the preview, with the rule that put it there and how often it stands."""
    receipt: Receipt | None = None
    """What left, when anything did."""
    note: str = ""
    """What the user should know besides: a fallback, sources that stay here."""
    preview: str = ""
    """The exact outgoing body, after redaction, when `dry_run` asked for it or policy wants it shown first."""
    preview_sha256: str = ""
