"""The asked lines of a document, and the document with others in their place. Only \\n, \\r\\n and \\r end a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pointsman.errors import UsageError

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")


def split_lines(text: str) -> list[str]:
    """Lines with their ends; they join to `text` again."""
    return _LINE.findall(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Lines `start` to `end`, 1-based and inclusive, of a document."""

    lines: tuple[str, ...]
    """All lines of the document, with their ends."""
    start: int
    end: int

    @property
    def text(self) -> str:
        """The selected lines with \\n between them and none at the end."""
        return "\n".join(line.rstrip("\r\n") for line in self.lines[self.start - 1 : self.end])

    @property
    def indent(self) -> str:
        """The white space that all non-blank selected lines begin with."""
        return common_indent(self.text)

    def around(self, count: int) -> tuple[str, str]:
        """Up to `count` lines before and after the selection, with \\n between them."""
        before = self.lines[max(self.start - 1 - count, 0) : self.start - 1]
        after = self.lines[self.end : self.end + count]
        return "".join(_unix(line) for line in before), "".join(_unix(line) for line in after)

    def window(self, count: int) -> str:
        """The selection with up to `count` lines before and after it, in one."""
        before, after = self.around(count)
        return f"{before}{self.text}\n{after}"

    def replaced(self, text: str) -> str:
        """The document with `text` (\\n between lines) as the selected lines, in the document's own line ends."""
        newline = next((e for e in ("\r\n", "\n", "\r") if any(line.endswith(e) for line in self.lines)), "\n")
        selected = self.lines[self.start - 1 : self.end]
        tail = ""
        if selected:
            tail = selected[-1][len(selected[-1].rstrip("\r\n")) :]
        new = text.replace("\n", newline) + tail if text else ""
        return "".join((*self.lines[: self.start - 1], new, *self.lines[self.end :]))


def select(text: str, start: int, end: int) -> Selection:
    """Raises `UsageError` when the document has no such lines; an `end` beyond the last line is the last line.

    Line 1 is there in an empty document too.
    """
    lines = tuple(split_lines(text))
    if not 1 <= start <= end:
        raise UsageError(f"lines {start}-{end} are no range", remedy="START counts from 1, END is not before it")
    count = max(len(lines), 1)
    if start > count:
        raise UsageError(f"line {start} is beyond the end: the document has {len(lines)} lines")
    return Selection(lines=lines, start=start, end=min(end, count))


def common_indent(text: str) -> str:
    """The longest white space that all non-blank lines of `text` begin with."""
    indents = [line[: len(line) - len(line.lstrip())] for line in text.split("\n") if line.strip()]
    if not indents:
        return ""
    first, last = min(indents), max(indents)
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:shared]


def reindented(text: str, indent: str) -> str:
    """`text` with `indent` in place of what its lines share; blank lines stay blank."""
    old = common_indent(text)
    return "\n".join(indent + line[len(old) :] if line.strip() else "" for line in text.split("\n"))


def _unix(line: str) -> str:
    return line.rstrip("\r\n") + "\n"
