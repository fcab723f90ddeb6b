"""Other readings of a text in which a disguised secret stands plainly, each with its way back to the text itself.

`folded` drops characters that nobody sees, decodes escapes of JSON, source code and URLs, and joins literals that the
language would join. `run_on` also joins lines and the items of a list. `blobs` decodes runs of `encodings`.
Pure; offsets are code points.
"""

from __future__ import annotations

import bisect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2

from pointsman.gateway import encodings
from pointsman.hidden import UNSEEN

Span = tuple[int, int]

# Form feeds too: here nothing needs to stay as it is laid out.
_UNSEEN = r"\x{0C}" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in UNSEEN)
# Octal with a zero before it is how shells write it; two digits that begin with less than 4 are a reference or \0.
_ESCAPE = (
    r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|U[0-9A-Fa-f]{8}|[ux]\{[0-9A-Fa-f]{1,8}\}"
    r"|0(?:0[4-7]|1[0-7])[0-7]|[0-3][0-7]{2}|[4-7][0-7]|[^\r\n])"
    r"|&#(?:[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});?"
)
_OPERATOR = r"(?:\+{1,2}=?|\.{1,2}|&|~|\|\||<>)"
_GAP = r"(?:\s|\\\r?\n){0,80}"
_PREFIX = "[rRbBuUfF]{0,2}"
# Two kinds of quote that touch are rather a literal within another than two of them.
_JOINED = "|".join(
    [rf"{quote}{_GAP}{_OPERATOR}?{_GAP}{_PREFIX}{quote}" for quote in ('"', "'")]
    + [rf"{left}(?:{_GAP}{_OPERATOR}{_GAP}|\s{_GAP}){_PREFIX}{right}" for left, right in (('"', "'"), ("'", '"'))]
)
_FOLD = re2.compile(
    rf"[{_UNSEEN}]+|\\\r?\n|(?:%[0-9A-Fa-f]{{2}})+"
    rf"|{_ESCAPE}|{_JOINED}".encode()
)
_BREAK = r"(?:\r?\n|\r)[\s#*/>|-]{0,40}"
_RUN_ON = re2.compile(
    rf"[\"'`]\s{{0,40}}[+,.]?\s{{0,40}}{_BREAK}[+.]?\s{{0,9}}[\"'`]|[\"']\s{{0,9}},\s{{0,9}}[\"']|{_BREAK}".encode()
)
_BACKSLASH, _MARKS, _LINE_ENDS = ord("\\"), b"%&", b"\r\n"
_JOINTS = b"\"'`\r\n"
"""What syntax between two literals, or the end of a line, starts with."""
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "f": "\f"}


_Piece = tuple[int, int, int, int, bool]
"""Where it begins in the view, how long it is there, the part of the text that it stands for, and whether that is
syntax between two literals, and so no part of what they hold."""


@dataclass(frozen=True, slots=True)
class View:
    text: str
    _pieces: list[_Piece]

    def origin(self, start: int, end: int) -> list[Span]:
        """The parts of the text that `start` to `end` of this view stand for: several where literals were joined, so
        that the syntax between them stays as it is."""
        spans: list[Span] = []
        first = bisect.bisect_right(self._pieces, start, key=lambda piece: piece[0] + piece[1])
        for at, length, begin, stop, joins in self._pieces[first:]:
            if at >= end:
                break
            if joins or (not length and not spans):
                continue
            if length == stop - begin:
                left, right = begin + max(0, start - at), begin + min(length, end - at)
            else:
                left, right = begin, stop
            if spans and spans[-1][1] == left:
                spans[-1] = (spans[-1][0], right)
            else:
                spans.append((left, right))
        return spans


def folded(text: str) -> View | None:
    """None when this reading is the text itself."""
    return _rewritten(text, _FOLD)


def run_on(text: str) -> View | None:
    """As above, of the text as it would be on one line."""
    return _rewritten(text, _RUN_ON)


def blobs(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, what it says) of each run of hexadecimal or base64 that hides text: as it is, and folded."""
    for start, end, plain in encodings.hidden_texts(text):
        yield start, end, plain
        if (view := folded(plain)) is not None:
            yield start, end, view.text


def _rewritten(text: str, pattern: Any) -> View | None:
    """The matches of `pattern` decoded or left out. By bytes, since RE2 is several times quicker on them."""
    data = text.encode("utf-8")
    parts: list[str] = []
    pieces: list[_Piece] = []
    at = done = shown = 0
    """Characters of the view; bytes and characters of the text that are dealt with."""
    for match in pattern.finditer(data):
        start, end = match.span()
        if start > done:
            plain = data[done:start].decode("utf-8")
            pieces.append((at, len(plain), shown, shown + len(plain), False))
            parts.append(plain)
            at, shown = at + len(plain), shown + len(plain)
        first = data[start]
        if (first == _BACKSLASH and data[start + 1] not in _LINE_ENDS) or first in _MARKS:
            escape = data[start:end].decode("utf-8")
            for left, right, decoded in _unescaped(escape):
                pieces.append((at, len(decoded), shown + left, shown + right, False))
                parts.append(decoded)
                at += len(decoded)
            shown += len(escape)
        else:
            length = len(data[start:end].decode("utf-8"))
            pieces.append((at, 0, shown, shown + length, first in _JOINTS))
            shown += length
        done = end
    if not pieces:
        return None
    plain = data[done:].decode("utf-8")
    pieces.append((at, len(plain), shown, len(text), False))
    parts.append(plain)
    return View("".join(parts), pieces)


def _unescaped(escape: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, meaning) of each character of one escape, or of a run of %XX."""
    if escape[0] == "%":
        data = bytes.fromhex(escape.replace("%", ""))
        try:
            decoded = data.decode("utf-8")
        except UnicodeDecodeError:
            decoded = data.decode("latin-1")
        at = 0
        for char in decoded:
            width = 3 * (len(char.encode("utf-8")) if len(decoded) != len(data) else 1)
            yield at, at + width, char
            at += width
    else:
        yield 0, len(escape), _meaning(escape)


def _meaning(escape: str) -> str:
    if len(escape) == 2:
        return _CONTROL.get(escape[1], escape[1])
    base = 16 if escape[1] in "uUx" or escape[2] in "xX" else 10 if escape[0] == "&" else 8
    code = int(escape.strip("\\&#uUxX{};"), base)
    return chr(code) if code < 0xD800 or 0xE000 <= code <= sys.maxunicode else "\ufffd"
