"""Bytes as numbered lines. Lines end at \\n, \\r\\n or \\r and nowhere else."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

_END = re.compile(rb"\r\n|\n|\r")


def _ends(data: bytes) -> Iterator[int]:
    if b"\r" in data:
        return (match.end() for match in _END.finditer(data))
    return accumulate(len(line) + 1 for line in data.split(b"\n")[:-1])


class Lines:
    """The lines of `data`, 1-based. A last line without an end counts; an empty file has none."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._starts = [0, *_ends(data)]
        if self._starts[-1] == len(data):
            self._starts.pop()

    def __len__(self) -> int:
        return len(self._starts)

    def at(self, offset: int) -> int:
        """Line that holds the byte at `offset`; the last line for what lies behind the end."""
        return max(1, bisect_right(self._starts, offset))

    def bytes(self, first: int, last: int) -> bytes:
        """Lines `first` to `last`, with their ends."""
        end = self._starts[last] if last < len(self._starts) else len(self.data)
        return self.data[self._starts[first - 1] : end]

    def text(self, first: int, last: int) -> str:
        return self.bytes(first, last).decode("utf-8", "replace")

    def size(self, first: int, last: int) -> int:
        """Bytes of lines `first` to `last`."""
        end = self._starts[last] if last < len(self._starts) else len(self.data)
        return end - self._starts[first - 1]

    def own_line(self, offset: int) -> bool:
        """Whether nothing but blanks precedes `offset` on its line."""
        return not self.data[self._starts[self.at(offset) - 1] : offset].strip()
