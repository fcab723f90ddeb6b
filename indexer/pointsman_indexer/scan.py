"""Lexical search of files that are not in the index yet: read them, look for the query's terms, for a short time.

So a repository answers within a second of being opened. Scores are BM25's with the windows at hand as the collection.
Knows nothing of catalogues or stores.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pointsman_indexer import files
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.languages import language_of
from pointsman_indexer.lines import Lines

_WINDOW, _LEAD = 40, 3
"""Lines of a window, and those of them before its first match."""
_MOST_IN_FILE = 200
"""Matches of one term that are looked at."""
_MOST_WINDOWS = 3
_LARGEST = 8000
_K1 = 1.5
_SHORTEST = 3
"""Shorter terms are in every file."""


def scan(
    root: Path, paths: Iterable[str], terms: Collection[str], limit: int, seconds: float, exclusions: Exclusions
) -> list[tuple[Chunk, float]]:
    """The best `limit` windows of text that hold some of `terms`, best first, with their scores.

    Files whose names hold a term are read first; when `seconds` are over, the rest is left out.
    """
    wanted = {term.casefold(): term.casefold().encode() for term in terms if len(term) >= _SHORTEST}
    if not wanted:
        return []
    deadline = time.monotonic() + seconds
    found: list[tuple[Chunk, Counter[str]]] = []
    for path in sorted(paths, key=lambda path: (not any(term in path.casefold() for term in wanted), path)):
        if time.monotonic() > deadline:
            break
        if exclusions.excludes(path) is None:
            found += _windows(root, path, wanted)
    spread = Counter(term for _, counts in found for term in counts)
    rarity = {term: math.log(1 + (len(found) - held + 0.5) / (held + 0.5)) for term, held in spread.items()}
    scored = [(one, sum(rarity[t] * n * (_K1 + 1) / (n + _K1) for t, n in counts.items())) for one, counts in found]
    scored.sort(key=lambda pair: (-pair[1], pair[0].path, pair[0].start_line))
    return scored[:limit]


def _windows(root: Path, path: str, wanted: dict[str, bytes]) -> Iterator[tuple[Chunk, Counter[str]]]:
    try:
        found = files.read(root, path)
    except OSError:
        return
    if found is None or b"\0" in found.data:
        return
    folded = found.data.lower()  # of ASCII only, so that places stay
    places = sorted((place, term) for term, raw in wanted.items() for place in _places(folded, raw))
    if not places:
        return
    lines = Lines(found.data)
    language = language_of(path, found.data[:65536]) or ""
    windows: list[tuple[int, Counter[str]]] = []
    for place, term in places:
        line = lines.at(place)
        if not windows or line >= windows[-1][0] + _WINDOW:
            windows.append((max(1, line - _LEAD), Counter()))
        windows[-1][1][term] += 1
    windows.sort(key=lambda window: (-len(window[1]), window[0]))
    for first, counts in windows[:_MOST_WINDOWS]:
        last = min(len(lines), first + _WINDOW - 1)
        yield _window(path, language, lines, first, last), counts


def _places(folded: bytes, term: bytes) -> Iterator[int]:
    place = -1
    for _ in range(_MOST_IN_FILE):
        place = folded.find(term, place + 1)
        if place < 0:
            return
        yield place


def _window(path: str, language: str, lines: Lines, first: int, last: int) -> Chunk:
    text = lines.bytes(first, last)[: 2 * _LARGEST].decode("utf-8", "replace")[:_LARGEST]
    return Chunk(path=path, start_line=first, end_line=last, symbol="", kind="text", language=language, text=text)
