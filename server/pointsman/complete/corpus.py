"""The code around a cursor that is looked up: the document itself, others that were open, files near it and files that
search finds. Read from disk when they are wanted, each only if the exclusions admit it now; bounded in size and time.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from pointsman.complete.cursor import Cursor
from pointsman.complete.lexemes import Lexed
from pointsman.complete.lookup import Source
from pointsman.complete.types import CompletionQuery
from pointsman.exclusion import ExclusionsOf, admitted, why_excluded
from pointsman.session import Snapshot

_BEFORE, _AFTER = 40_000, 20_000
"""Code points of the document itself on either side."""
_STEP, _STABLE_LINES = 10_000, 40
"""The text above a cursor begins and is split at multiples of these code points and lines, so that most of it is as it
was at the last key."""
_LARGEST_FILE = 100_000
_MOST_CHARACTERS = 1_000_000
"""Of all texts that are kept: some 25 MB, for a window's process is to stay small."""
_NEIGHBOURS = 10
_MOST_LISTED = 2_000
_SECONDS = 0.08
"""For reading what is not known yet; the rest comes at the next key."""
_OWN, _BELOW, _OPEN, _NEAR, _FOUND = 2.0, 1.5, 1.2, 1.0, 1.0
_MOST_OPEN = 6


class Corpus:
    """Texts by where they come from; those used least recently go first. Belongs to one event loop's threads."""

    def __init__(self, exclusions: ExclusionsOf) -> None:
        self._exclusions = exclusions
        self._texts: OrderedDict[tuple[str, object], Lexed] = OrderedDict()
        self._changing = threading.Lock()  # a request that was cancelled may still read on its thread
        self._open: OrderedDict[str, Snapshot] = OrderedDict()
        """Documents that were completed in, by URI."""

    def noted(self, query: CompletionQuery) -> Snapshot | None:
        """Remember the document as one that is worked on; gives it as it was known before."""
        snapshot = query.snapshot
        before = self._open.get(snapshot.uri)
        self._open[snapshot.uri] = snapshot
        self._open.move_to_end(snapshot.uri)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return before

    def forget(self, uri: str) -> None:
        """The document was closed, or is excluded now."""
        self._open.pop(uri, None)

    def sources(self, query: CompletionQuery, cursor: Cursor, found: Iterable[str]) -> list[Source]:
        """What to look up in. `found` are root-relative paths, best first. Reads files, so call it in a thread."""
        snapshot = query.snapshot
        until = time.monotonic() + _SECONDS
        stable, recent = _split(cursor.before)
        below = cursor.after[len(cursor.line_after) : _AFTER]
        out = [
            Source(self._lexed(snapshot.uri, stable), _OWN),
            Source(Lexed(recent), _OWN),
            Source(self._lexed(snapshot.uri, below), _BELOW),
        ]
        for other in reversed(tuple(self._open.values())):
            alike = other.uri != snapshot.uri and (other.root, other.language) == (snapshot.root, snapshot.language)
            if alike and not why_excluded(other, self._exclusions):
                out.append(Source(self._lexed(other.uri, other.text[:_LARGEST_FILE]), _OPEN))
        if snapshot.root is not None and snapshot.path is not None:
            near = _neighbours(snapshot.path, snapshot.root)
            wanted = dict.fromkeys(found, _FOUND) | dict.fromkeys(near, _NEAR)
            wanted.pop(snapshot.relative, None)
            for name in sorted(admitted(snapshot.root, wanted, self._exclusions), key=list(wanted).index):
                if (lexed := self._file(snapshot.root / name, until)) is not None:
                    out.append(Source(lexed, wanted[name]))
        self._shrink()
        return out

    def _lexed(self, place: str, text: str) -> Lexed:
        return self._kept((place, hash(text)), lambda: text)

    def _file(self, path: Path, until: float) -> Lexed | None:
        """None for one that is missing, large, not text, or not known while time is up."""
        try:
            state = path.stat()
            key = (str(path), (state.st_mtime_ns, state.st_size))
            if key not in self._texts and (state.st_size > _LARGEST_FILE or time.monotonic() > until):
                return None
            return self._kept(key, lambda: path.read_text("utf-8").replace("\r\n", "\n"))
        except (OSError, ValueError):
            return None

    def _kept(self, key: tuple[str, object], text: Callable[[], str]) -> Lexed:
        known = self._texts.get(key)
        known = Lexed(text()) if known is None else known
        with self._changing:
            self._texts[key] = known
            self._texts.move_to_end(key)
        return known

    def _shrink(self) -> None:
        with self._changing:
            size = sum(one.characters for one in self._texts.values())
            while size > _MOST_CHARACTERS and self._texts:
                size -= self._texts.popitem(last=False)[1].characters


def _split(before: str) -> tuple[str, str]:
    """What stays the same from key to key, and what does not."""
    start = max(len(before) - _BEFORE, 0) // _STEP * _STEP
    lines = before[start:].split("\n")
    keep = (len(lines) - 1) // _STABLE_LINES * _STABLE_LINES
    return "\n".join(lines[:keep]), "\n".join(lines[keep:])


def _neighbours(path: Path, root: Path) -> list[str]:
    """Root-relative paths of files of the same kind in the same folder, those changed last first."""
    if not path.is_relative_to(root) or path.parent.resolve() != root.resolve() / path.parent.relative_to(root):
        return []  # through a linked folder, the rules that are read by name do not hold
    found: list[tuple[float, str]] = []
    try:
        with os.scandir(path.parent) as entries:
            for entry in islice(entries, _MOST_LISTED):
                if (
                    entry.name.endswith(path.suffix)
                    and entry.name != path.name
                    and entry.is_file(follow_symlinks=False)
                ):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, entry.name))
    except OSError:
        return []
    folder = path.parent.relative_to(root)
    return [(folder / name).as_posix() for _, name in sorted(found, reverse=True)[:_NEIGHBOURS]]
