"""Which lines of a file belong together: its definitions as a tree of scopes, flattened to pieces.

A piece is a definition that stays whole, or a run of lines of a scope outside of its members, or a run of siblings too
short to say much alone. Works on lines and symbols; knows nothing of chunks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman_indexer import context
from pointsman_indexer.lines import Lines
from pointsman_indexer.split import WHOLE, indent, trim
from pointsman_indexer.symbols import CONTAINERS, Symbol

_FUNCTIONS = frozenset({"function", "method", "constructor"})
_DECLARING = frozenset({"interface", "trait"})
_MERGED = 25
"""Lines of a merged run, at most."""
_SHORT = {"function": 3, "method": 3, "constructor": 3, "section": 10}
"""Definitions of up to so many lines may share a piece."""
_SHORT_TYPE, _SHORT_DOCUMENTED_TYPE = 5, 3
_OVERLOADING = frozenset({"python", "typescript", "tsx"})
"""Languages in which neighbours of one name are one function's overloads, or a property's accessors."""
_OVERLOADS = 60
"""Lines of those together, at most."""
_SHORT_DECLARATION = 8
"""Lines of a member of an interface, with its documentation."""
_SHORT_HEAD, _LONGEST_BANNER = 2, 5
_DEEPEST_CUT = 8
_DOCSTRING = re.compile(rb"[rRuUbB]{0,2}[\"']")
_COMMENT = re.compile(rb"//|/\*|#(?!\[)")
_DOMINANT = 0.75
"""Share of a run's lines that one member needs to give the run its name."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines `first` to `last`, 1-based and inclusive; neither of them is blank."""

    owner: int
    """The symbol that they are of, by its number; -1 for the file."""
    first: int
    last: int
    group: str = ""
    """Neighbours of one group in one scope may be merged; "" for what stays alone."""


class Scopes:
    """The scopes of one file. `symbols` in order of their start."""

    def __init__(self, lines: Lines, symbols: Sequence[Symbol], language: str) -> None:
        self._lines = lines
        self._symbols = symbols
        self._language = language
        self._children: list[list[int]] = [[] for _ in range(len(symbols) + 1)]
        """Of each symbol; the last list is the file's."""
        self._parents = [-1] * len(symbols)
        self._name_lines: dict[int, int] = {}
        open_: list[int] = []
        for number, symbol in enumerate(symbols):
            while open_ and symbols[open_[-1]].depth >= symbol.depth:
                open_.pop()
            self._parents[number] = open_[-1] if open_ else -1
            self._children[self._parents[number]].append(number)
            open_.append(number)

    def pieces(self) -> list[Piece]:
        """In order, without overlap; every line with a word is in one of them."""
        return self._of(-1, 1, len(self._lines), 0)

    def signature(self, number: int) -> str:
        """On one line, however many it is written over."""
        if number < 0:
            return ""
        at = self._name_line(number)
        last = min(self._symbols[number].end_line, at + context.SIGNATURE_LINES - 1)
        return context.signature([self._lines.text(line, line) for line in range(at, last + 1)])[0]

    def scope(self, number: int) -> str:
        """Signature of what encloses the symbol."""
        return self.signature(self._parents[number]) if number >= 0 and self._language != "markdown" else ""

    def _of(self, scope: int, first: int, last: int, depth: int) -> list[Piece]:
        found: list[Piece] = []
        at = first
        for child in self._children[scope]:
            symbol = self._symbols[child]
            end = min(symbol.end_line, last)
            start = max(symbol.start_line, at)
            if end < start:  # on a line that is taken
                continue
            found += self._between(scope, at, start - 1)
            found += self._member(child, start, end, depth)
            at = end + 1
        found += self._between(scope, at, last)
        return self._merge(scope, self._join_scraps(scope, found))

    def _between(self, scope: int, first: int, last: int) -> list[Piece]:
        span = trim(self._lines, first, last)
        if span is None:
            return []
        return [Piece(scope, *span, "values" if span[1] - span[0] < _MERGED else "")]

    def _member(self, number: int, first: int, last: int, depth: int) -> list[Piece]:
        span = trim(self._lines, first, last)
        if span is None:
            return []
        symbol = self._symbols[number]
        if depth < _DEEPEST_CUT and (symbol.kind in CONTAINERS or self._is_factory(number)):
            inner = self._of(number, first, last, depth + 1)
            if len(inner) > 1:
                return [replace(one, group="") for one in inner]
        group = "functions" if symbol.kind in _FUNCTIONS else "types" if symbol.kind in CONTAINERS else "values"
        return [Piece(number, *span, group if self._is_short(number, *span) else "")]

    def _is_factory(self, number: int) -> bool:
        """Whether a long function, or a value, is there to hold other functions."""
        symbol = self._symbols[number]
        inner = [self._symbols[child] for child in self._children[number]]
        return symbol.end_line - symbol.start_line >= WHOLE and sum(one.kind in _FUNCTIONS for one in inner) > 1

    def _is_short(self, number: int, first: int, last: int) -> bool:
        symbol = self._symbols[number]
        head = max(first, self._name_line(number))
        if symbol.kind not in _FUNCTIONS:
            documented = symbol.kind in CONTAINERS and self._is_documented(first, head, last)
            return last - first < (_SHORT_DOCUMENTED_TYPE if documented else _SHORT.get(symbol.kind, _SHORT_TYPE))
        parent = self._parents[number]
        if last - head >= _SHORT[symbol.kind]:
            return False
        if parent >= 0 and self._symbols[parent].kind in _DECLARING:
            return last - first < _SHORT_DECLARATION
        return not self._is_documented(first, head, last)

    def _is_documented(self, first: int, head: int, last: int) -> bool:
        if self._language == "markdown":
            return False
        if _COMMENT.match(self._lines.bytes(first, first).strip()):
            return True
        following = (self._lines.bytes(line, line).strip() for line in range(head + 1, last + 1))
        return self._language == "python" and any(_DOCSTRING.match(line) for line in following)

    def _join_scraps(self, scope: int, pieces: list[Piece]) -> list[Piece]:
        """Give what says next to nothing, such as `class Name:` or `else:`, to the piece that it leads to or ends."""
        found: list[Piece] = []
        for number, piece in enumerate(pieces):
            following = pieces[number + 1] if number + 1 < len(pieces) else None
            before = found[-1] if found else None
            if before is not None and before.last >= piece.first:  # went into the one before
                continue
            if piece.owner != scope or not piece.group:
                found.append(piece)
            elif following is not None and self._leads(scope, piece, following):
                found.append(replace(following, first=piece.first))
            elif (
                before is not None
                and not before.group
                and before.last == piece.first - 1
                and self._filled(piece) <= _SHORT_HEAD
            ):
                found[-1] = replace(before, last=piece.last)
            else:
                found.append(piece)
        return found

    def _leads(self, scope: int, piece: Piece, following: Piece) -> bool:
        if following.last - following.first < WHOLE <= following.last - piece.first:  # would be cut for its sake
            return False
        if self._is_banner(piece):
            return True
        if self._filled(piece) > _SHORT_HEAD:
            return False
        if scope >= 0 and piece.first == self._symbols[scope].start_line:
            return not following.group
        return indent(self._lines, following.first) > indent(self._lines, piece.last) >= 0

    def _is_banner(self, piece: Piece) -> bool:
        """Whether it is a comment alone, such as the title of what follows."""
        if piece.first == 1 or piece.last - piece.first >= _LONGEST_BANNER or self._language == "markdown":
            return False
        texts = (self._lines.bytes(line, line).strip() for line in range(piece.first, piece.last + 1))
        return all(_COMMENT.match(text) or not text for text in texts)

    def _filled(self, piece: Piece) -> int:
        return sum(bool(self._lines.bytes(line, line).strip()) for line in range(piece.first, piece.last + 1))

    def _merge(self, scope: int, pieces: list[Piece]) -> list[Piece]:
        found: list[Piece] = []
        run: list[Piece] = []
        for piece in pieces:
            if not (run and self._go_together(scope, run, piece)):
                found += self._merged(scope, run)
                run = []
            run.append(piece)
        return found + self._merged(scope, run)

    def _go_together(self, scope: int, run: list[Piece], piece: Piece) -> bool:
        before, length = run[-1], piece.last - run[0].first + 1
        if self._language in _OVERLOADING and piece.owner != scope != before.owner:
            one, other = self._symbols[before.owner], self._symbols[piece.owner]
            if one.qualified == other.qualified and one.kind == other.kind and one.kind in _FUNCTIONS:
                return length <= _OVERLOADS and len({self._symbols[each.owner].qualified for each in run}) == 1
        alike = scope >= 0 or piece.group == before.group
        return bool(piece.group and before.group) and alike and length <= _MERGED

    def _merged(self, scope: int, run: list[Piece]) -> list[Piece]:
        """A run as one piece, named after the member that it is mostly of, else after what holds it."""
        if len(run) < 2:
            return run
        names = {self._symbols[one.owner].qualified if one.owner >= 0 else "" for one in run}
        longest = max(run, key=lambda one: one.last - one.first)
        filled = sum(one.last - one.first + 1 for one in run)
        holds_head = scope >= 0 and run[0].first <= self._symbols[scope].start_line
        if len(names) == 1:
            owner = run[0].owner
        elif not holds_head and longest.last - longest.first + 1 > _DOMINANT * filled:
            owner = longest.owner
        else:
            owner = scope
        return [Piece(owner, run[0].first, run[-1].last, run[0].group)]

    def _name_line(self, number: int) -> int:
        """The line that holds the symbol's name."""
        known = self._name_lines.get(number)
        if known is not None:
            return known
        symbol = self._symbols[number]
        found = symbol.start_line
        for line in range(symbol.start_line, symbol.end_line + 1):
            if self._lines.bytes(line, line)[:800].decode("utf-8", "replace").strip()[:200] == symbol.signature:
                found = line
                break
        self._name_lines[number] = found
        return found
