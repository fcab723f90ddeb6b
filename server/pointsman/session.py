"""All mutable editor state, on the event loop's thread only. Hands out frozen snapshots.

A handler takes its snapshot before its first `await`: the document moves on while a model thinks.
Offsets are code points; converting the editor's positions is `lsp/positions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One document at one moment. Safe to hand to any task or thread."""

    uri: str
    """As the client spelled it; replies use it unchanged."""
    path: Path | None
    """None for a buffer that is not a file."""
    root: Path | None
    """Workspace folder or repository that the file belongs to."""
    language: str
    version: int
    text: str

    @property
    def relative(self) -> str:
        """Path below the root with `/`; the bare name, or the URI, when there is no root."""
        if self.path is None:
            return self.uri
        if self.root is not None and self.path.is_relative_to(self.root):
            return self.path.relative_to(self.root).as_posix()
        return self.path.name
