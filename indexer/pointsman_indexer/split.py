"""Where a run of lines may be cut: at the start of a statement, as far out as there is one near the wanted length.

Works on lines alone, for every language: the indentation says how deep a statement lies; strings, block comments and
fences that reach over lines are not cut; what belongs to the next or the line before stays with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pointsman_indexer.lines import Lines

LONGEST = 120
"""Lines of a chunk, at most."""
LARGEST = 8000
"""Bytes of a chunk, at most; a single longer line is cut."""
WHOLE = 80
"""A run of up to so many lines is not cut."""
_TARGET = 60
_WINDOW, _OVERLAP = 40, 5

_WORD = re.compile(rb"[0-9A-Za-z_\x80-\xff]")
_GOES_ON = re.compile(rb"[)\]}.|&?:,*+=]|(?:then|do|end|fi|done|esac|and|or)\b")
"""Start of a line that belongs to the statement before it."""
_BRANCH = re.compile(rb"\}?\s*(?:else|elif|elsif|except|finally|catch|rescue|ensure)\b")
"""Start of a branch: as good a place as a statement that is one deeper."""
_BELONGS_TO_NEXT = (b"#", b"//", b"/*", b"*", b"@", b"--")
_STRINGS = re.compile(
    rb"""(?P<open>\"{3}|'{3}|`|/\*)|\\.|//[^\r\n]*|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'""",
    re.S,
)
_PYTHON_STRINGS = re.compile(
    rb"""(?P<open>\"{3}|'{3})|\\.|\#[^\r\n]*|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'""",
    re.S,
)
_FENCE = re.compile(rb"[ ]{0,3}(`{3,}|~{3,})")
_ENDS = {b"/*": b"*/"}


def trim(lines: Lines, first: int, last: int) -> tuple[int, int] | None:
    """The run without blank lines at its ends; None when no word is left, as with closing brackets."""
    if first > last or not _WORD.search(lines.bytes(first, last)):
        return None
    while not lines.bytes(first, first).strip():
        first += 1
    while not lines.bytes(last, last).strip():
        last -= 1
    return first, last


def parts(lines: Lines, language: str, first: int, last: int, whole: int = WHOLE) -> Iterable[tuple[int, int]]:
    """Cut what is longer than `whole` lines, or larger than a chunk, into pieces of about `_TARGET` lines."""
    if last - first < whole and _fitting(lines, first, last, whole) == last:
        yield first, last
        return
    solid = _solid(lines, language, first, last)
    while True:
        rest = last - first + 1
        most = _fitting(lines, first, last, LONGEST)
        if rest <= whole and most == last:
            break
        ideal = min(-(-rest // max(2, round(rest / _TARGET))), most - first + 1)
        end = _best_cut(lines, solid, language == "markdown", first, most, last, first + ideal - 1)
        yield from _trimmed(lines, first, end)
        if end == last:
            return
        first = end + 1
    yield from _trimmed(lines, first, last)


def windows(lines: Lines) -> Iterator[tuple[int, int]]:
    """Overlapping windows, for text without a grammar."""
    first = 1
    while first <= len(lines):
        last = _fitting(lines, first, len(lines), _WINDOW)
        yield from _trimmed(lines, first, last)
        if last == len(lines):
            return
        first = max(first + 1, last + 1 - _OVERLAP)


def indent(lines: Lines, line: int) -> int:
    """Bytes of white space before the line's first word; -1 for a blank line."""
    text = lines.bytes(line, line)
    return len(text) - len(text.lstrip()) if text.strip() else -1


def _trimmed(lines: Lines, first: int, last: int) -> Iterable[tuple[int, int]]:
    found = trim(lines, first, last)
    return () if found is None else (found,)


def _fitting(lines: Lines, first: int, last: int, most: int) -> int:
    """The last line, up to `last`, with which the piece stays within `most` lines and the byte limit."""
    end, size = first, lines.size(first, first)
    while end < min(last, first + most - 1) and (size := size + lines.size(end + 1, end + 1)) <= LARGEST:
        end += 1
    return end


def _best_cut(lines: Lines, solid: set[int], hold: bool, first: int, most: int, last: int, ideal: int) -> int:
    """The last line of the piece that starts at `first`: the least indented start of a statement follows it.

    `most` is the last line that fits. A string that leaves no other place is cut, unless `hold` says that what is solid
    stays so as long as it fits.
    """
    length, limit = ideal - first + 1, min(most, last - 1)
    near = range(min(first + length // 2, limit), min(first + length * 8 // 5, limit) + 1)
    wide = range(first if hold else min(first + length // 4, limit), limit + 1)
    tries = [(near, False), (wide, False)] if hold else [(near, False), (wide, False), (near, True)]
    for ends, inside in tries:
        free = [end for end in ends if (inside or end + 1 not in solid) and _starts_statement(lines, end + 1)]
        if free:
            return min(free, key=lambda end: (_depth(lines, end + 1), indent(lines, end) >= 0, abs(end - ideal)))
    return most


def _starts_statement(lines: Lines, line: int) -> bool:
    text = lines.bytes(line, line).strip()
    before = lines.bytes(line - 1, line - 1).strip()
    goes_on = _GOES_ON.match(text) and not _BRANCH.match(text)
    return bool(text) and not goes_on and not before.startswith(_BELONGS_TO_NEXT)


def _depth(lines: Lines, line: int) -> int:
    return indent(lines, line) + bool(_BRANCH.match(lines.bytes(line, line).strip()))


def _solid(lines: Lines, language: str, first: int, last: int) -> set[int]:
    """Lines that begin inside a string, block comment or fence; one that never ends holds nothing together."""
    if language == "markdown":
        return {line for start, end in _fences(lines, first, last) for line in range(start + 1, end + 1)}
    inner = Lines(lines.bytes(first, last))
    pattern = _PYTHON_STRINGS if language == "python" else _STRINGS
    found: set[int] = set()
    endless: set[bytes] = set()
    at = 0
    while (match := pattern.search(inner.data, at)) is not None:
        at = match.end()
        opening = match["open"]
        if opening is None or opening in endless:
            continue
        closing = inner.data.find(_ENDS.get(opening, opening), at)
        if closing < 0:
            endless.add(opening)
            continue
        found.update(range(first + inner.at(at), first + inner.at(closing)))
        at = closing + len(opening)
    return found


def _fences(lines: Lines, first: int, last: int) -> Iterator[tuple[int, int]]:
    """First and last line of each fenced block."""
    opened, mark = 0, b""
    for line in range(first, last + 1):
        match = _FENCE.match(lines.bytes(line, line))
        if match is None:
            continue
        if not opened:
            opened, mark = line, match[1]
        elif match[1].startswith(mark):
            yield opened, line
            opened = 0
