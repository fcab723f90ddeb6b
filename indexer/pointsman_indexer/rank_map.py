"""The ranked map of a repository: which definitions it leans on most, seen from some files and names.

Files point to the files that define the names they use; personalised PageRank over that graph says how much each file
matters, and what a file gives on goes to the definitions it gives it for. The idea is that of aider's repository map;
here names are weighted by how few files define them, and the graph is kept for as long as the catalogue stands.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain, groupby
from math import sqrt
from operator import itemgetter, sub

from pointsman_indexer.outline import fill
from pointsman_indexer.references import COMMON, words
from pointsman_indexer.symbols import Symbol
from pointsman_indexer.terms import terms

_DAMPING = 0.85
_ROUNDS = 12
_ENOUGH = 1e-3
"""Change of all ranks together in a round, below which the rounds end."""
_MOST_DEFINERS = 5
"""A name that more files define tells nothing about which one is meant."""
_MOST_USES = 40
"""Edges that leave a file, its weightiest: the rest move little, and a large repository has millions."""
_SHORTEST = 4
_MENTIONED = 10.0
_CANDIDATES = 2_000
"""Definitions that are read in full for the budget to choose from."""
_MOST_WORDS = 16
"""Of a query, that names are looked through for."""
_STALE = 0.02
"""Share of a large repository's files that may have changed since the graph was read."""
_LARGE = 2_000

Edge = tuple[float, int, int]
"""Weight, number of the file that defines, number of the name that it defines."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Which file uses which names of which files, by the numbers of files and names."""

    versions: Mapping[str, int]
    """Of the files that it was made from."""
    paths: Sequence[str]
    names: Sequence[str]
    edges: Sequence[Sequence[Edge]]
    """Of each file, weightiest first."""

    @classmethod
    def of(cls, db: sqlite3.Connection, versions: Mapping[str, int]) -> Ranking:
        """Read the graph of the current versions: one pass over an index of names."""
        paths = list(versions)
        numbers = {version: number for number, version in enumerate(versions.values())}
        definers = _definers(db)
        names: list[str] = []
        edges: list[list[Edge]] = [[] for _ in paths]
        rows = db.execute("SELECT name, version FROM mentions ORDER BY name")
        for name, group in groupby(rows, itemgetter(0)):
            if name not in definers:
                continue
            homes, depth = definers[name]
            users = [numbers[version] for _, version in group if version in numbers and version not in homes]
            weight = _distinction(name, depth) / len(homes) / sqrt(1 + len(users))
            for user in users:
                edges[user] += [(weight, numbers[home], len(names)) for home in homes]
            names.append(name)
        for number, own in enumerate(edges):
            edges[number] = nlargest(_MOST_USES, own)
        return cls(versions, paths, names, edges)

    def serves(self, versions: Mapping[str, int]) -> bool:
        """Whether it still says enough of the files as they are now; a small repository's is made anew each time."""
        if len(versions) < _LARGE:
            return versions == self.versions
        return len(versions.items() ^ self.versions.items()) < _STALE * len(versions)

    def map(
        self,
        db: sqlite3.Connection,
        versions: Mapping[str, int],
        budget: int,
        focus: Sequence[str],
        mentioned: Sequence[str],
    ) -> list[tuple[str, list[Symbol]]]:
        """See `Graph.repository_map`. `versions` are of the files now."""
        given = self._given(frozenset(mentioned))
        at_hand = {number for number, path in enumerate(self.paths) if path in frozenset(focus)}
        ranks = self._ranks(given, at_hand or range(len(self.paths))) if self.paths else []
        scores: dict[tuple[int, int], float] = defaultdict(float)
        for rank, shares in zip(ranks, given, strict=True):
            for share, home, name in shares:
                scores[home, name] += rank * share
        best = nlargest(_CANDIDATES, scores.items(), key=itemgetter(1))
        leaned_on = (
            (self.paths[home], symbol)
            for (home, name), _ in best
            if home not in at_hand and self.paths[home] in versions
            for symbol in _symbols(db, versions[self.paths[home]], self.names[name])
        )
        return fill(_once(chain(leaned_on, _outer(db, focus, mentioned))), budget)

    def _given(self, mentioned: frozenset[str]) -> list[list[Edge]]:
        """The edges with the share of its file's rank that each carries."""
        wanted = {number for number, name in enumerate(self.names) if name in mentioned}
        given = []
        for own in self.edges:
            raised = [(w * _MENTIONED, h, n) if n in wanted else (w, h, n) for w, h, n in own] if wanted else own
            total = sum(weight for weight, _, _ in raised)
            given.append([(weight / total, home, name) for weight, home, name in raised])
        return given

    def _ranks(self, given: Sequence[Sequence[Edge]], start: Collection[int]) -> list[float]:
        """Power iteration from the files in `start`; what files that use nothing have goes back there."""
        flows = [_merged(shares) for shares in given]
        share = 1.0 / len(start)
        ranks = [0.0] * len(self.paths)
        for file in start:
            ranks[file] = share
        for _ in range(_ROUNDS):
            fresh = [0.0] * len(ranks)
            for rank, flow in zip(ranks, flows, strict=True):
                if rank:
                    rank *= _DAMPING
                    for home, part in flow:
                        fresh[home] += rank * part
            back = (1.0 - sum(fresh)) * share
            for file in start:
                fresh[file] += back
            change = sum(map(abs, map(sub, ranks, fresh)))
            ranks = fresh
            if change < _ENOUGH:
                break
        return ranks


def _definers(db: sqlite3.Connection) -> dict[str, tuple[list[int], int]]:
    """The versions that define each distinctive name, and how deep; keys and headings are nothing that code uses."""
    found: dict[str, tuple[list[int], int]] = {}
    for name, versions, depth in db.execute(
        "SELECT s.name, group_concat(DISTINCT s.version), min(s.depth) "
        "FROM symbols s JOIN files f ON f.version = s.version "
        "WHERE s.kind NOT IN ('key', 'section', 'table') AND length(s.name) >= ? "
        "GROUP BY s.folded, s.name HAVING count(DISTINCT s.version) <= ?",
        (_SHORTEST, _MOST_DEFINERS),
    ):
        found[name] = [int(version) for version in versions.split(",")], depth
    return found


def _distinction(name: str, depth: int) -> float:
    """Long names of several words are seldom meant by chance; a member's name is, for its class was not looked at;
    private ones seldom matter elsewhere."""
    member = 1.0 if depth == 0 else 0.02 if name in COMMON else 0.2
    return member * (0.1 if name.startswith("_") else 1.0) * (2.0 if words(name) > 1 or len(name) >= 8 else 1.0)


def _merged(shares: Sequence[Edge]) -> list[tuple[int, float]]:
    merged: dict[int, float] = {}
    for share, home, _ in shares:
        merged[home] = merged.get(home, 0.0) + share
    return list(merged.items())


def _symbols(db: sqlite3.Connection, version: int, name: str) -> Iterator[Symbol]:
    for n, q, k, s, e, d, g in db.execute(
        "SELECT name, qualified, kind, start_line, end_line, depth, signature FROM symbols "
        "WHERE version = ? AND name = ? ORDER BY start_line",
        (version, name),
    ):
        yield Symbol(name=n, qualified=q, kind=k, start_line=s, end_line=e, depth=d, signature=g)


def _once(found: Iterable[tuple[str, Symbol]]) -> Iterator[tuple[str, Symbol]]:
    seen: set[tuple[str, int, str]] = set()
    for path, symbol in found:
        key = path, symbol.start_line, symbol.qualified
        if key not in seen:
            seen.add(key)
            yield path, symbol


def _outer(db: sqlite3.Connection, focus: Collection[str], mentioned: Sequence[str]) -> Iterator[tuple[str, Symbol]]:
    """What code defines: names that hold the most of the words mentioned, then outer before inner, then by path. A
    namespace tells less than what stands in it, and a file of settings would take all room, so those and values come
    last."""
    words = [(word.casefold(), next(terms(word), word)) for word in mentioned if len(word) >= _SHORTEST][:_MOST_WORDS]
    held = " + ".join("(instr(s.folded, ?) > 0 OR instr(s.folded, ?) > 0)" for _ in words) or "NULL"
    for path, n, q, k, s, e, d, g in db.execute(
        "SELECT f.path, s.name, s.qualified, s.kind, s.start_line, s.end_line, s.depth, s.signature "
        "FROM symbols s JOIN files f ON f.version = s.version WHERE s.kind NOT IN ('key', 'section', 'table') "
        f"ORDER BY {held} DESC, s.kind IN ('module', 'variable', 'constant', 'property'), s.depth, f.path, "
        "s.start_line LIMIT ?",
        (*chain.from_iterable(words), _CANDIDATES),
    ):
        if path not in focus:
            yield path, Symbol(name=n, qualified=q, kind=k, start_line=s, end_line=e, depth=d, signature=g)
