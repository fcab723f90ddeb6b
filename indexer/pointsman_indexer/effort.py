"""How hard some lines are to change, measured by their syntax: definitions touched, and branches, nested ones more.

Counts nodes of the tree, so that no word in a comment or a string adds anything. A rough scale, the same for all
languages that have a grammar; 0 for the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import re2

from pointsman_indexer.parse import parse, syntax_tree

# Names of nodes that open a branch or a loop, as the grammars call them.
_BRANCH = re2.compile(
    r"(?:if|elif|else_if|unless|for|foreach|for_in|enhanced_for|for_each|while|until|loop|do|case|switch|match|when|catch|except|rescue"
    r"|conditional|ternary|boolean_operator|expression_case|type_case|communication_case|match_arm|switch_case|case_item)"
    r"(?:_(?:statement|expression|clause|block|arm|operator|modifier|group))?"
)
_MOST_NODES = 100_000
_KINDS = ("function", "method", "class")


@dataclass(frozen=True, slots=True)
class Effort:
    symbols: int
    """Functions, methods and classes that overlap the lines."""
    difficulty: int
    """Branches and loops that begin in the lines, each counted once more for every one around it."""


def measure(data: bytes, language: str, start: int, end: int) -> Effort:
    """Lines are 1-based and inclusive. Parses twice, so call it in a thread."""
    touched = sum(
        symbol.kind in _KINDS and symbol.start_line <= end and start <= symbol.end_line
        for symbol in parse(data, language).symbols
    )
    tree = syntax_tree(data, language)
    if tree is None:
        return Effort(touched, 0)
    difficulty = visited = 0
    waiting = [(tree.root_node, 0)]
    while waiting and visited < _MOST_NODES:
        node, depth = waiting.pop()
        visited += 1
        if node.end_point[0] + 1 < start or node.start_point[0] + 1 > end:
            continue
        begins = node.is_named and start <= node.start_point[0] + 1 and _BRANCH.fullmatch(node.type) is not None
        if begins:
            depth += 1
            difficulty += depth
        waiting += [(child, depth) for child in node.children]
    return Effort(touched, difficulty)
