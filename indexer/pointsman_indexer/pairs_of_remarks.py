"""Questions whose answer is known, taken from what is said inside code: comments in a function's body, and what its
documentation says after the first sentence.

They ask for details that no first sentence tells, as people's questions do. Whoever asks with them must blank the
comments out of what is searched. Pure functions of bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from tree_sitter import Node, Parser, Query, QueryCursor

from pointsman_indexer.doctext import clean, question, sentences
from pointsman_indexer.languages import grammar
from pointsman_indexer.lines import Lines
from pointsman_indexer.pairs import DEEPEST, Asked, Span, documentation, documented, is_test, place_of
from pointsman_indexer.parse import parse
from pointsman_indexer.symbols import Symbol

_SPLIT = frozenset({"java", "rust"})
"""Languages whose grammar has two kinds of comment."""
_ASKED = frozenset({"function", "method"})


def comments(data: bytes, language: str) -> list[Span]:
    """Where comments stand that have their lines for themselves, in order."""
    return [Span(start=node.start_byte, end=_end(node)) for node in _own_lines(data, language, Lines(data))]


def remarks(path: str, data: bytes, language: str) -> list[Asked]:
    """What comments inside of functions say; neighbouring lines are one remark. None in tests."""
    if is_test(path):
        return []
    lines = Lines(data)
    symbols = [one for one in parse(data, language).symbols if one.kind in _ASKED and not is_test("", one.qualified)]
    found = []
    documents = {span.start for _, spans in documentation(data, language) for span in spans}
    inside = [node for node in _own_lines(data, language, lines) if node.start_byte not in documents]
    for run in _runs(inside, lines):
        first = lines.at(run[0].start_byte)
        around = _around(symbols, first)
        if around is None:
            continue
        raw = data[run[0].start_byte : _end(run[-1])].decode("utf-8", "replace")
        if query := question(clean(raw), around.name):
            found.append(Asked(**place_of(path, language, around), query=query))
    return found


def further(path: str, data: bytes, language: str) -> list[Asked]:
    """What documentation says after its first sentence, a sentence a question."""
    found = []
    for one in documented(path, data, language):
        for sentence in sentences(one.doc)[1:]:
            if one.kind in _ASKED and (query := question(sentence, one.symbol.rpartition(".")[2])):
                place = {name: getattr(one, name) for name in ("path", "language", "symbol", "kind")}
                found.append(Asked(**place, start_line=one.start_line, end_line=one.end_line, query=query))
    return found


def _around(symbols: Sequence[Symbol], line: int) -> Symbol | None:
    """The innermost function that has begun before the line."""
    around = (one for one in symbols if one.start_line < line <= one.end_line)
    return max(around, key=lambda one: one.start_line, default=None)


def _runs(nodes: Sequence[Node], lines: Lines) -> Iterator[list[Node]]:
    run: list[Node] = []
    for node in nodes:
        if run and lines.at(node.start_byte) != lines.at(_end(run[-1])) + 1:
            yield run
            run = []
        run.append(node)
    if run:
        yield run


def _own_lines(data: bytes, language: str, lines: Lines) -> list[Node]:
    known, query = grammar(language), _query(language)
    if known is None or query is None:
        return []
    cursor = QueryCursor(query)
    cursor.set_max_start_depth(DEEPEST)
    nodes = cursor.captures(Parser(known.language).parse(data).root_node).get("comment", [])
    return sorted((node for node in nodes if lines.own_line(node.start_byte)), key=lambda node: node.start_byte)


def _end(node: Node) -> int:
    """Some grammars count the line's end as the comment's."""
    return node.start_byte + len((node.text or b"").rstrip())


@functools.cache
def _query(language: str) -> Query | None:
    known = grammar(language)
    if known is None or language in ("json", "markdown"):
        return None
    kinds = "[(line_comment) (block_comment)]" if language in _SPLIT else "(comment)"
    return Query(known.language, f"{kinds} @comment")
