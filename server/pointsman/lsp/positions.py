"""The only offset arithmetic: the editor's (line, character) to and from code points, and edits.

Only `\\n`, `\\r\\n` and `\\r` end a line. Characters count UTF-8, UTF-16 or UTF-32 units, as negotiated. Whatever lies
outside is clamped to the end of its line or of the text, as LSP 3.17 asks; nothing here raises.
"""

from __future__ import annotations

import re
from typing import Literal

from pointsman.session import Edit

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)")
_PYTHON_BREAKS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""What `str.splitlines` takes for a line break beyond ours. It is far faster, so it is used where none occurs."""


class Lines:
    """A text kept as its lines, each with its ending; the last one has none and may be empty.

    Edits replace a run of lines, so that a keystroke in a 10 MB document costs no pass over all of it. Lone surrogates,
    which JSON can carry and UTF-8 cannot, become U+FFFD, which is as long in every encoding.
    """

    def __init__(self, text: str) -> None:
        self._lines = _split(_sane(text))
        self._text: str | None = None
        self._mark = (0, 0)
        """A line and its start. Starts are counted from here: a cursor moves little from one request to the next."""

    def __len__(self) -> int:
        """How many lines there are: one more than line endings."""
        return len(self._lines)

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = "".join(self._lines)
        return self._text

    def offset(self, line: int, character: int, encoding: Encoding) -> int:
        """Code points before the position."""
        line, column = self._place(line, character, encoding)
        return self._start(line) + column

    def position(self, offset: int, encoding: Encoding) -> tuple[int, int]:
        """(line, character) of a code-point offset. Between `\\r` and `\\n` it is the end of the line's content."""
        offset = max(0, offset)
        line, start = self._mark
        while start > offset:
            line -= 1
            start -= len(self._lines[line])
        while line + 1 < len(self._lines) and start + len(self._lines[line]) <= offset:
            start += len(self._lines[line])
            line += 1
        self._mark = line, start
        return line, _units(_content(self._lines[line])[: offset - start], encoding)

    def line(self, number: int) -> str:
        """The content of a line without its ending; "" outside of the text."""
        return _content(self._lines[number]) if 0 <= number < len(self._lines) else ""

    def before(self, line: int, character: int, encoding: Encoding) -> str:
        """The content of the line up to the position."""
        line, column = self._place(line, character, encoding)
        return self._lines[line][:column]

    def edit(self, start: tuple[int, int], end: tuple[int, int], new: str, encoding: Encoding) -> Edit:
        """Replace what lies between two positions. A range that runs backwards is taken the right way round.

        Returns what was done, in code points.
        """
        first, left = self._place(*start, encoding)
        last, right = self._place(*end, encoding)
        if (last, right) < (first, left):
            (first, left), (last, right) = (last, right), (first, left)
        begin = self._start(first) + left
        done = Edit(begin, begin + sum(map(len, self._lines[first:last])) - left + right, _sane(new))
        piece = self._lines[first][:left] + done.new + self._lines[last][right:]
        # A carriage return and a line feed that come to stand side by side are one line ending from now on.
        if first > 0 and self._lines[first - 1].endswith("\r"):
            first -= 1
            piece = self._lines[first] + piece
        if last + 1 < len(self._lines) and piece.endswith("\r"):
            last += 1
            piece += self._lines[last]
        lines = _split(piece)
        if last + 1 < len(self._lines) and not lines[-1]:
            lines.pop()
        if self._mark[0] > first:
            self._start(first)
        self._lines[first : last + 1] = lines
        self._text = None
        return done

    def _start(self, line: int) -> int:
        """Code points before a line of the text."""
        marked, start = self._mark
        if line >= marked:
            start += sum(map(len, self._lines[marked:line]))
        elif line < marked - line:
            start = sum(map(len, self._lines[:line]))
        else:
            start -= sum(map(len, self._lines[line:marked]))
        self._mark = line, start
        return start

    def _place(self, line: int, character: int, encoding: Encoding) -> tuple[int, int]:
        """(line, column in code points), clamped."""
        if line < 0:
            return 0, 0
        if line >= len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        return line, _column(_content(self._lines[line]), max(0, character), encoding)


def code_points(text: str, units: int, encoding: Encoding) -> int:
    """Code points in the first `units` of a text that may have several lines."""
    return _column(text, max(0, units), encoding)


def _split(text: str) -> list[str]:
    if any(other in text for other in _PYTHON_BREAKS):
        lines = _LINE.findall(text)
        lines.append(text[sum(map(len, lines)) :])
        return lines
    lines = text.splitlines(keepends=True)
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


def _sane(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _content(line: str) -> str:
    if line.endswith("\r\n"):
        return line[:-2]
    return line[:-1] if line.endswith(("\n", "\r")) else line


def _column(content: str, character: int, encoding: Encoding) -> int:
    """Code points in the first `character` units; a position inside a character is that character's start."""
    if encoding == "utf-32" or content.isascii():
        return min(character, len(content))
    if encoding == "utf-8":
        return len(content.encode("utf-8")[:character].decode("utf-8", "ignore"))
    return len(content.encode("utf-16-le")[: 2 * character].decode("utf-16-le", "ignore"))


def _units(text: str, encoding: Encoding) -> int:
    if encoding == "utf-32" or text.isascii():
        return len(text)
    return len(text.encode("utf-8")) if encoding == "utf-8" else len(text.encode("utf-16-le")) // 2
