"""A query to hits: by meaning, by words and by name, fused by rank.

Hits are checked against the files as they are: one whose file is gone or excluded by now is dropped, one whose file
has changed says so. Knows nothing of embedders; the caller brings the query's vector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pointsman_indexer import files
from pointsman_indexer.catalog import Catalog, stem
from pointsman_indexer.chunk import LONGEST, Chunk
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.lines import Lines
from pointsman_indexer.store import Store
from pointsman_indexer.terms import query_vector

_RRF = 60
"""Reciprocal rank fusion and its constant: Cormack, Clarke & Büttcher 2009."""
_FEWEST_CANDIDATES = 50
_MOST_NAMED = 20
_MOST_NAMES = 32

_QUALIFIED = re.compile(r"\w+(?:(?:\.|::|#|->)\w+)*")
_SEPARATOR = re.compile(r"\.|::|#|->")
_NAME_LIKE = re.compile(r"_|[a-z0-9][A-Z]|\.|::|#|->")
_FILE_LIKE = re.compile(r"[^/]*\w\.\w{1,8}|.*\w/\S+")
_PUNCTUATION = "`'\"()[]{}<>,:;?!."


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A piece of a file. Lines are 1-based and inclusive; `text` is as it was indexed."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    kind: str
    language: str
    score: float
    """In (0, 1], higher is better; comparable within one answer only."""
    sha: str
    """Git's blob id of the file that `text` was taken from."""
    fresh: bool
    """Whether the file still has that content."""
    text: str


@dataclass(frozen=True, slots=True)
class _Ranking:
    ids: Sequence[str]
    weight: float


class Search:
    """Searches of one index."""

    def __init__(self, root: Path, catalog: Catalog, store: Store, exclusions: Exclusions) -> None:
        self._root = root
        self._catalog = catalog
        self._store = store
        self._exclusions = exclusions
        self._states: dict[str, tuple[str, bool] | None] = {}

    def hits(self, query: str, vector: Sequence[float] | None, k: int, language: str) -> list[Hit]:
        """The best `k` at most. Without `vector` there is no search by meaning."""
        depth = max(_FEWEST_CANDIDATES, 4 * k)
        rankings = [_Ranking([i for i, _ in self._store.lexical(query_vector(query), depth, language)], 1.0)]
        if vector is not None:
            rankings.append(_Ranking([i for i, _ in self._store.dense(vector, depth, language)], 1.0))
        rankings += self._by_name(query)
        scores = _fuse(rankings)
        chunks = self._catalog.chunks(list(scores))
        best: list[Hit] = []
        for id_ in sorted(scores, key=lambda id_: -scores[id_]):
            one = chunks.get(id_)
            if one is None or (language and one.language != language):
                continue
            state = self._state(one.path)
            if state is not None and not _merged(best, one):
                if len(best) == k:
                    break
                best.append(_hit(one, scores[id_], *state))
        return best

    def _by_name(self, query: str) -> Iterable[_Ranking]:
        """Chunks of symbols and files that the query names; what looks like code counts for more than a word."""
        words = _QUALIFIED.findall(query)[:_MOST_NAMES]
        sure = [word for word in words if _NAME_LIKE.search(word) or len(words) == 1]
        for group, weight in ((sure, 2.0), ([w for w in words if w not in sure and len(w) > 3], 0.5)):
            wanted = [[part.casefold() for part in _SEPARATOR.split(word)] for word in group]
            found = self._catalog.named(sorted({parts[-1] for parts in wanted}), _MOST_NAMED)
            exact = dict.fromkeys(id_ for id_, name in found if any(_ends(name, parts) for parts in wanted))
            yield _Ranking(list(exact), weight)
            # `Class.method` asked for, but another class's method found.
            yield _Ranking([id_ for id_, _ in found if id_ not in exact], weight / 4)
        tokens = (token.strip(_PUNCTUATION) for token in query.split()[:_MOST_NAMES])
        named = {token.casefold() for token in tokens if len(token) < 200 and _FILE_LIKE.fullmatch(token)}
        inside = self._catalog.in_files_named(sorted({stem(name) for name in named}), _MOST_NAMED)
        ordered = sorted(inside, key=lambda pair: not any(pair[1].casefold().endswith(name) for name in named))
        yield _Ranking([id_ for id_, _ in ordered], 1.0)

    def _state(self, path: str) -> tuple[str, bool] | None:
        """The blob id that the index has of a file and whether it is current; None when the file may not be shown."""
        if path not in self._states:
            self._states[path] = self._look(path)
        return self._states[path]

    def _look(self, path: str) -> tuple[str, bool] | None:
        row = self._catalog.file(path)
        if row is None or self._exclusions.excludes(path) is not None:
            return None
        entry = files.stat_of(self._root, path)
        if entry is None:
            return None
        if row.settled and row.entry == entry:
            return row.blob, True
        try:
            found = files.read(self._root, path)
        except OSError:
            return row.blob, False
        return (row.blob, found.blob == row.blob) if found is not None else None


def _fuse(rankings: Sequence[_Ranking]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, id_ in enumerate(ranking.ids, 1):
            scores[id_] = scores.get(id_, 0.0) + ranking.weight / (_RRF + rank)
    highest = sum(ranking.weight for ranking in rankings if ranking.ids) / (_RRF + 1)
    return {id_: score / highest for id_, score in scores.items()}


def _ends(qualified: str, parts: Sequence[str]) -> bool:
    return qualified.casefold().split(".")[-len(parts) :] == list(parts)


def _hit(one: Chunk, score: float, sha: str, fresh: bool) -> Hit:
    return Hit(
        path=one.path,
        start_line=one.start_line,
        end_line=one.end_line,
        symbol=one.symbol,
        kind=one.kind,
        language=one.language,
        score=round(score, 4),
        sha=sha,
        fresh=fresh,
        text=one.text,
    )


def _merged(best: list[Hit], one: Chunk) -> bool:
    """Whether the chunk went into a better hit that it overlaps, or that is a neighbouring part of its symbol."""
    for index, hit in enumerate(best):
        apart = 0 if not one.symbol or one.symbol != hit.symbol else 1
        if hit.path != one.path or one.start_line > hit.end_line + apart or hit.start_line > one.end_line + apart:
            continue
        start, end = min(hit.start_line, one.start_line), max(hit.end_line, one.end_line)
        if end - start >= LONGEST:
            continue
        text = _joined((hit.start_line, hit.text), (one.start_line, one.text))
        best[index] = replace(hit, start_line=start, end_line=end, text=text)
        return True
    return False


def _joined(*pieces: tuple[int, str]) -> str:
    """Two overlapping or adjacent pieces of one file, each with its first line, as one."""
    (first, upper), (second, lower) = sorted(pieces)
    above, below = Lines(upper.encode("utf-8", "replace")), Lines(lower.encode("utf-8", "replace"))
    shared = first + len(above) - second
    return upper if shared >= len(below) else upper + below.text(shared + 1, len(below))
