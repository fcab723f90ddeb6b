"""Who uses what: the references and imports of every version, and the questions that they answer.

A file's row in `mentions` holds all uses of one name in one version; nothing is resolved when it is written, for what a
name means changes with other files. Questions resolve the few names they touch (`scope`, `layout`), so a saved file
costs its own rows and no more. Reads see the versions that files have now.
"""

from __future__ import annotations

import posixpath
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman_indexer.layout import Layout
from pointsman_indexer.manifests import NAMES
from pointsman_indexer.rank_map import Ranking
from pointsman_indexer.scope import Definition, Module, Scope
from pointsman_indexer.symbols import CONTAINERS, Import, Parsed, References, Symbol
from pointsman_indexer.uses import Use, find_uses

SCHEMA = """
CREATE TABLE mentions(
    version INTEGER NOT NULL, name TEXT NOT NULL, based INTEGER NOT NULL, places TEXT NOT NULL,
    PRIMARY KEY(version, name)) WITHOUT ROWID;
CREATE INDEX mentions_by_name ON mentions(name);
CREATE TABLE imports(
    version INTEGER NOT NULL, module TEXT NOT NULL, name TEXT NOT NULL, alias TEXT NOT NULL, line INTEGER NOT NULL);
CREATE INDEX imports_by_version ON imports(version);
CREATE INDEX imports_by_name ON imports(name);
"""
_MOST_IN_SCOPE = 200
_MOST_STARRED = 50


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of now, read once for each state of the catalogue."""

    revision: int
    layout: Layout
    versions: dict[str, int]
    languages: dict[str, str]


class Graph:
    """The graph over a catalogue's connection. Writes belong inside the catalogue's transactions."""

    SCHEMA = SCHEMA

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._files: _Files | None = None
        self._ranking: Ranking | None = None

    def put(self, version: int, parsed: Parsed) -> None:
        """Keep the uses and imports of a version that is not known yet."""
        self._db.executemany(
            "INSERT INTO mentions VALUES (?, ?, ?, ?)",
            [
                (version, one.name, one.places.startswith("base\t") or "\nbase\t" in one.places, one.places)
                for one in sorted(parsed.references)
            ],
        )
        self._db.executemany(
            "INSERT INTO imports VALUES (?, ?, ?, ?, ?)",
            [(version, one.module, one.name, one.alias, one.line) for one in parsed.imports],
        )

    def forget(self, versions: Iterable[int]) -> None:
        rows = [(version,) for version in versions]
        self._db.executemany("DELETE FROM mentions WHERE version = ?", rows)
        self._db.executemany("DELETE FROM imports WHERE version = ?", rows)

    def of(self, version: int) -> tuple[list[References], list[Import]]:
        """What was `put`, of a version that is known."""
        rows = self._db.execute("SELECT name, places FROM mentions WHERE version = ? ORDER BY name", (version,))
        return [References(name, places) for name, places in rows], self._facts(version)

    def find(self, symbol: str) -> list[Definition]:
        """Definitions with this name or end of a qualified name, such as `Cart.add`; outer ones first."""
        symbol = symbol.replace("::", ".")
        return [one for one in self._scope().named(symbol.rpartition(".")[2]) if one.symbol.is_called(symbol)]

    def definition_of(self, path: str, line: int, name: str) -> Definition | None:
        """What `name` (it may have dots) means at a line; by scope and imports, else the only, else the nearest one.

        The last two are guesses: they hold for names that the repository defines once, or once in the same folder.
        """
        scope = self._scope()
        parts = [part for part in name.replace("::", ".").split(".") if part]
        if not parts:
            return None
        found = scope.meaning(path, self._enclosing(path, line), parts)
        if isinstance(found, Definition):
            return found
        if isinstance(found, Module):
            return None
        named = scope.named(parts[-1])
        near = [one for one in named if posixpath.dirname(one.path) == posixpath.dirname(path)]
        return named[0] if len(named) == 1 else near[0] if len(near) == 1 else None

    def definitions(self, path: str, line: int, names: Sequence[str] = ()) -> list[Definition]:
        """What is in scope at a line, best first: what `names` mean, the members of the class around, what imports
        bring in, then the file's other outer definitions by their distance."""
        scope = self._scope()
        inside = self._enclosing(path, line)
        symbols = self._symbols(path)
        language = self._files_now().languages.get(path, "")
        own = [Definition(path=path, symbol=symbol, language=language) for symbol in symbols]
        meant = [self.definition_of(path, line, name) for name in names]
        around = {symbol.qualified for symbol in symbols if symbol.kind in CONTAINERS and _within(inside, symbol)}
        members = [one for one in own if one.symbol.qualified.rpartition(".")[0] in around]
        outer = [one for one in own if one.symbol.depth == 0]
        outer.sort(key=lambda one: min(abs(one.symbol.start_line - line), abs(one.symbol.end_line - line)))
        brought: list[Definition] = []
        for one in scope.imports(path):
            found = scope.imported(path, one)
            if isinstance(found, Definition):
                brought.append(found)
            elif isinstance(found, Module):
                brought += self._outer(found.path)
        ordered = {one.key: one for one in (*filter(None, meant), *members, *brought, *outer)}
        return list(ordered.values())[:_MOST_IN_SCOPE]

    def uses(self, path: str, qualified: str, limit: int = 500) -> list[Use]:
        """Where a definition is used: uses that resolve to it first, then those that only its name speaks for."""
        targets = [one for one in self._scope().named(qualified.rpartition(".")[2]) if one.key == (path, qualified)]
        return find_uses(self._db, self._scope(), targets[0], limit) if targets else []

    def repository_map(
        self, budget: int, focus: Sequence[str] = (), mentioned: Sequence[str] = ()
    ) -> list[tuple[str, list[Symbol]]]:
        """The definitions that the repository leans on most, seen from the files `focus` and the names `mentioned`,
        as many as `budget` tokens hold; then what else is defined, names that hold words of `mentioned` first, outer
        before inner, by path. Files best first; those in `focus` are at hand and left out."""
        files = self._files_now()
        if self._ranking is None or not self._ranking.serves(files.versions):
            self._ranking = Ranking.of(self._db, files.versions)
        return self._ranking.map(self._db, files.versions, budget, focus, mentioned)

    def _files_now(self) -> _Files:
        # Every write counts, which is more often than needed and never too seldom.
        revision = self._db.total_changes
        if self._files is None or self._files.revision != revision:
            rows = self._db.execute(
                "SELECT f.path, f.version, v.language FROM files f JOIN versions v ON v.id = f.version"
            ).fetchall()
            versions = {path: version for path, version, _ in rows}
            manifests = {path: self._facts(version) for path, version, _ in rows if path.rpartition("/")[2] in NAMES}
            self._files = _Files(
                revision,
                Layout(versions, manifests),
                versions,
                {path: language for path, _, language in rows},
            )
        return self._files

    def _facts(self, version: int) -> list[Import]:
        rows = self._db.execute(
            "SELECT module, name, alias, line FROM imports WHERE version = ? ORDER BY rowid", (version,)
        )
        return [Import(module=module, name=name, alias=alias, line=line) for module, name, alias, line in rows]

    def _scope(self) -> Scope:
        files = self._files_now()
        return Scope(self._db, files.layout, files.versions, files.languages)

    def _symbols(self, path: str, depth: int = 64) -> list[Symbol]:
        rows = self._db.execute(
            "SELECT name, qualified, kind, start_line, end_line, depth, signature FROM symbols "
            "WHERE version = ? AND depth <= ? ORDER BY start_line, depth",
            (self._files_now().versions.get(path, 0), depth),
        )
        return [
            Symbol(name=n, qualified=q, kind=k, start_line=s, end_line=e, depth=d, signature=g)
            for n, q, k, s, e, d, g in rows
        ]

    def _outer(self, path: str) -> list[Definition]:
        language = self._files_now().languages.get(path, "")
        symbols = self._symbols(path, 0)[:_MOST_STARRED]
        return [Definition(path=path, symbol=symbol, language=language) for symbol in symbols]

    def _enclosing(self, path: str, line: int) -> str:
        """Qualified name of the innermost definition at a line, or ""."""
        around = [symbol for symbol in self._symbols(path) if symbol.start_line <= line <= symbol.end_line]
        return max(around, key=lambda symbol: symbol.depth).qualified if around else ""


def _within(inside: str, symbol: Symbol) -> bool:
    return inside == symbol.qualified or inside.startswith(f"{symbol.qualified}.")
