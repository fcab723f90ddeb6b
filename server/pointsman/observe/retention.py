"""A piece of text that was accepted, followed through later edits: how much of it is still there.

Pure; offsets are code points. A piece whose surroundings were rewritten whole is found again only if it stands there
as it was.
"""

from __future__ import annotations

import re

from pointsman.session import Edit

AFTER_SECONDS = (30, 120, 300, 600)
"""When one looks whether the text is still there."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_MOST_TOKENS = 1_000


class Kept:
    """The accepted text of one suggestion. `since` is when it was accepted, on the caller's clock."""

    def __init__(self, id: str, text: str, start: int, since: float) -> None:
        self.id = id
        self.text = text
        self.now = text
        self.start = start
        self._since = since
        self._seen = 0

    @property
    def is_over(self) -> bool:
        return self._seen == len(AFTER_SECONDS)

    def due(self, now: float) -> list[tuple[int, float]]:
        """(after so many seconds, share kept) for each moment that has passed since the last call."""
        reached = sum(now - self._since >= seconds for seconds in AFTER_SECONDS)
        found = AFTER_SECONDS[self._seen : reached]
        self._seen = max(self._seen, reached)
        return [(seconds, share(self.text, self.now)) for seconds in found]

    def apply(self, edit: Edit) -> None:
        """Follow one edit. What is put in at either end of the piece is not part of it."""
        start, end = edit.start - self.start, edit.end - self.start
        length = len(self.now)
        if not length:
            # Emptied, as by an undo: what comes back at the place is what a redo puts in.
            if start == end == 0:
                self.now = edit.new
            elif end <= 0:
                self.start += len(edit.new) - (end - start)
        elif end <= 0:
            self.start += len(edit.new) - (end - start)
        elif start >= length:
            return
        elif start >= 0 and end <= length:
            self.now = self.now[:start] + edit.new + self.now[end:]
        else:
            self._overlapped(edit, start, end)

    def _overlapped(self, edit: Edit, start: int, end: int) -> None:
        at = edit.new.find(self.now)
        if at >= 0:
            self.start = edit.start + at
        elif start < 0:
            self.now = self.now[end:]
            self.start = edit.start + len(edit.new)
        else:
            self.now = self.now[:start]


def share(text: str, now: str) -> float:
    """How much of `text` is still in `now`, in order: 1 for all of it. White space does not count, so that a formatter
    changes nothing."""
    if now == text:
        return 1.0
    old, new = _TOKEN.findall(text)[:_MOST_TOKENS], _TOKEN.findall(now[: 4 * len(text) + 400])[: 2 * _MOST_TOKENS]
    return round(_common(old, new) / len(old), 3) if old else float(text in now)


def _common(old: list[str], new: list[str]) -> int:
    """Length of the longest common subsequence, a row of the table at a time as the bits of one number (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for index, token in enumerate(old):
        places[token] = places.get(token, 0) | 1 << index
    everything = (1 << len(old)) - 1
    row = everything
    for token in new:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & everything
    return len(old) - row.bit_count()
