"""Suggestions already made: the same place again, the user typing what was suggested, or what was made ahead. None asks
the model. That there was nothing is remembered too, for the place and the rest of the word.

Entries hold cleaned suggestions as they stood before they were fitted to the right-hand side, since an editor's
auto-closed bracket changes that side while the user types.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from pointsman.complete.cursor import Cursor

_BEFORE = 2_000
_AFTER = 500
_WORD = 24
CLOSERS = ")]}\"'`>"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`text` goes in at the cursor; `score` is the mean log-probability of its tokens, `confidence` how likely it is
    what the user goes on to write, between 0 and 1."""

    text: str
    score: float
    confidence: float = 0.5
    origin: str = ""
    """model or lookup"""
    features: tuple[float, ...] = ()
    """What `confidence` was judged by."""


@dataclass(frozen=True, slots=True)
class _Entry:
    length: int
    """Code points before the cursor."""
    before: str
    after: str
    count: int
    suggestions: tuple[Suggestion, ...]
    reason: str
    ahead: bool


@dataclass(frozen=True, slots=True)
class Hit:
    kind: str
    """exact, typed-through, ahead (made before it was asked for), or nothing: the place gave nothing a moment ago."""
    suggestions: tuple[Suggestion, ...]
    reason: str = ""


class SuggestionCache:
    """Least recently used entries go first. One document's entries are found by its URI."""

    def __init__(self, capacity: int = 128) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[tuple[str, int, str, str], _Entry] = OrderedDict()

    def put(
        self,
        uri: str,
        cursor: Cursor,
        count: int,
        suggestions: tuple[Suggestion, ...],
        *,
        reason: str = "",
        ahead: bool = False,
    ) -> None:
        """`reason` says why there are none; `ahead` that nobody asked yet."""
        before, after = cursor.before[-_BEFORE:], cursor.after[:_AFTER]
        key = (uri, len(cursor.before), before, after)
        self._entries[key] = _Entry(len(cursor.before), before, after, count, suggestions, reason, ahead)
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
                replace(s, text=s.text[len(typed) :])
                for s in entry.suggestions
                if s.text.startswith(typed) and s.text[len(typed) :].strip()
            )
            if left:
                self._entries.move_to_end(key)
                return Hit("typed-through" if typed else "ahead" if entry.ahead else "exact", left)
            if not entry.suggestions and _within_word(entry.before[-1:] + typed if typed else ""):
                return Hit("nothing", (), entry.reason)
        return None

    def clear(self) -> None:
        self._entries.clear()


def _within_word(text: str) -> bool:
    return len(text) <= _WORD and all(char == "_" or char.isalnum() for char in text)


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
