"""A query to hits: candidates by meaning, by words, by name and by place, ranked by what is known of each.

Hits are checked against the files as they are: one whose file is gone or excluded by now is dropped, one whose file
has changed says so. Knows nothing of embedders; the caller brings the query's vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pointsman_indexer import files
from pointsman_indexer.catalog import Catalog
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.hits import Hit, hit_of, merge
from pointsman_indexer.intent import Intent, understand
from pointsman_indexer.rank import Candidate, features, score, told_name
from pointsman_indexer.reader import stem
from pointsman_indexer.store import Store
from pointsman_indexer.terms import content_terms, query_vector

Mode = Literal["hybrid", "lexical", "dense", "exact"]

_DEPTH = 100
"""Candidates of each search, at least."""
_MOST_NAMED = 30
_SPREAD = 4.0
"""How fast a hit's score falls behind the best one's."""


class Search:
    """Searches of one index."""

    def __init__(self, root: Path, catalog: Catalog, store: Store, exclusions: Exclusions) -> None:
        self._root = root
        self._catalog = catalog
        self._store = store
        self._exclusions = exclusions
        self._states: dict[str, tuple[str, bool] | None] = {}

    def hits(
        self,
        query: str,
        vector: Sequence[float] | None,
        k: int,
        languages: Set[str] = frozenset(),
        *,
        mode: Mode = "hybrid",
        pending: Sequence[tuple[Chunk, float]] = (),
    ) -> list[Hit]:
        """The best `k` at most, best first.

        Args:
            vector: the query's embedding; without it there is no search by meaning.
            mode: `lexical` and `dense` are one search alone, in its own order: what the ranking is measured against;
                `exact` is `dense` without a graph.
            pending: pieces of files that are not in the index yet, with their lexical scores.
        """
        intent = understand(query)
        found = self.candidates(query, intent, vector, max(_DEPTH, 4 * k), languages, pending, exact=mode == "exact")
        if mode == "hybrid":
            asked = content_terms(query)
            known = found if vector is None else _supposed(found)
            scored = [(score(features(one, asked, intent.thing), intent, vector is not None), one) for one in known]
        elif mode == "lexical":
            scored = [(one.lexical, one) for one in found if one.lexical is not None]
        else:
            scored = [(one.dense, one) for one in found if one.dense_rank is not None and one.dense is not None]
        cosines = {one.id: one.dense for one in found}
        scored.sort(key=lambda pair: (-pair[0], pair[1].chunk.path, pair[1].chunk.start_line))
        best: list[Hit] = []
        for value, one in scored:
            state = self._state(one.chunk.path)
            if state is None or merge(best, one.chunk):
                continue
            if len(best) == k:
                break
            name = _named(one.chunk, intent) or told_name(one.chunk, content_terms(query))
            worth = math.exp((value - scored[0][0]) / _SPREAD)
            best.append(self._hit(one.chunk, name, worth, state, cosines[one.id]))
        return best

    def _hit(self, one: Chunk, name: str, worth: float, state: tuple[str, bool], cosine: float | None) -> Hit:
        """A chunk of several short definitions goes by the name of the one that was asked for."""
        kind = one.kind
        if name != one.symbol:
            kind = next((own.kind for own in self._catalog.symbols(one.path) if own.qualified == name), kind)
        return hit_of(replace(one, symbol=name, kind=kind), worth, *state, cosine)

    def candidates(
        self,
        query: str,
        intent: Intent,
        vector: Sequence[float] | None,
        depth: int,
        languages: Set[str] = frozenset(),
        pending: Sequence[tuple[Chunk, float]] = (),
        *,
        exact: bool = False,
    ) -> list[Candidate]:
        """What the searches find, each chunk once, in no order."""
        facts: dict[str, dict[str, Any]] = {}
        lexical = self._store.lexical(query_vector(query), depth, languages)
        best = max([value for _, value in lexical[:1]] + [value for _, value in pending], default=0.0) or 1.0
        for rank, id_, value in _ranked(lexical):
            facts[id_] = {"lexical": value / best, "lexical_rank": rank}
        if vector is not None:
            for rank, id_, value in _ranked(self._store.dense(vector, depth, languages, exact=exact)):
                facts.setdefault(id_, {}).update(dense=value, dense_rank=rank)
        for id_, fact, worth in (*self._by_name(intent), *self._by_place(intent)):
            known = facts.setdefault(id_, {})
            known[fact] = max(known.get(fact, 0.0), worth)
        chunks = {
            id_: one
            for id_, one in self._catalog.chunks(list(facts)).items()
            if not languages or one.language in languages
        }
        if vector is not None:
            for id_, value in self._store.cosines(vector, [id_ for id_ in chunks if "dense" not in facts[id_]]):
                facts[id_]["dense"] = value
        found = [Candidate(id=id_, chunk=one, **facts[id_]) for id_, one in chunks.items()]
        for rank, (one, value) in enumerate(pending):
            if not languages or one.language in languages:
                place = f"{one.path}:{one.start_line}"
                found.append(Candidate(id=place, chunk=one, lexical=value / best, lexical_rank=rank))
        return found

    def _by_name(self, intent: Intent) -> Iterator[tuple[str, str, float]]:
        """(chunk, fact, worth) of symbols that the query names; a method of that name of another class counts less."""
        for group, fact in ((intent.names, "named"), (intent.words, "named_loosely")):
            for id_, name in self._catalog.named(sorted({parts[-1] for parts in group}), _MOST_NAMED):
                yield id_, fact, 1.0 if any(_ends(name, parts) for parts in group) else 0.25

    def _by_place(self, intent: Intent) -> Iterator[tuple[str, str, float]]:
        """(chunk, fact, worth) of files that the query names and of lines that a stack trace points to."""
        stems = sorted({stem(path) for path in intent.paths})
        for id_, path in self._catalog.in_files_named(stems, _MOST_NAMED):
            yield id_, "file_named", 1.0 if any(_is_below(path, named) for named in intent.paths) else 0.3
        for place, (named, line) in enumerate(intent.frames):
            for id_, path in self._catalog.at_line(stem(named), line):
                if _is_below(path, named) or _is_below(named, path):
                    yield id_, "framed", 1.0 / (1 + place)

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
        if row.version and row.settled and row.entry == entry:
            return row.blob, True
        try:
            found = files.read(self._root, path)
        except OSError:
            return row.blob, False
        if found is None:
            return None
        # What is not in the index yet was read from the file just now.
        return (row.blob, found.blob == row.blob) if row.version else (found.blob, True)


def _ranked(found: Sequence[tuple[str, float]]) -> Iterator[tuple[int, str, float]]:
    """(rank, id, score). Equal scores share a rank: which of them a store gives first is an accident."""
    rank, before = 0, math.inf
    for at, (id_, value) in enumerate(found):
        if value != before:
            rank, before = at, value
        yield rank, id_, value


def _supposed(found: Sequence[Candidate]) -> list[Candidate]:
    """What has no vector yet is taken to be as near as its words are; else whatever has one would come before it."""
    nearest = max((one.dense for one in found if one.dense is not None), default=0.0)
    return [
        one
        if one.dense is not None
        else replace(one, dense=nearest * (one.lexical or 0.0), dense_rank=one.lexical_rank)
        for one in found
    ]


def _named(one: Chunk, intent: Intent) -> str:
    """The definition in the chunk that the query names in full, or ""."""
    return next((name for name in one.names if any(_ends(name, parts) for parts in intent.names)), "")


def _ends(qualified: str, parts: Sequence[str]) -> bool:
    return tuple(qualified.casefold().split(".")[-len(parts) :]) == tuple(parts)


def _is_below(path: str, named: str) -> bool:
    """Whether `path` ends with the parts of `named`."""
    return f"/{path.casefold()}".endswith(f"/{named.lstrip('./')}")
