"""Other readings of a text in which a disguised secret stands plainly, each with its way back to the text itself.

`folded` drops characters that nobody sees, decodes escapes of JSON, source code and URLs, and joins literals that the
language would join. `run_on` also joins lines and the items of a list. `blobs` decodes hexadecimal and base64 runs.
Pure; offsets are code points.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2

Span = tuple[int, int]

# Characters of Unicode's category Cf that occur in text, and the variation selectors: none has a width.
_UNSEEN = (
    r"\x{AD}\x{34F}\x{61C}\x{180B}-\x{180F}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FE00}-\x{FE0F}\x{FEFF}"
    r"\x{FFF9}-\x{FFFB}\x{E0000}-\x{E007F}\x{E0100}-\x{E01EF}"
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
    rf"|\\(?:u[0-9A-Fa-f]{{4}}|x[0-9A-Fa-f]{{2}}|[^\r\n])|{_JOINED}".encode()
)
_BREAK = r"(?:\r?\n|\r)[\s#*/>|-]{0,40}"
_RUN_ON = re2.compile(
    rf"[\"'`]\s{{0,40}}[+,.]?\s{{0,40}}{_BREAK}[+.]?\s{{0,9}}[\"'`]|[\"']\s{{0,9}},\s{{0,9}}[\"']|{_BREAK}".encode()
)
_BACKSLASH, _PERCENT, _LINE_ENDS = ord("\\"), ord("%"), b"\r\n"
_JOINTS = b"\"'`\r\n"
"""What syntax between two literals, or the end of a line, starts with."""
_HEX = re2.compile(r"(?:\b0[xX])?(?:[0-9A-Fa-f]{2}){12,}(?:\s{1,40}[0-9A-Fa-f]{24,})*")
_BASE64 = re2.compile(r"[A-Za-z0-9+/_-]{20,}(?:\s{1,40}[A-Za-z0-9+/_-]{20,})*={0,2}")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "f": "\f"}
_PRINTABLE = frozenset(string.printable)
_LARGEST_BLOB = 1 << 16


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
    """(start, end, what it decodes to) of each run of hexadecimal or base64 that hides printable text."""
    for pattern, decode in ((_HEX, _from_hex), (_BASE64, _from_base64)):
        for match in pattern.finditer(text):
            if match.end() - match.start() <= _LARGEST_BLOB and (plain := decode(match.group())) is not None:
                yield match.start(), match.end(), plain


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
        if (first == _BACKSLASH and data[start + 1] not in _LINE_ENDS) or first == _PERCENT:
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
    elif escape[1] in "ux" and len(escape) > 2:
        char = chr(int(escape[2:], 16))
        yield 0, len(escape), "\ufffd" if 0xD800 <= ord(char) < 0xE000 else char
    else:
        yield 0, 2, _CONTROL.get(escape[1], escape[1])


def _from_hex(run: str) -> str | None:
    digits = "".join(run.split())
    digits = digits[2:] if digits[:2] in ("0x", "0X") else digits
    return _readable(bytes.fromhex(digits)) if len(digits) % 2 == 0 else None


def _from_base64(run: str) -> str | None:
    letters = "".join(run.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    if len(letters) % 4 == 1:
        return None
    try:
        return _readable(base64.b64decode(letters + "=" * (-len(letters) % 4)))
    except binascii.Error:
        return None


def _readable(data: bytes) -> str | None:
    plain = data.decode("latin-1")
    return plain if len(plain) >= 12 and _PRINTABLE.issuperset(plain) else None
