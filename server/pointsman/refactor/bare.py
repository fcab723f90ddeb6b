"""A text without what is said in it: comments, and Python's strings that are statements, blanked by the syntax tree."""

from __future__ import annotations

from tree_sitter import Node

from pointsman_indexer.pairs import Span, blank
from pointsman_indexer.parse import syntax_tree

PROSE = frozenset({"markdown", "restructuredtext", "text"})
"""Languages in which everything is said, and nothing is code."""
TYPED = frozenset({"typescript", "tsx"})
"""Languages whose type annotations are known here; Python's are `python_code`'s."""
_TYPES = frozenset({"type_annotation", "type_arguments", "type_parameters", "type_predicate_annotation"})


def bare(text: str, language: str, *, types: bool = False) -> str | None:
    """The text with nothing where comments and docstrings stood; each line keeps its number.

    None where that is not known: for prose, without a grammar, and when parsing hits its limits.

    Args:
        types: whether TypeScript's type annotations and `import type` go too.
    """
    data = text.encode("utf-8", "replace")
    spans = _spans(data, language, types=types)
    return None if spans is None else blank(data, spans).decode("utf-8", "replace")


def said(text: str, language: str) -> list[str]:
    """What is blanked of it, piece by piece; nothing where that is not known."""
    data = text.encode("utf-8", "replace")
    spans = _spans(data, language, types=False) or []
    return [data[span.start : span.end].decode("utf-8", "replace") for span in spans]


def _spans(data: bytes, language: str, *, types: bool) -> list[Span] | None:
    tree = None if language in PROSE else syntax_tree(data, language)
    if tree is None:
        return None
    spans: list[Span] = []
    waiting = [tree.root_node]
    while waiting:
        node = waiting.pop()
        is_said = _is_said(node, language)
        if is_said or (types and language in TYPED and _is_type(node)):
            end = node.start_byte + len((node.text or b"").rstrip())  # some grammars count the line's end in
            # A comment is a blank: `a+/**/++b` is not `a+++b`.
            spans.append(Span(start=node.start_byte, end=end, filler=b" " if is_said else b""))
        else:
            waiting += node.children
    return spans


def lines_of_code(text: str) -> list[str]:
    """The lines that are not blank, without white space at their ends.

    Where a backslash joins lines, white space behind it and a blank line below it count: each ends what went on.
    """
    kept: list[str] = []
    goes_on = False
    for line in text.splitlines():
        code = line.rstrip()
        joins = code.endswith("\\")
        if code or goes_on:
            kept.append(f"{code} " if joins and code != line else code)
        goes_on = joins and code == line
    return kept


def _is_said(node: Node, language: str) -> bool:
    if node.type.endswith("comment"):
        return node.type != "html_comment"  # in a module of JavaScript it is none
    if language != "python" or node.type != "expression_statement" or node.child_count != 1:
        return False
    (only,) = node.children
    return only.type == "string" and all(part.type != "interpolation" for part in only.children)


def _is_type(node: Node) -> bool:
    imports = node.type == "import_statement" and node.child_count > 1 and node.children[1].type == "type"
    return imports or node.type in _TYPES
