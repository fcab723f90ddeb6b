"""Suggestions already made: the same place again, or the user typing what was suggested. Neither asks the model.

Entries hold cleaned suggestions as they stood before they were fitted to the right-hand side, since an editor's
auto-closed bracket changes that side while the user types.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from pointsman.complete.cursor import Cursor

_BEFORE = 2_000
_AFTER = 500
CLOSERS = ")]}\"'`>"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`text` goes in at the cursor; `score` is the mean log-probability of its tokens."""

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class _Entry:
    length: int
    """Code points before the cursor."""
    before: str
    after: str
    count: int
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    kind: str
    """exact or typed-through"""
    suggestions: tuple[Suggestion, ...]


class SuggestionCache:
    """Least recently used entries go first. One document's entries are found by its URI."""

    def __init__(self, capacity: int = 128) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[tuple[str, int, str, str], _Entry] = OrderedDict()

    def put(self, uri: str, cursor: Cursor, count: int, suggestions: tuple[Suggestion, ...]) -> None:
        before, after = cursor.before[-_BEFORE:], cursor.after[:_AFTER]
        key = (uri, len(cursor.before), before, after)
        self._entries[key] = _Entry(len(cursor.before), before, after, count, suggestions)
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def get(self, uri: str, cursor: Cursor, count: int) -> Hit | None:
        """The newest entry that fits; one that was asked for fewer alternatives than `count` does not."""
        for key, entry in reversed(self._entries.items()):
            if key[0] != uri or entry.count < count:
                continue
            typed = _typed(entry, cursor)
            if typed is None:
                continue
            left = tuple(
                Suggestion(s.text[len(typed) :], s.score)
                for s in entry.suggestions
                if s.text.startswith(typed) and s.text[len(typed) :].strip()
            )
            if left:
                self._entries.move_to_end(key)
                return Hit("typed-through" if typed else "exact", left)
        return None

    def clear(self) -> None:
        self._entries.clear()


def _typed(entry: _Entry, cursor: Cursor) -> str | None:
    """What was typed since the entry was made; None when anything else changed nearby."""
    grown = len(cursor.before) - entry.length
    if grown < 0 or grown > _AFTER or cursor.before[max(entry.length - _BEFORE, 0) : entry.length] != entry.before:
        return None
    after = cursor.after[: _AFTER + 8]
    if not _same_start(after, entry.after):
        closed = len(after) - len(after.lstrip(CLOSERS))
        added = next((n for n in range(1, min(closed, 8) + 1) if _same_start(after[n:], entry.after)), 0)
        if not (grown and added):
            return None
    return cursor.before[entry.length :]


def _same_start(after: str, known: str) -> bool:
    return after[:_AFTER] == known if len(known) < _AFTER else after.startswith(known)
