"""What was edited lately elsewhere: the lines around each of the last changes, for models that read other text.

Sees the documents that are completed in, as they come; knows no editor.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from pointsman.complete.context import Chunk
from pointsman.exclusion import ExclusionsOf, admitted
from pointsman.models.prompting import estimate_tokens
from pointsman.session import Snapshot, difference

_EDITS = 8
_AROUND = 2
"""Lines on either side of a change."""
_LONGEST = 30
"""Lines of a change; a longer one was pasted, or is a file that was loaded anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    root: Path | None
    path: str
    line: int
    """Its first line when it was made, 0-based: near enough to tell whether two are of one place."""
    text: str


class Recent:
    """The last edits, newest last."""

    def __init__(self) -> None:
        self._edits: deque[_Edit] = deque(maxlen=_EDITS)

    def noted(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """Remember what changed in the document since it was seen last, as `before`."""
        text = snapshot.text
        if before is None or before.text == text:
            return
        edit = difference(before.text, text)
        if edit.new.count("\n") > _LONGEST:
            return
        start, end = edit.start, edit.start + len(edit.new)
        for _ in range(_AROUND + 1):
            start = text.rfind("\n", 0, max(start - 1, 0)) + 1
            end = following if (following := text.find("\n", end + 1)) >= 0 else len(text)
        made = _Edit(root=snapshot.root, path=snapshot.relative, line=text.count("\n", 0, start), text=text[start:end])
        # Typing is many edits of one place: the last one shows them all.
        kept = [one for one in self._edits if one.path != made.path or abs(one.line - made.line) > 2 * _AROUND]
        self._edits = deque([*kept, made], maxlen=_EDITS)

    def forget(self, snapshot: Snapshot) -> None:
        """The document was closed, or is excluded now."""
        kept = (one for one in self._edits if (one.root, one.path) != (snapshot.root, snapshot.relative))
        self._edits = deque(kept, maxlen=_EDITS)

    def chunks(self, snapshot: Snapshot, budget: int, exclusions: ExclusionsOf) -> tuple[Chunk, ...]:
        """Edits of this repository's other files, oldest first, within so many tokens. Call it in a thread."""
        root = snapshot.root
        others = [one for one in self._edits if one.root == root and one.path != snapshot.relative]
        if root is None or not others:
            return ()
        allowed = admitted(root, {one.path for one in others}, exclusions)
        chosen: list[Chunk] = []
        for one in reversed(others):
            cost = estimate_tokens(one.text)
            if one.path in allowed and cost <= budget:
                chosen.append(Chunk(path=one.path, text=one.text))
                budget -= cost
        return tuple(reversed(chosen))
