"""One thing to complete with a known answer."""

from __future__ import annotations

from dataclasses import dataclass

MASKS = ("line", "rest", "block")
"""How a repository's code is masked: a whole line, the rest of one from a column within it, a block of lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """`before` and `after` are what stands around the cursor; line ends are \\n."""

    kind: str
    """One of `MASKS`, or the name of a file of tasks."""
    path: str
    """Root-relative, with `/`."""
    language: str
    before: str
    after: str
    truth: str
    tail: str = ""
    """What a candidate program goes on with behind the document: its tests; "" where nothing is run."""
    lines: int = 0
    """How many lines of the answer count; 0 means all of them."""
