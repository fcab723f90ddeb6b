"""The definition that a line belongs to, by indentation alone: for actions on a whole one where nothing is selected."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pointsman.complete.already import is_definition
from pointsman.complete.scope import width
from pointsman.lsp.positions import Lines

_REACH = 2_000
"""Lines that are looked at on either side: a longer definition is not what is asked about."""
_CLOSERS = (")", "]", "}", "end")
_ENDS = ("}", "};", "end")


def around(lines: Lines, line: int) -> tuple[int, list[str]]:
    """The number of a first line and a copy of those that matter for `line`, which edits don't change any more."""
    first = max(line - _REACH, 0)
    return first, [lines.line(number) for number in range(first, min(line + _REACH + 1, len(lines)))]


def definition_at(lines: Sequence[str], line: int) -> tuple[int, int] | None:
    """First and last line, from 0, of the innermost function or class around `line`; None where there is none."""
    # A blank line belongs to what the next one belongs to: without that, each definition above would be read to its end
    within = next((number for number in range(line, len(lines)) if lines[number].strip()), None)
    if within is None:
        return None
    narrowest = math.inf if within == line else _bound(lines[within], last=True)
    for first in range(line, max(within - _REACH, -1), -1):
        text = lines[first]
        if not text.strip():
            continue
        if width(text) < narrowest and is_definition(text) and (last := _last(lines, first)) >= line:
            return first, last
        narrowest = min(narrowest, _bound(text, last=first == within))
    return None


def _bound(text: str, *, last: bool) -> int:
    """What a definition must be narrower than to have this line: a bracket's end stands at the definition's own width.
    Behind a block's end there is nothing more of it, so that only the `last` line may be one."""
    closes = text.strip().startswith((*_CLOSERS, "{")) and (last or text.strip() not in _ENDS)
    return width(text) + closes


def _last(lines: Sequence[str], first: int) -> int:
    """Where the definition that begins at `first` ends: blank lines behind it are not its own."""
    depth, last = width(lines[first]), first
    for number in range(first + 1, min(first + _REACH, len(lines))):
        text = lines[number]
        if not text.strip():
            continue
        closes = width(text) == depth and text.strip().startswith((*_CLOSERS, "{"))
        if width(text) <= depth and not closes:
            break
        last = number
        if closes and text.strip() in _ENDS:
            break
    return last
