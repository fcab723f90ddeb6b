"""Values that parsing gives. Lines are 1-based and inclusive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

CONTAINERS = frozenset({"class", "interface", "struct", "enum", "trait", "impl", "module", "section", "table"})
"""Kinds whose members are symbols of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A named definition."""

    name: str
    qualified: str
    """Names of the enclosing definitions and this one, joined by `.` in every language: `Class.method`."""
    kind: str
    start_line: int
    """First line, with the comments, attributes and decorators that belong to it."""
    end_line: int
    depth: int
    """0 at the top of the file."""
    signature: str
    """The line that holds the name, stripped and cut at 200 code points."""

    def is_called(self, name: str) -> bool:
        """Whether `name` is its qualified name or the end of it."""
        return self.qualified == name or self.qualified.endswith(f".{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One place, or several of the same sort, where a name is used."""

    name: str
    kind: str
    """`call`, `type`, `base` (a class that another extends) or `name` (anything else)."""
    receiver: str
    """What the name is taken from, joined by `.`: `self`, `os.path`; "?" for an expression, "" for a bare name."""
    inside: str
    """Qualified name of the enclosing definition, "" outside of any."""
    lines: tuple[int, ...]
    """Ascending."""


class References(NamedTuple):
    """All uses of one name in a file, packed: a large repository has millions, and they cross processes, for which a
    tuple costs a fifth of what a dataclass does."""

    name: str
    places: str
    """A line for each sort of use: kind, receiver, inside and lines, parted by tabs; lines are parted by commas."""

    def each(self) -> Iterator[Reference]:
        for place in self.places.split("\n"):
            kind, receiver, inside, lines = place.split("\t")
            yield Reference(
                name=self.name,
                kind=kind,
                receiver=receiver,
                inside=inside,
                lines=tuple(int(line) for line in lines.split(",")),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What one clause of an import brings into a file, or hands on from it."""

    module: str
    """As written, without quotes: `..shop.cart`, `./cart`, `crate::shop`."""
    name: str
    """The name taken from the module; "" for the module itself, "*" for all of its names."""
    alias: str
    """What the file calls it, which may have dots (`import os.path`); "" when it binds nothing."""
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What is known of a file's syntax."""

    symbols: tuple[Symbol, ...] = ()
    """In order of start line; an enclosing symbol comes before what it encloses."""
    errors: tuple[tuple[int, int], ...] = ()
    """Line ranges that the grammar could not make sense of."""
    complete: bool = True
    """False when the file was too costly to parse or has no grammar: then there are no symbols."""
    references: tuple[References, ...] = ()
    """One for each name, without order; names that cannot be another file's or this one's definition are left out."""
    imports: tuple[Import, ...] = ()
    """In order. Of a manifest (go.mod, package.json, tsconfig.json, Cargo.toml) its facts: see `manifests`."""
