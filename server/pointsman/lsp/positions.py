"""The only offset arithmetic: the editor's (line, character) to and from code points, and edits.

Only `\\n`, `\\r\\n` and `\\r` end a line. Characters count UTF-8, UTF-16 or UTF-32 units, as negotiated. Whatever lies
outside is clamped to the end of its line or of the text, as LSP 3.17 asks; nothing here raises.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)")


class Lines:
    """A text kept as its lines, each with its ending; the last one has none and may be empty.

    Edits replace a run of lines, so that a keystroke in a 10 MB document costs no pass over all of it. Lone surrogates,
    which JSON can carry and UTF-8 cannot, become U+FFFD, which is as long in every encoding.
    """

    def __init__(self, text: str) -> None:
        self._lines = _split(_sane(text))
        self._text: str | None = None
        self._starts: list[int] | None = None

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
        if self._starts is not None:
            return self._starts[line] + column
        return sum(map(len, self._lines[:line])) + column

    def position(self, offset: int, encoding: Encoding) -> tuple[int, int]:
        """(line, character) of a code-point offset. Between `\\r` and `\\n` it is the end of the line's content."""
        if self._starts is None:
            self._starts = [0, *accumulate(map(len, self._lines[:-1]))]
        offset = max(0, offset)
        line = bisect_right(self._starts, offset) - 1
        content = _content(self._lines[line])
        return line, _units(content[: offset - self._starts[line]], encoding)

    def line(self, number: int) -> str:
        """The content of a line without its ending; "" outside of the text."""
        return _content(self._lines[number]) if 0 <= number < len(self._lines) else ""

    def before(self, line: int, character: int, encoding: Encoding) -> str:
        """The content of the line up to the position."""
        line, column = self._place(line, character, encoding)
        return self._lines[line][:column]

    def edit(self, start: tuple[int, int], end: tuple[int, int], new: str, encoding: Encoding) -> None:
        """Replace what lies between two positions. A range that runs backwards is taken the right way round."""
        first, left = self._place(*start, encoding)
        last, right = self._place(*end, encoding)
        if (last, right) < (first, left):
            (first, left), (last, right) = (last, right), (first, left)
        piece = self._lines[first][:left] + _sane(new) + self._lines[last][right:]
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
        self._lines[first : last + 1] = lines
        self._text = self._starts = None

    def _place(self, line: int, character: int, encoding: Encoding) -> tuple[int, int]:
        """(line, column in code points), clamped."""
        if line < 0:
            return 0, 0
        if line >= len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        return line, _column(_content(self._lines[line]), max(0, character), encoding)


def _split(text: str) -> list[str]:
    lines = _LINE.findall(text)
    lines.append(text[sum(map(len, lines)) :])
    return lines


def _sane(text: str) -> str:
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
