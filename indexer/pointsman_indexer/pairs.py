"""Questions whose answer is known, taken from documentation: it asks in words for the code below it.

So a repository brings its own labels: to measure retrieval and to train for it, as CodeSearchNet does (Husain et al.
2019). Whoever asks with it must blank it out of what is searched. Pure functions of bytes; `pairs_of_names` has the
questions that names and tests ask, `pairs_of_remarks` those of comments, `commits` those of history.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tree_sitter import Node, Parser, Query, QueryCursor

from pointsman_indexer.doctext import clean, question
from pointsman_indexer.languages import grammar
from pointsman_indexer.lines import Lines
from pointsman_indexer.parse import parse
from pointsman_indexer.symbols import CONTAINERS, Parsed, Symbol

KINDS = frozenset({"function", "method", "class", "interface", "struct", "trait", "enum"})
"""Definitions that someone would ask for."""

_DOCSTRING = """
(function_definition name: (identifier) @name
  body: (block . (expression_statement . [(string) (concatenated_string)] @doc .)))
(class_definition name: (identifier) @name
  body: (block . (expression_statement . [(string) (concatenated_string)] @doc .)))
"""
_COMMENTS = {
    "c": ("(comment) @doc", rb"/\*\*(?!/)|/\*!|//[/!]"),
    "cpp": ("(comment) @doc", rb"/\*\*(?!/)|/\*!|//[/!]"),
    "csharp": ("(comment) @doc", rb"///|/\*\*(?!/)"),
    "go": ("(comment) @doc", rb"//(?!go:|nolint|\s*\+build|line )|/\*"),
    "java": ("[(line_comment) (block_comment)] @doc", rb"/\*\*(?!/)"),
    "javascript": ("(comment) @doc", rb"/\*\*(?!/)"),
    "php": ("(comment) @doc", rb"/\*\*(?!/)"),
    "ruby": ("(comment) @doc", rb"#(?!\s*(?:frozen_string|rubocop|@|:nodoc|!))"),
    "rust": ("[(line_comment) (block_comment)] @doc", rb"///|/\*\*(?!/)"),
    "tsx": ("(comment) @doc", rb"/\*\*(?!/)"),
    "typescript": ("(comment) @doc", rb"/\*\*(?!/)"),
}
"""Comments, and how one that documents begins."""
LANGUAGES = frozenset({"python", *_COMMENTS})
"""Whose documentation is understood."""

_TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|testing|__tests__|spec|testdata|fixtures)/|(?:^|/)test_|[_.](?:test|spec)s?\."
)
_TEST_NAME = re.compile(r"(?:^|\.)(?:[tT]est|tests?\.)|Tests?$|Test\.")
DEEPEST = 512
_NEWLINE = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes `start` to `end` (exclusive) of a file, and what must stand there instead for it to stay valid."""

    start: int
    end: int
    filler: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A definition and what asks for it. Lines are 1-based, inclusive, documentation included."""

    path: str
    language: str
    symbol: str
    """Qualified name, as `Chunk.symbol` has it."""
    kind: str
    start_line: int
    end_line: int
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented(Asked):
    """A definition with documentation that describes it; the first sentence or paragraph is the query."""

    signature: str
    doc: str
    """Without markup, up to the first table of parameters."""
    spans: tuple[Span, ...] = field(repr=False)
    """Where the documentation stands."""


def place_of(path: str, language: str, symbol: Symbol) -> dict[str, Any]:
    """What `Asked` says of a definition, but for the query."""
    return {
        "path": path,
        "language": language,
        "symbol": symbol.qualified,
        "kind": symbol.kind,
        "start_line": symbol.start_line,
        "end_line": symbol.end_line,
    }


def is_test(path: str, symbol: str = "") -> bool:
    """Whether a file, or a definition in it, tests others."""
    return bool(_TEST_PATH.search(path) or (symbol and _TEST_NAME.search(symbol)))


def documented(path: str, data: bytes, language: str, *, tests: bool = False) -> list[Documented]:
    """The documented definitions of a file that can be asked for, in order; of tests only with `tests`."""
    if not tests and is_test(path):
        return []
    found = []
    for symbol, spans in documentation(data, language):
        if symbol.name.startswith("__") or (not tests and is_test("", symbol.qualified)):
            continue
        raw = b"\n".join(data[span.start : span.end] for span in spans).decode("utf-8", "replace")
        doc = clean(raw)
        if query := question(doc, symbol.name):
            place = place_of(path, language, symbol)
            found.append(Documented(**place, signature=symbol.signature, doc=doc, query=query, spans=spans))
    return found


def documentation(data: bytes, language: str) -> list[tuple[Symbol, tuple[Span, ...]]]:
    """Each definition that has documentation, good or not, and where that stands: what is to be blanked."""
    known, query = grammar(language), _query(language)
    parsed = parse(data, language) if query else Parsed()
    if known is None or query is None or not parsed.symbols:
        return []
    cursor = QueryCursor(query)
    cursor.set_max_start_depth(DEEPEST)
    matches = [captures for _, captures in cursor.matches(Parser(known.language).parse(data).root_node)]
    symbols = [symbol for symbol in parsed.symbols if symbol.kind in KINDS]
    lines = Lines(data)
    if language == "python":
        return _docstrings(lines, symbols, matches)
    return _comments(lines, symbols, [nodes["doc"][0] for nodes in matches], re.compile(_COMMENTS[language][1]))


def blank(data: bytes, spans: Iterable[Span]) -> bytes:
    """`data` without the spans' bytes. Every other line keeps its number and its bytes, and the file its validity."""
    pieces, at = [], 0
    for span in sorted(set(spans), key=lambda span: span.start):
        if span.start >= at:
            pieces += [data[at : span.start], span.filler, *_NEWLINE.findall(data, span.start, span.end)]
            at = span.end
    return b"".join((*pieces, data[at:]))


@functools.cache
def _query(language: str) -> Query | None:
    known = grammar(language)
    source = _DOCSTRING if language == "python" else _COMMENTS.get(language, ("", b""))[0]
    return Query(known.language, source) if known and source else None


def _docstrings(
    lines: Lines, symbols: Sequence[Symbol], matches: Iterable[dict[str, list[Node]]]
) -> list[tuple[Symbol, tuple[Span, ...]]]:
    found: list[tuple[Symbol, tuple[Span, ...]]] = []
    for captures in matches:
        name, doc = captures["name"][0], captures["doc"][0]
        symbol = _at(symbols, lines.at(name.start_byte), (name.text or b"").decode("utf-8", "replace"))
        body = doc.parent.parent if doc.parent else None
        if symbol is None or body is None:
            continue
        rest = lines.bytes(line := lines.at(doc.end_byte), line)
        alone = lines.own_line(doc.start_byte) and rest.rstrip().endswith((doc.text or b"")[-1:])
        statements = sum(child.is_named and child.type != "comment" for child in body.children)
        filler = b"" if alone and statements > 1 else b"pass"
        found.append((symbol, (Span(start=doc.start_byte, end=doc.end_byte, filler=filler),)))
    return found


def _at(symbols: Sequence[Symbol], line: int, name: str) -> Symbol | None:
    """The innermost definition of that name around a line."""
    around = (one for one in symbols if one.name == name and one.start_line <= line <= one.end_line)
    return max(around, key=lambda one: one.start_line, default=None)


def _comments(
    lines: Lines, symbols: Sequence[Symbol], comments: Iterable[Node], documents: re.Pattern[bytes]
) -> list[tuple[Symbol, tuple[Span, ...]]]:
    """Comments between a definition's first line and the line of its name, which parsing found to belong to it."""
    starting: dict[int, Span] = {}
    for node in comments:
        end = node.start_byte + len((node.text or b"").rstrip())
        if documents.match(lines.data, node.start_byte) and lines.own_line(node.start_byte):
            starting[lines.at(node.start_byte)] = Span(start=node.start_byte, end=end)
    found = []
    for symbol in symbols:
        spans = []
        for line in range(symbol.start_line, symbol.end_line + 1):
            if line in starting:
                spans.append(starting[line])
            elif lines.text(line, line).strip()[:200].strip() == symbol.signature:
                break
        if spans and not (symbol.kind in CONTAINERS and spans[-1].end > lines.size(1, symbol.end_line)):
            found.append((symbol, tuple(spans)))
    return found
