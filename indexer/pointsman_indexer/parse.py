"""Bytes to symbols, uses and imports. Never raises, on any bytes; what costs too much gives no symbols instead.

Knows nothing of files or chunks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tree_sitter import Node, Parser, QueryCursor, Tree

from pointsman_indexer.languages import Grammar, grammar
from pointsman_indexer.lines import Lines
from pointsman_indexer.manifests import facts
from pointsman_indexer.references import uses
from pointsman_indexer.symbols import CONTAINERS, Parsed, Symbol

_SECONDS = 0.4
"""Of processor time, for parsing. A megabyte of sane code takes a seventh of a second. The query has no such limit: its
progress callback ends the process (seen with tree-sitter 0.26.1), and its cost is linear in the tree."""
_LARGEST = 2 * 1024 * 1024
_BLOCK = 65536
_MATCH_LIMIT = 65536
_MOST_SYMBOLS = 20_000
_DEEPEST = 64
"""Deeper symbols are left out: no one names what is nested further."""
_DEEPEST_NODE = 512
"""Of the syntax tree; visiting a node costs the query its depth, so a tower of brackets would take minutes."""
_MOST_IN_ERROR, _MOST_ERRORS = 4_000, 20_000
"""Past these a file is not in its language, or not worth a query's time."""
_BODIES = frozenset({"compound_statement", "case_statement"})
_YAML_DEEPEST = 100
_YAML_PREFIX = re.compile(rb"^[ \t]*|[-?:](?=[ \t]|$)", re.M)

_UNPARSED = Parsed(complete=False)


@dataclass(slots=True)
class _Found:
    name: str
    kind: str
    scope: str
    start: int
    end: int
    name_start: int
    pattern: int


def parse(data: bytes, language: str) -> Parsed:
    """Symbols and error ranges of `data`. `complete` is False without a grammar or when the limits were hit."""
    known = grammar(language)
    if known is None and len(data) <= _LARGEST:
        return Parsed(complete=False, imports=facts(data, language))
    tree = syntax_tree(data, language)
    if tree is None or known is None:
        return _UNPARSED
    root = tree.root_node
    return _UNPARSED if root.has_error and _hopeless(root) else _collect(known, language, root, Lines(data))


def syntax_tree(data: bytes, language: str) -> Tree | None:
    """The whole tree; None without a grammar or when the limits were hit."""
    known = grammar(language)
    if known is None or len(data) > _LARGEST or (language == "yaml" and _too_deep_for_yaml(data)):
        return None
    deadline = time.process_time() + _SECONDS
    try:
        return Parser(known.language).parse(
            lambda offset, _point: data[offset : offset + _BLOCK],
            progress_callback=lambda _offset, _error: time.process_time() > deadline,
        )
    except ValueError:  # the binding's answer to a progress callback that calls a halt
        return None


def _too_deep_for_yaml(data: bytes) -> bool:
    """Whether block nesting may pass the YAML scanner's buffer, whose overflow would end the process.

    Nesting is at most the columns of indentation and the block indicators of one line together.
    """
    return any(
        len(line) - len(line.lstrip(b" \t")) + len(_YAML_PREFIX.findall(line)) > _YAML_DEEPEST
        for line in re.split(rb"[\r\n]", data)
    )


def _hopeless(root: Node) -> bool:
    """Whether some error is one long run of tokens: a query compares each of them with all that follow."""
    waiting, visited = [root], 0
    while waiting:
        node = waiting.pop()
        visited += 1
        if (node.is_error and node.child_count > _MOST_IN_ERROR) or visited > _MOST_ERRORS:
            return True
        waiting += [child for child in node.children if child.has_error]
    return False


def _collect(known: Grammar, language: str, root: Node, lines: Lines) -> Parsed:
    found: dict[int, _Found] = {}
    leads: dict[int, int] = {}
    errors: list[tuple[int, int]] = []
    cursor = QueryCursor(known.query, match_limit=_MATCH_LIMIT)
    cursor.set_max_start_depth(_DEEPEST_NODE)
    for pattern, captures in cursor.matches(root):
        if "error" in captures:
            errors += [_span(node, lines) for node in captures["error"]]
        elif "doc" in captures or "lead" in captures:
            for node in captures.get("doc", ()):
                if lines.own_line(node.start_byte):
                    _lead(leads, _span(node, lines))
            for node in captures.get("lead", ()):
                _lead(leads, _span(node, lines))
        elif len(found) < _MOST_SYMBOLS:
            _add(found, pattern, captures, lines)
    symbols = tuple(_nest(found.values(), leads, lines))
    references, imports = uses(known, language, root, lines, symbols, found.keys())
    return Parsed(
        symbols=symbols,
        errors=tuple(_union(errors)),
        references=references,
        imports=imports or facts(lines.data, language),
    )


def _span(node: Node, lines: Lines) -> tuple[int, int]:
    """First and last line of a node; one that ends with a line's end does not reach into the next."""
    return lines.at(node.start_byte), lines.at(max(node.start_byte, node.end_byte - 1))


def _lead(leads: dict[int, int], span: tuple[int, int]) -> None:
    leads[span[1]] = min(span[0], leads.get(span[1], span[0]))


def _add(found: dict[int, _Found], pattern: int, captures: dict[str, list[Node]], lines: Lines) -> None:
    """Keep one definition for each name: the first pattern that finds it says what it is."""
    name = captures["name"][0]
    kind, nodes = next((key[11:], nodes) for key, nodes in captures.items() if key.startswith("definition."))
    seen = found.get(name.start_byte)
    if seen is not None and seen.pattern <= pattern:
        return
    if kind == "prototype":
        if _in_body(nodes[0]):
            return
        kind = "function"
    scope = captures.get("scope")
    found[name.start_byte] = _Found(
        name=_text(name, lines),
        kind=kind,
        scope=_text(scope[0], lines) if scope else "",
        start=nodes[0].start_byte,
        end=nodes[0].end_byte,
        name_start=name.start_byte,
        pattern=pattern,
    )


def _in_body(node: Node) -> bool:
    """Whether what stands below `#if` stands in a function's body, where a local such as `Lock guard(mutex())` reads
    like a prototype. A query cannot say it: conditions nest."""
    outer = node.parent
    while outer is not None and outer.type.startswith("preproc_"):
        outer = outer.parent
    return outer is not None and outer.type in _BODIES


def _text(node: Node, lines: Lines) -> str:
    words = lines.data[node.start_byte : min(node.end_byte, node.start_byte + 400)].decode("utf-8", "replace").split()
    text = " ".join(words)
    if len(text) > 1 and text[0] in "\"'`" and text.find(text[0], 1) == len(text) - 1:
        text = text[1:-1]
    return text[:200]


def _nest(found: Iterable[_Found], leads: dict[int, int], lines: Lines) -> Iterable[Symbol]:
    open_: list[tuple[int, int, Symbol]] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end, one.name_start)):
        # Of one span are the names of one declaration, as in `var x, y = 1, 2`.
        while open_ and (open_[-1][1] <= one.start or open_[-1][:2] == (one.start, one.end)):
            open_.pop()
        if len(open_) >= _DEEPEST or not one.name:
            continue
        outer = open_[-1][2] if open_ else None
        path = one.name.replace("::", ".")
        if one.scope:
            path = f"{one.scope}.{path}"
        first, last = lines.at(one.start), lines.at(max(one.start, one.end - 1))
        floor = outer.start_line + 1 if outer else 1
        while first - 1 in leads and leads[first - 1] >= floor:
            first = leads[first - 1]
        line = lines.at(one.name_start)
        symbol = Symbol(
            name=path.rpartition(".")[2] or path,
            qualified=f"{outer.qualified}.{path}" if outer else path,
            kind="method" if one.kind == "function" and outer and outer.kind in CONTAINERS else one.kind,
            start_line=first,
            end_line=max(first, _last_filled(lines, first, last)),
            depth=len(open_),
            signature=lines.bytes(line, line)[:800].decode("utf-8", "replace").strip()[:200],
        )
        open_.append((one.start, one.end, symbol))
        yield symbol


def _last_filled(lines: Lines, first: int, last: int) -> int:
    while last > first and not lines.bytes(last, last).strip():
        last -= 1
    return last


def _union(spans: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
