"""The definition that a line belongs to, by indentation alone: for actions on a whole one where nothing is selected."""

from __future__ import annotations

from pointsman.complete.already import is_definition
from pointsman.complete.scope import width
from pointsman.lsp.positions import Lines

_REACH = 2_000
"""Lines that are looked at on either side: a longer definition is not what is asked about."""
_CLOSERS = (")", "]", "}", "end")
_ENDS = ("}", "};", "end")


def definition_at(lines: Lines, line: int) -> tuple[int, int] | None:
    """First and last line, from 0, of the innermost function or class around `line`; None where there is none."""
    for first in range(min(line, len(lines) - 1), max(line - _REACH, -1), -1):
        if is_definition(lines.line(first)) and (last := _last(lines, first)) >= line:
            return first, last
    return None


def _last(lines: Lines, first: int) -> int:
    """Where the definition that begins at `first` ends: blank lines behind it are not its own."""
    depth, last = width(lines.line(first)), first
    for number in range(first + 1, min(first + _REACH, len(lines))):
        text = lines.line(number)
        if not text.strip():
            continue
        closes = width(text) == depth and text.strip().startswith((*_CLOSERS, "{"))
        if width(text) <= depth and not closes:
            break
        last = number
        if closes and text.strip() in _ENDS:
            break
    return last
