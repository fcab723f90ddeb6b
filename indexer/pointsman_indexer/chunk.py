"""A file as chunks: what is embedded, found and cited.

Functions, methods and classes stay whole, with their signature and documentation; a class that has members gives its
head and each member; what is left over becomes module pieces; files without symbols become windows of text. Lines are
exact: a chunk's text is the file's text of those lines. Knows nothing of stores or embedders.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pointsman_indexer.lines import Lines
from pointsman_indexer.symbols import CONTAINERS, Parsed, Symbol

VERSION = 1
"""Raise it when the same file gives other chunks than before: indexes are then made anew."""

LONGEST = 120
"""Lines of a chunk, at most."""
_LARGEST = 8000
"""Bytes of a chunk, at most; a single longer line is cut."""
_WINDOW, _OVERLAP = 40, 5
_DEEPEST_CUT = 8
_SHORT_HEAD = 2

_FEWEST_LINES = {"key": 8, "table": 4, "variable": 4, "constant": 4, "macro": 3, "type": 2}
"""Definitions shorter than this stay in what surrounds them; others need two lines."""
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a file. Lines are 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    """Qualified name of the definition that it is, or is part of; "" outside of any."""
    kind: str
    """The symbol's kind, `module` for code outside of symbols, `text` for a window of text."""
    language: str
    """"" when unknown."""
    text: str
    header: str = ""
    """The definition's first line, for a part of it that does not hold that line."""

    @property
    def sha256(self) -> str:
        """Of symbol, header and text, not of path and lines: a moved or renamed file needs no new embedding."""
        content = "\0".join((self.symbol, self.header, self.text))
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def embedding_text(self) -> str:
        """Path, scope and text: what the embedder reads."""
        return "\n".join(part for part in (self.path, self.symbol, self.header, self.text) if part)


def chunk(path: str, language: str, lines: Lines, parsed: Parsed) -> list[Chunk]:
    """The chunks of a file, in order; together they hold every line that has a word on it."""
    if not parsed.symbols:
        kind = "module" if parsed.complete else "text"
        return [_make(path, language, lines, kind, None, *span) for span in _windows(lines)]
    owners = _owners(lines, parsed.symbols)
    chunks = []
    for owner, first, last in _runs(owners):
        trimmed = _trim(lines, first, last)
        if trimmed is None:
            continue
        symbol = parsed.symbols[owner] if owner >= 0 else None
        kind = symbol.kind if symbol else "module"
        chunks += [_make(path, language, lines, kind, symbol, *span) for span in _parts(lines, *trimmed)]
    return chunks


def _make(path: str, language: str, lines: Lines, kind: str, symbol: Symbol | None, first: int, last: int) -> Chunk:
    text = lines.bytes(first, last)[: 2 * _LARGEST].decode("utf-8", "replace")
    header = symbol.signature if symbol is not None and symbol.signature not in text else ""
    return Chunk(
        path=path,
        start_line=first,
        end_line=last,
        symbol=symbol.qualified if symbol else "",
        kind=kind,
        language=language,
        text=text[:_LARGEST],
        header=header,
    )


def _owners(lines: Lines, symbols: tuple[Symbol, ...]) -> list[int]:
    """For each line (index 0 is line 1) the symbol whose chunk holds it, or -1."""
    owners = [-1] * len(lines)
    cuts: list[Symbol] = []
    """The cut symbols that enclose the one at hand."""
    covered = 0
    for number, symbol in enumerate(symbols):
        while cuts and cuts[-1].end_line < symbol.start_line:
            cuts.pop()
        inner = len(cuts) == symbol.depth and (not cuts or cuts[-1].kind in CONTAINERS)
        first = max(symbol.start_line, covered + 1)
        enough = symbol.end_line - first + 1 >= _FEWEST_LINES.get(symbol.kind, 2)
        if not inner or not enough or symbol.depth > _DEEPEST_CUT:
            continue
        owners[first - 1 : symbol.end_line] = [number] * (symbol.end_line - first + 1)
        cuts.append(symbol)
        if symbol.kind not in CONTAINERS:
            covered = symbol.end_line
    for number in range(len(symbols) - 1, -1, -1):
        _join_short_head(lines, owners, number, symbols[number].start_line)
    return owners


def _join_short_head(lines: Lines, owners: list[int], number: int, first: int) -> None:
    """Give a head that says next to nothing, such as `class Name:`, to the member that follows it."""
    end = first
    while end <= len(owners) and owners[end - 1] == number:
        end += 1
    said = sum(bool(lines.bytes(line, line).strip()) for line in range(first, min(end, first + 8)))
    if first < end <= min(len(owners), first + 8) and said <= _SHORT_HEAD and owners[end - 1] > number:
        owners[first - 1 : end - 1] = [owners[end - 1]] * (end - first)


def _runs(owners: list[int]) -> Iterator[tuple[int, int, int]]:
    start = 0
    for index in range(1, len(owners) + 1):
        if index == len(owners) or owners[index] != owners[start]:
            yield owners[start], start + 1, index
            start = index


def _trim(lines: Lines, first: int, last: int) -> tuple[int, int] | None:
    """The run without blank lines at its ends; None when no word is left, as with closing brackets."""
    while first <= last and not lines.bytes(first, first).strip():
        first += 1
    while last >= first and not lines.bytes(last, last).strip():
        last -= 1
    filled = any(_WORD.search(lines.text(line, line)) for line in range(first, last + 1))
    return (first, last) if filled else None


def _parts(lines: Lines, first: int, last: int) -> Iterable[tuple[int, int]]:
    """Cut a long run at its least indented or blank lines, in the second half of what fits."""
    while True:
        most = _fitting(lines, first, last, LONGEST)
        if most == last:
            yield first, last
            return
        lowest = first + (most - first + 1) // 2
        end = min(range(most, lowest - 1, -1), key=lambda line: _indent(lines, line + 1), default=most)
        yield first, end
        first = end + 1


def _windows(lines: Lines) -> Iterable[tuple[int, int]]:
    first = 1
    while first <= len(lines):
        last = _fitting(lines, first, len(lines), _WINDOW)
        if (trimmed := _trim(lines, first, last)) is not None:
            yield trimmed
        if last == len(lines):
            return
        first = max(first + 1, last + 1 - _OVERLAP)


def _fitting(lines: Lines, first: int, last: int, most: int) -> int:
    """The last line, up to `last`, with which the piece stays within `most` lines and the byte limit."""
    end, size = first, lines.size(first, first)
    while end < min(last, first + most - 1) and (size := size + lines.size(end + 1, end + 1)) <= _LARGEST:
        end += 1
    return end


def _indent(lines: Lines, line: int) -> int:
    text = lines.bytes(line, line)
    return len(text) - len(text.lstrip()) if text.strip() else -1
