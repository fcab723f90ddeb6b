"""Where a definition is used: candidates by name, each resolved where it stands.

A use that resolves to the definition is certain as far as syntax goes; one that resolves to something else is dropped.
What remains are members taken from values whose class is not known: they count "by name" when the name is the
repository's only one and of several words, or when the file speaks of the class elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pointsman_indexer.references import COMMON, SELVES, words
from pointsman_indexer.scope import Definition, Scope, family
from pointsman_indexer.symbols import CONTAINERS, Import, Reference, References

Confidence = Literal["resolved", "by name"]
_MOST_FILES = 3_000
_MANY = 200
"""A member's name that more files call is looked for only where its class is spoken of."""
_MOST_NAMES = 8
_GUESS_AMONG = 3
"""Members of one name that a guess may choose among."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    path: str
    line: int
    kind: str
    """As a `Reference`'s, or `import`."""
    inside: str
    """Qualified name of the definition that the use is in, or ""."""
    confidence: Confidence


def find_uses(db: sqlite3.Connection, scope: Scope, target: Definition, limit: int) -> list[Use]:
    """At most `limit` uses, resolved ones first, by path and line."""
    search = _Search(db, scope, target)
    found = {(use.path, use.line, use.kind): use for use in search.run()}
    return sorted(found.values(), key=lambda use: (use.confidence != "resolved", use.path, use.line))[:limit]


class _Search:
    def __init__(self, db: sqlite3.Connection, scope: Scope, target: Definition) -> None:
        self._db, self._scope, self._target = db, scope, target
        self._family = family(target.language)
        rivals = [one for one in scope.named(target.symbol.name) if family(one.language) == self._family]
        owner = target.symbol.qualified.rpartition(".")[0]
        self._owner = owner.rpartition(".")[2]
        self._is_member = bool(owner) and target.symbol.kind not in CONTAINERS
        self._members = sum(one.symbol.depth > 0 for one in rivals)
        self._common = target.symbol.name in COMMON
        self._telling = words(target.symbol.name) > 1

    def run(self) -> Iterator[Use]:
        speaking = self._speaking()
        for name in self._names():
            yield from self._importing(name)
            mentions = self._mentions(name)
            if self._is_member and len(mentions) > _MANY:
                mentions = [one for one in mentions if one[0] in speaking]
            for path, places in mentions:
                yield from self._in_file(path, References(name, places).each(), path in speaking)

    def _names(self) -> list[str]:
        """What the target is called anywhere: its name, and what imports rename it to, on the way to others too."""
        names = [self._target.symbol.name]
        for name in names:  # grows
            for _, one in self._imported(name):
                if one.alias and one.alias not in names and len(names) < _MOST_NAMES:
                    names.append(one.alias)
        return names

    def _in_file(self, path: str, places: Iterable[Reference], speaks: bool) -> Iterator[Use]:
        for place in places:
            confidence = self._judge(path, place, speaks)
            if confidence is not None:
                for line in place.lines:
                    yield Use(path=path, line=line, kind=place.kind, inside=place.inside, confidence=confidence)

    def _judge(self, path: str, place: Reference, speaks: bool) -> Confidence | None:
        if place.receiver != "?":
            parts = [*place.receiver.split("."), place.name] if place.receiver else [place.name]
            meant = self._scope.meaning(path, place.inside, parts)
            if meant is not None:
                return "resolved" if isinstance(meant, Definition) and meant.key == self._target.key else None
            if not place.receiver or self._scope.meaning(path, place.inside, parts[:1]) is not None:
                return None
        if not self._is_member or not place.receiver or place.receiver in SELVES:
            return None
        if speaks:
            return "by name" if self._members <= (1 if self._common else _GUESS_AMONG) else None
        return "by name" if self._members == 1 and self._telling else None

    def _mentions(self, name: str) -> list[tuple[str, str]]:
        """Path and places of the files that mention a name, in languages that can mean the target."""
        rows = self._db.execute(
            "SELECT f.path, v.language, m.places FROM mentions m JOIN files f ON f.version = m.version "
            "JOIN versions v ON v.id = m.version WHERE m.name = ? LIMIT ?",
            (name, _MOST_FILES),
        )
        return [(path, places) for path, language, places in rows if family(language) == self._family]

    def _speaking(self) -> set[str]:
        """Files that name the class whose member the target is, and the target's own."""
        if not self._is_member:
            return set()
        return {self._target.path, *(path for path, _ in self._mentions(self._owner))}

    def _imported(self, name: str) -> Iterator[tuple[str, Import]]:
        rows = self._db.execute(
            "SELECT f.path, v.language, i.module, i.name, i.alias, i.line FROM imports i "
            "JOIN files f ON f.version = i.version JOIN versions v ON v.id = i.version WHERE i.name = ? LIMIT ?",
            (name, _MOST_FILES),
        )
        for path, language, module, taken, alias, line in rows:
            if family(language) == self._family:
                yield path, Import(module=module, name=taken, alias=alias, line=line)

    def _importing(self, name: str) -> Iterator[Use]:
        for path, one in self._imported(name):
            meant = self._scope.imported(path, one)
            if isinstance(meant, Definition) and meant.key == self._target.key:
                yield Use(path=path, line=one.line, kind="import", inside="", confidence="resolved")
