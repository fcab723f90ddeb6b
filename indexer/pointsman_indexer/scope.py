"""What a name means where it stands: by the definitions around it, then by the file's imports, followed to their end.

Works on names, not on whole files: one question touches a few hundred names, and each is one look into an index.
Answers are kept for the life of the object, which is one request.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pointsman_indexer.layout import ECMASCRIPT, Layout
from pointsman_indexer.references import SELVES
from pointsman_indexer.symbols import CONTAINERS, Import, References, Symbol

_DEEPEST = 6
"""Hand-ons from module to module, and classes above a class, that are followed."""
_MOST_STARS = 20
_MOST_DEFINITIONS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A symbol and where it is."""

    path: str
    symbol: Symbol
    language: str

    @property
    def key(self) -> tuple[str, str]:
        return self.path, self.symbol.qualified


@dataclass(frozen=True, slots=True)
class Module:
    """A file as a whole, as what a name means."""

    path: str


def family(language: str) -> str:
    """Languages that can import each other have the same family."""
    return "ecmascript" if language in ECMASCRIPT else language


class Scope:
    """`languages` and `versions` are of the files, by path."""

    def __init__(
        self, db: sqlite3.Connection, layout: Layout, versions: Mapping[str, int], languages: Mapping[str, str]
    ) -> None:
        self._db, self._layout, self._versions, self._languages = db, layout, versions, languages
        self._named: dict[str, list[Definition]] = {}
        self._here: dict[str, dict[str, list[Definition]]] = {}
        self._imports: dict[str, list[Import]] = {}
        self._bases: dict[str, list[tuple[str, str]]] = {}
        self._files: dict[tuple[str, str], tuple[str, ...]] = {}
        self._exports: dict[tuple[str, tuple[str, ...]], Definition | Module | None] = {}

    def named(self, name: str) -> list[Definition]:
        """All definitions with this last name."""
        if name not in self._named:
            rows = self._db.execute(
                "SELECT f.path, v.language, s.name, s.qualified, s.kind, s.start_line, s.end_line, s.depth, "
                "s.signature FROM symbols s JOIN files f ON f.version = s.version JOIN versions v ON v.id = s.version "
                "WHERE s.folded = ? AND s.name = ? ORDER BY s.depth, f.path, s.start_line LIMIT ?",
                (name.casefold(), name, _MOST_DEFINITIONS),
            )
            found = self._named[name] = [
                Definition(
                    path=path,
                    language=language,
                    symbol=Symbol(name=n, qualified=q, kind=k, start_line=s, end_line=e, depth=d, signature=g),
                )
                for path, language, n, q, k, s, e, d, g in rows
            ]
            here = self._here[name] = {}
            for one in found:
                here.setdefault(one.path, []).append(one)
        return self._named[name]

    def imports(self, path: str) -> list[Import]:
        if path not in self._imports:
            rows = self._db.execute(
                "SELECT module, name, alias, line FROM imports WHERE version = ? ORDER BY rowid",
                (self._versions.get(path, 0),),
            )
            self._imports[path] = [Import(module=m, name=n, alias=a, line=line) for m, n, a, line in rows]
        return self._imports[path]

    def files(self, module: str, path: str) -> tuple[str, ...]:
        key = (module, path)
        if key not in self._files:
            self._files[key] = self._layout.files(module, path, self._languages.get(path, ""))
        return self._files[key]

    def meaning(self, path: str, inside: str, parts: Sequence[str]) -> Definition | Module | None:
        """What the dotted name `parts` means in `path`, inside of the definition `inside`; None when unknown."""
        head, rest = parts[0], parts[1:]
        language = self._languages.get(path, "")
        if head in SELVES:
            return self._own(path, inside, parts, language)
        scope = inside
        while scope:
            around = self._at(path, scope)
            # Bare names see a class's members in Java only.
            if around is None or around.symbol.kind not in CONTAINERS or language in ("java", "rust"):
                local = self._at(path, f"{scope}.{head}")
                if local is not None:
                    return self._members(local, rest)
                if language == "java" and around is not None and around.symbol.kind in CONTAINERS:
                    inherited = self._member(around, head, _DEEPEST)
                    if inherited is not None:
                        return self._members(inherited, rest)
            scope = scope.rpartition(".")[0]
        found = self._exported(path, parts, frozenset(), own=True)
        if found is not None:
            return found
        if language == "go":
            return self._in_files(self._layout.folder(path), parts, frozenset())
        if language == "java":
            return self._in_files(
                [f for f in self._layout.folder(path) if f.endswith(f"/{head}.java")], parts, frozenset()
            )
        return None

    def imported(self, path: str, one: Import) -> Definition | Module | None:
        """What one clause of an import brings in."""
        return self._through(path, one, (), frozenset())

    def bases(self, definition: Definition) -> Iterator[Definition]:
        """The classes that a class names as its bases, as far as they are known."""
        if definition.path not in self._bases:
            rows = self._db.execute(
                "SELECT name, places FROM mentions WHERE version = ? AND based",
                (self._versions.get(definition.path, 0),),
            )
            self._bases[definition.path] = [
                (place.inside, f"{place.receiver}.{place.name}".lstrip("."))
                for row in rows
                for place in References(*row).each()
                if place.kind == "base"
            ]
        scope, _, _ = definition.symbol.qualified.rpartition(".")
        for inside, name in self._bases[definition.path]:
            if inside == definition.symbol.qualified:
                base = self.meaning(definition.path, scope, name.split("."))
                if isinstance(base, Definition) and base.key != definition.key:
                    yield base

    def _own(self, path: str, inside: str, parts: Sequence[str], language: str) -> Definition | Module | None:
        """`self.name`, `super().name`, and Rust's paths from `crate`, `self` and `super`."""
        head, rest = parts[0], parts[1:]
        scope = inside
        while scope and rest:
            around = self._at(path, scope)
            if around is not None and around.symbol.kind in CONTAINERS and around.symbol.kind != "module":
                member = self._member(around, rest[0], _DEEPEST, inherited_only=head == "super")
                return self._members(member, rest[1:]) if member is not None else None
            scope = scope.rpartition(".")[0]
        if language == "rust" and len(parts) > 1 and head != "Self":
            module = "::".join(parts[:-1])
            return self._in_files(self.files(module, path), parts[-1:], frozenset())
        return None

    def _at(self, path: str, qualified: str) -> Definition | None:
        name = qualified.rpartition(".")[2]
        self.named(name)
        for one in self._here[name].get(path, ()):
            if one.symbol.qualified == qualified:
                return one
        return None

    def _members(self, start: Definition | Module, rest: Sequence[str]) -> Definition | Module | None:
        """Follow `rest` down from a definition."""
        found: Definition | Module | None = start
        for name in rest:
            if not isinstance(found, Definition):
                return None
            found = self._member(found, name, _DEEPEST)
        return found

    def _member(self, of: Definition, name: str, depth: int, inherited_only: bool = False) -> Definition | None:
        """A member of a class, its own or a base's; methods of Go and Rust may stand in another file."""
        if depth == 0:
            return None
        qualified = f"{of.symbol.qualified}.{name}"
        own = None if inherited_only else self._at(of.path, qualified)
        if own is None and of.language in ("go", "rust"):
            near = [
                one for one in self.named(name) if one.symbol.qualified == qualified and one.language == of.language
            ]
            folder = of.path.rpartition("/")[0]
            inside = [one for one in near if one.path.rpartition("/")[0] == folder]
            own = inside[0] if inside else near[0] if len(near) == 1 and of.language == "rust" else None
        if own is not None:
            return own
        for base in self.bases(of):
            found = self._member(base, name, depth - 1)
            if found is not None:
                return found
        return None

    def _exported(
        self, path: str, parts: Sequence[str], seen: frozenset[tuple[str, str]], own: bool = False
    ) -> Definition | Module | None:
        """What the top of a file defines or imports under this name; `own` when it is asked from inside the file."""
        head = parts[0]
        if (path, head) in seen or len(seen) > _DEEPEST:
            return None
        seen |= {(path, head)}
        local = self._at(path, head)
        if local is not None:
            return self._members(local, parts[1:])
        best: tuple[int, Import] | None = None
        stars = []
        for one in self.imports(path):
            if one.name == "*":
                stars.append(one)
            elif one.alias:
                words = one.alias.split(".")
                if words == list(parts[: len(words)]) and (best is None or len(words) > best[0]):
                    best = len(words), one
        if best is not None:
            return self._through(path, best[1], parts[best[0] :], seen)
        if own and self._languages.get(path) not in ("python", "java", "rust", "go"):
            return None  # a star there hands names on and brings none in
        for one in stars[:_MOST_STARS]:
            found = self._in_files(self.files(one.module, path), parts, seen)
            if found is not None:
                return found
        return None

    def _through(
        self, path: str, one: Import, rest: Sequence[str], seen: frozenset[tuple[str, str]]
    ) -> Definition | Module | None:
        language = self._languages.get(path, "")
        files = self.files(one.module, path)
        if one.name in ("", "*"):
            if not rest:
                return Module(files[0]) if files else None
            found = self._in_files(files, rest, seen)
            return found or self._inner(path, one.module, rest, seen, language)
        name = one.name
        if language == "java":
            direct = self.files(f"{one.module}.{name}", path)
            files = direct or files
        if name == "default" and files:
            return self._default(files[0], one.alias, rest, seen)
        found = self._in_files(files, (name, *rest), seen)
        return found or self._inner(path, one.module, (name, *rest), seen, language)

    def _default(
        self, path: str, alias: str, rest: Sequence[str], seen: frozenset[tuple[str, str]]
    ) -> Definition | Module | None:
        """A default export has no name here: the definition called as the importer calls it, else the file."""
        found = self._exported(path, (alias, *rest), seen)
        return found if found is not None or rest else Module(path)

    def _inner(
        self, path: str, module: str, rest: Sequence[str], seen: frozenset[tuple[str, str]], language: str
    ) -> Definition | Module | None:
        """`rest` begins with a module inside of `module`."""
        if language not in ("python", "rust"):
            return None
        inner = self._layout.within(module, rest[0], language)
        files = self.files(inner, path)
        if not files or (
            language == "rust" and not files[0].removesuffix("/mod.rs").removesuffix(".rs").endswith(rest[0])
        ):
            return None
        if len(rest) == 1:
            return Module(files[0])
        found = self._in_files(files, rest[1:], seen)
        return found or (self._inner(path, inner, rest[1:], seen, language) if len(rest) < 20 else None)

    def _in_files(
        self, files: Sequence[str], parts: Sequence[str], seen: frozenset[tuple[str, str]]
    ) -> Definition | Module | None:
        """Look a name up at the top of the files of one module."""
        parts = tuple(parts)
        if len(files) > 4:  # a folder: its files define and do not hand on
            self.named(parts[0])
            here = self._here[parts[0]]
            files = [file for file in files if file in here]
        for file in files:
            if (file, parts) not in self._exports:
                found = self._exported(file, parts, seen)
                if found is None and len(seen) > 1:
                    continue  # a circle may have hidden it
                self._exports[file, parts] = found
            known = self._exports[file, parts]
            if known is not None:
                return known
        return None
