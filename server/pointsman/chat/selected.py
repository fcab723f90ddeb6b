"""The code that a question points at, as its first source; a long one is told by the definitions in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pointsman.chat.sources import Source, passage
from pointsman.chat.types import Question
from pointsman.exclusion import ExclusionsOf, why_excluded

_LINE_END = re.compile(r"\r\n?|\n")
_LONG = 40
"""Lines from which on a selection has an outline."""


def selected(question: Question) -> Source | None:
    """None when nothing is selected. What is must be one that may be read (`why_left_out`). Parses: call it in a
    thread."""
    snapshot = question.selection
    if snapshot is None or question.end <= question.start:
        return None
    text = snapshot.text
    first = _line_at(text, question.start)
    chosen = text[question.start : question.end].rstrip("\r\n")
    source = passage(path=snapshot.relative, start_line=first, symbol="", sha=snapshot.sha, text=chosen)
    source = replace(source, pointed=True)
    return replace(source, opening=_opening(source, text, snapshot.language)) if len(source.lines) >= _LONG else source


def selected_symbol(question: Question) -> str:
    """The qualified name of the first definition in what is selected, or of the innermost one around it; "" without
    either. Parses: call it in a thread."""
    from pointsman_indexer.parse import parse

    snapshot = question.selection
    if snapshot is None:
        return ""
    first = _line_at(snapshot.text, question.start)
    last = _line_at(snapshot.text, max(question.end - 1, question.start))
    symbols = parse(snapshot.text.encode("utf-8", "replace"), snapshot.language).symbols
    inside = [symbol for symbol in symbols if first <= symbol.start_line <= last]
    around = [symbol for symbol in symbols if symbol.start_line <= first <= symbol.end_line]
    if inside:
        return min(inside, key=lambda symbol: (symbol.start_line, symbol.depth)).qualified
    return max(around, key=lambda symbol: symbol.depth).qualified if around else ""


def _line_at(text: str, offset: int) -> int:
    """The 1-based number of the line that a code point is in."""
    return len(_LINE_END.findall(text[:offset])) + 1


def why_left_out(question: Question, exclusions: ExclusionsOf) -> str | None:
    """Why what is selected must not be read, or None. Call it in a thread."""
    snapshot = question.selection
    return why_excluded(snapshot, exclusions) if snapshot and question.end > question.start else None


def _opening(source: Source, text: str, language: str) -> tuple[int, ...]:
    """Numbers of the lines in the source that open a definition, outer ones first."""
    from pointsman_indexer.parse import parse

    lines = dict(source.lines)
    symbols = parse(text.encode("utf-8", "replace"), language).symbols
    found = [
        _line_of(symbol.signature, range(symbol.start_line, symbol.end_line + 1), lines)
        for symbol in sorted(symbols, key=lambda symbol: symbol.depth)
    ]
    return tuple(dict.fromkeys(number for number in found if number))


def _line_of(signature: str, numbers: Sequence[int], lines: dict[int, str]) -> int:
    """0 when none of these lines is of the source. Comments and decorators stand before it."""
    return next((n for n in numbers if signature and lines.get(n, "").strip().startswith(signature)), 0)
