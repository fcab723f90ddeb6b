"""A file as chunks: what is embedded, found and cited.

Functions and methods stay whole, each in a chunk of its own; a class gives its head and its members; module heads,
constants and runs of very short siblings share one; what is long is cut at statements; files without a grammar become
windows of text. Lines are exact: a chunk's text is the file's text of those lines, and every line with a word on it
lies in one chunk. Knows nothing of stores or embedders.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pointsman_indexer import context
from pointsman_indexer.lines import Lines
from pointsman_indexer.pieces import Piece, Scopes
from pointsman_indexer.split import LARGEST, LONGEST, parts, windows
from pointsman_indexer.symbols import Parsed, Symbol

__all__ = ["LONGEST", "VERSION", "Chunk", "chunk", "text_of"]

VERSION = 4
"""Raise it when the same file gives other chunks, symbols or uses than before, or the same chunk another text to
embed: indexes are then made anew."""

_DATA = frozenset({"json", "yaml", "toml"})
"""Languages whose files are cut at their least indented lines, not at each key."""
_DATA_WHOLE = 60
_MOST_NAMES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a file. Lines are 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    """Qualified name of the definition that it is, or is part of, or whose members it holds; "" outside of any."""
    kind: str
    """The symbol's kind, `module` for code outside of symbols, `text` for a window of text or data."""
    language: str
    """"" when unknown."""
    text: str
    header: str = ""
    """The symbol's signature and first line of documentation, when the chunk does not hold the start of the symbol."""
    scope: str = ""
    """Signature of the class, or the like, that encloses the symbol: `class Cart(Base):`."""
    signature: str = ""
    """The symbol's signature on one line, also when it is written over several; "" outside of any symbol."""
    names: tuple[str, ...] = ()
    """Qualified names of all symbols that start in the chunk, the first 100 of them."""

    @property
    def doc(self) -> str:
        """The symbol's or module's docstring or leading comment without its marks; "" if there is none here."""
        return context.doc(self.text, self.signature, self.language)

    @property
    def embedding_text(self) -> str:
        """What the embedder reads: names and documentation first, no path (see `context`)."""
        return context.embedding_text(
            self.text,
            symbol=self.symbol,
            scope=self.scope,
            signed=self.signature,
            header=self.header,
            language=self.language,
        )

    @property
    def sha256(self) -> str:
        """Of `embedding_text` and nothing else: what is moved, renamed or only spaced anew needs no new embedding."""
        return hashlib.sha256(self.embedding_text.encode("utf-8", "surrogatepass")).hexdigest()


def chunk(path: str, language: str, lines: Lines, parsed: Parsed) -> list[Chunk]:
    """The chunks of a file, in order; together they hold every line that has a word on it. Never raises.

    Only windows of text, which files without a syntax tree are cut into, overlap.
    """
    return list(_Maker(path, language, lines, parsed).chunks(parsed.complete))


class _Maker:
    def __init__(self, path: str, language: str, lines: Lines, parsed: Parsed) -> None:
        self._path = path
        self._language = language
        self._lines = lines
        self._symbols = sorted(parsed.symbols, key=lambda symbol: symbol.start_line)
        self._starts = [symbol.start_line for symbol in self._symbols]

    def chunks(self, complete: bool) -> Iterator[Chunk]:
        if not complete:
            yield from (self._chunk(span, kind="text") for span in windows(self._lines))
        elif self._language in _DATA:
            yield from self._data()
        else:
            scopes = Scopes(self._lines, self._symbols, self._language)
            for piece in scopes.pieces():
                yield from self._of(piece, scopes)

    def _data(self) -> Iterator[Chunk]:
        """Windows, named where they lie in one key or table."""
        tops = [symbol for symbol in self._symbols if symbol.depth == 0]
        starts = [symbol.start_line for symbol in tops]
        spans = parts(self._lines, self._language, 1, len(self._lines), _DATA_WHOLE) if len(self._lines) else ()
        for first, last in spans:
            at = bisect_right(starts, first) - 1
            top = tops[at] if at >= 0 and tops[at].end_line >= last else None
            header = top.signature if top is not None and top.start_line < first else ""
            yield self._chunk((first, last), kind="text", symbol=top, header=header)

    def _of(self, piece: Piece, scopes: Scopes) -> Iterator[Chunk]:
        symbol = self._symbols[piece.owner] if piece.owner >= 0 else None
        kind = symbol.kind if symbol is not None else "section" if self._language == "markdown" else "module"
        signed, scope = scopes.signature(piece.owner), scopes.scope(piece.owner)
        summary: str | None = None
        for span in parts(self._lines, self._language, piece.first, piece.last):
            header = ""
            if symbol is not None and span[0] > symbol.start_line:
                if summary is None:
                    head = self._text(symbol.start_line, min(symbol.end_line, symbol.start_line + LONGEST - 1))
                    summary = context.doc(head, signed, self._language).partition("\n")[0]
                header = f"{signed}\n{summary}" if summary else signed
            yield self._chunk(span, kind=kind, symbol=symbol, signature=signed, scope=scope, header=header)

    def _chunk(
        self,
        span: tuple[int, int],
        *,
        kind: str,
        symbol: Symbol | None = None,
        signature: str = "",
        scope: str = "",
        header: str = "",
    ) -> Chunk:
        first, last = span
        return Chunk(
            path=self._path,
            start_line=first,
            end_line=last,
            symbol=symbol.qualified if symbol is not None else "",
            kind=kind,
            language=self._language,
            text=self._text(first, last),
            header=header,
            scope=scope,
            signature=signature,
            names=tuple(dict.fromkeys(self._names(first, last))),
        )

    def _names(self, first: int, last: int) -> Iterable[str]:
        begin, end = bisect_left(self._starts, first), bisect_right(self._starts, last)
        return (symbol.qualified for symbol in self._symbols[begin : min(end, begin + _MOST_NAMES)])

    def _text(self, first: int, last: int) -> str:
        return text_of(self._lines, first, last)


def text_of(lines: Lines, first: int, last: int) -> str:
    """The lines as a chunk has them: the last of them is cut where it would be too large."""
    data = lines.bytes(first, last)
    return data.decode("utf-8", "replace") if len(data) <= LARGEST else data[:LARGEST].decode("utf-8", "ignore")
