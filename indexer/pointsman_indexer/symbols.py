"""Values that parsing gives. Lines are 1-based and inclusive."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What is known of a file's syntax."""

    symbols: tuple[Symbol, ...] = ()
    """In order of start line; an enclosing symbol comes before what it encloses."""
    errors: tuple[tuple[int, int], ...] = ()
    """Line ranges that the grammar could not make sense of."""
    complete: bool = True
    """False when the file was too costly to parse or has no grammar: then there are no symbols."""
