"""A suggestion that may be on the screen, and how much of it stands in the document after each edit.

It judges by the text and not by the shape of an edit: editors tell the same change as an insertion here or there, as
a replaced line or in several pieces. Pure; offsets are code points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman.session import Edit

_AROUND = 200
_CLOSERS = frozenset(")]}>\"'`")
_MOST_CLOSERS = 4
"""What an editor closes by itself behind the cursor while brackets are typed."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """`text` would replace [start, end)."""

    id: str
    text: str
    start: int
    end: int


class Ghost:
    """The alternatives that were offered at one place, all with the same start.

    A window of the document around them is kept: `head`, then `middle` which a suggestion would replace, then `tail`.
    """

    def __init__(self, alternatives: Sequence[Alternative], document: str) -> None:
        start, end = alternatives[0].start, max(a.end for a in alternatives)
        # An alternative with a shorter range writes what follows it as well.
        self.alternatives = [replace(a, text=a.text + document[a.end : end], end=end) for a in alternatives]
        room = _AROUND + max(len(a.text) for a in alternatives)
        self._head = document[max(start - _AROUND, 0) : start]
        self._middle = self._replaced = document[start:end]
        self._tail = document[end : end + room]
        self._room = room
        self._at = start - len(self._head)
        self.chosen = self.alternatives[0]
        """The alternative of which most stands there."""
        found = self._most(self._middle)
        self.done = self.base = found[0] if found else 0
        """Code points of `chosen` that stand there now, and those that did from the start."""

    @property
    def start(self) -> int:
        return self._at + len(self._head)

    @property
    def is_whole(self) -> bool:
        return self.done == len(self.chosen.text) and self.done > self.base

    def continued_by(self, others: Sequence[Alternative]) -> bool:
        """Whether `others` stand where this does now, and one of them is what is left of it."""
        places = (self.start, self.start + self.done)
        texts = {a.text for a in self.alternatives}
        return all(o.start in places for o in others) and any(
            self._whole(o) in {text + self._beyond(o) for text in texts} for o in others
        )

    def join(self, others: Sequence[Alternative]) -> None:
        """Take in alternatives that stand where this does now."""
        if more := max((self._beyond(o) for o in others), key=len):
            self.alternatives = [replace(a, text=a.text + more) for a in self.alternatives]
            self.chosen = replace(self.chosen, text=self.chosen.text + more)
            self._middle, self._replaced = self._middle + more, self._replaced + more
            self._tail = self._tail[len(more) :]
        known = {a.text for a in self.alternatives}
        for other in others:
            if (text := self._whole(other)) not in known:
                known.add(text)
                self.alternatives.append(Alternative(other.id, text, self.start, other.end))

    def apply(self, edits: Sequence[Edit]) -> bool:
        """Follow edits that came together. False when what stands there now is no part of a suggestion."""
        if not all(self._followed(edit) for edit in edits):
            return False
        found = self._most(self._middle)
        if found is None:
            return False
        self.done, self.chosen = found
        return True

    def _whole(self, other: Alternative) -> str:
        """What would stand from `start` to the end of the middle, or of the other's range, if it were taken."""
        first, last = other.start - self.start, other.end - self.start
        return self._middle[:first] + other.text + self._middle[last:]

    def _beyond(self, other: Alternative) -> str:
        """What the other's range covers behind the middle."""
        return self._tail[: max(other.end - self.start - len(self._middle), 0)]

    def _followed(self, edit: Edit) -> bool:
        window = self._head + self._middle + self._tail
        start, end, new = edit.start - self._at, edit.end - self._at, edit.new
        if end < 0 or (end == 0 and self._head):
            self._at += len(new) - (end - start)
            return True
        if start > len(window):
            return True
        left, right = len(self._head), len(self._head) + len(self._middle)
        if start < 0 or end > len(window):
            return self._cut(edit, window, start, end)
        removed = window[start:end]
        same = _shared(removed, new)
        start, removed, new = start + same, removed[same:], new[same:]
        same = _shared(removed[::-1], new[::-1])
        end, new = start + len(removed) - same, new[: len(new) - same]
        changed = window[:start] + new + window[end:]
        if start >= left and end <= right:
            self._middle = changed[left : right + len(changed) - len(window)]
            return True
        # Where the text repeats, the same change can be told at several places.
        told_elsewhere = changed[left : len(changed) - len(self._tail)]
        if (
            len(changed) >= left + len(self._tail)
            and changed.startswith(self._head)
            and changed.endswith(self._tail)
            and (found := self._most(told_elsewhere)) is not None
            and found[0] > self.done
        ):
            self._middle = told_elsewhere
            return True
        if start >= right:
            self._tail = changed[right : right + self._room]
            return True
        if end <= left and _has_line_end(window[end:left]):
            head = changed[: left + len(changed) - len(window)]
            self._at += max(len(head) - 2 * _AROUND, 0)
            self._head = head[-2 * _AROUND :]
            return True
        return False

    def _cut(self, edit: Edit, window: str, start: int, end: int) -> bool:
        """Follow an edit that reaches out of the window: what it leaves of head or tail is all that is known then."""
        left, right = len(self._head), len(self._head) + len(self._middle)
        if start >= right:
            self._tail = window[right:start]
            return True
        if end <= left and _has_line_end(window[end:left]):
            self._head = window[end:left]
            self._at = edit.start + len(edit.new)
            return True
        return False

    def _most(self, middle: str) -> tuple[int, Alternative] | None:
        """The longest start of an alternative that `middle` begins with; None when more than that stands there."""
        best: tuple[int, Alternative] | None = None
        for alternative in (self.chosen, *self.alternatives):
            done = _shared(alternative.text, middle)
            if self._is_left_over(middle[done:]) and (best is None or done > best[0]):
                best = done, alternative
        return best

    def _is_left_over(self, rest: str) -> bool:
        """Whether it stood there before, but for brackets that an editor closes by itself."""
        closed = rest[: len(rest) - _shared(rest[::-1], self._replaced[::-1])]
        return len(closed) <= _MOST_CLOSERS and _CLOSERS.issuperset(closed)


def _has_line_end(text: str) -> bool:
    return "\n" in text or "\r" in text


def _shared(left: str, right: str) -> int:
    """Length of the common start."""
    most = min(len(left), len(right))
    return next((n for n in range(most) if left[n] != right[n]), most)
