"""The text that a chunk is embedded with, and the parts of it that a search weighs by themselves.

Small encoders read the first 128 to 256 tokens, so the most telling text comes first: the qualified name in words, the
signature, the documentation, the body without blank lines and long literals, and last the enclosing scope, of which the
name has told the most. No path is in it, so that a renamed file keeps its embeddings. Pure functions of a chunk's own
text; cheap enough for every chunk of an index.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pointsman_indexer.identifiers import words

_END = re.compile(r"\r\n|\n|\r")
_PYTHON_DOC = re.compile(r"""[rRuUbB]{0,2}(\"{3}|'{3}|"|')""")
_COMMENT = re.compile(r"//[/!]*|/\*+!?|\*+/?|<!--+")
_HASH_COMMENT = re.compile(r"#+!?")
_HASH_LANGUAGES = frozenset({"python", "ruby", "bash", "toml", "yaml"})
_COMMENT_END = re.compile(r"\*+/$|--+>$")
_LICENCE = re.compile(r"copyright|licen[cs]e|SPDX-|all rights reserved", re.I)
_BLOCK = re.compile(r":\s*(?:#.*)?$")
_SPEAKS = re.compile(r"[A-Za-z_]{2}")
_UNBROKEN = re.compile(r"[^\s]{100,}")
_NUMBERS = re.compile(r"(?:[-+]?\d[\w.]*[,;\s]+){16,}")
_KEPT = 40
"""Code points kept of a literal that says nothing more."""
_SILENT_LINES = 4
"""Lines kept of a run that holds no word, such as a table of numbers."""
_LONG_SIGNATURE = 200
"""Code points from which a signature comes after the documentation."""
_DOC_FIRST = 6
"""Lines of documentation before the body; the rest of a longer one comes after it."""
_PADDING = re.compile(r"(?<=[(\[]) |,? (?=[)\]])")
_LONGEST_SIGNATURE = 800
SIGNATURE_LINES = 60
"""Lines of a signature, at most; of a longer one only the first is taken."""


def split_lines(text: str) -> list[str]:
    return _END.split(text)


def signature(lines: Sequence[str]) -> tuple[str, int]:
    """The signature that starts on the first of `lines`, up to where its brackets close, on one line; its lines."""
    joined: list[str] = []
    depth = 0
    for line in lines[:SIGNATURE_LINES]:
        piece = line[:_LONGEST_SIGNATURE].strip()
        joined.append(piece)
        depth += sum(map(piece.count, "([")) - sum(map(piece.count, ")]"))
        if depth <= 0:
            break
    if depth > 0:
        del joined[1:]
    whole = _PADDING.sub("", " ".join(joined)) if len(joined) > 1 else "".join(joined)
    return whole[:_LONGEST_SIGNATURE], len(joined)


def doc(text: str, signed: str, language: str) -> str:
    """The docstring or leading comment of a definition, or of a module without one; "" if there is none."""
    lines = split_lines(text)
    if not signed:
        lines = lines[_licence_end(lines, language) :]
    return "\n".join(_doc(lines, signed, *_signature_span(lines, signed), language)[2])


def embedding_text(text: str, *, symbol: str, scope: str, signed: str, header: str, language: str) -> str:
    lines = split_lines(text)
    licence = [] if signed else lines[: _licence_end(lines, language)]
    del lines[: len(licence)]
    first, after = _signature_span(lines, signed)
    doc_first, doc_after, docs = _doc(lines, signed, first, after, language)
    rest = [line for at, line in enumerate(lines) if not (first <= at < after or doc_first <= at < doc_after)]
    heading, summary = header or (signed if after else ""), docs[:_DOC_FIRST]
    told = [*summary, heading] if len(heading) > _LONG_SIGNATURE else [heading, *summary]
    top = (_title(symbol, language), *told)
    pieces = [
        line for line in (*top, *_body(rest, language), *docs[_DOC_FIRST:], *_body(licence, language), scope) if line
    ]
    return "\n".join(pieces)


def _title(symbol: str, language: str) -> str:
    """The qualified name in words: `cart total price`. A heading's path stays as it is."""
    return symbol if language == "markdown" else words(symbol)


def _signature_span(lines: Sequence[str], signed: str) -> tuple[int, int]:
    """Where `signed` stands in the lines: its first line, and the one after it; (0, 0) when it does not."""
    if not signed:
        return 0, 0
    for at, line in enumerate(lines):
        stripped = line[:_LONGEST_SIGNATURE].strip()
        if stripped and signed.startswith(stripped):
            found, count = signature(lines[at : at + SIGNATURE_LINES])
            if found == signed:
                # A line that was cut stays in the body: the signature does not say all of it.
                return at, at + count if len(found) < _LONGEST_SIGNATURE or count > 1 else at
    return 0, 0


def _doc(lines: Sequence[str], signed: str, first: int, after: int, language: str) -> tuple[int, int, list[str]]:
    """First line of the documentation, the line after it, and its text without marks."""
    if language == "markdown" or (signed and not after):
        return 0, 0, []
    if language == "python" and (not signed or _BLOCK.search(signed)):
        found = _docstring(lines, after)
        if found[2]:
            return found
    mark = _mark(language)
    limit = first if signed else len(lines)
    start = end = 0
    docs: list[str] = []
    for at in range(limit):
        stripped = lines[at].strip()
        if not stripped and (signed or not docs):  # a signature's own comment is the last one above it
            docs = []
        elif mark.match(stripped):
            start = start if docs else at
            docs.append(_COMMENT_END.sub("", mark.sub("", stripped, count=1)).strip())
            end = at + 1
        else:
            break
    return (start, end, [line for line in docs if line]) if docs else (0, 0, [])


def _mark(language: str) -> re.Pattern[str]:
    return _HASH_COMMENT if language in _HASH_LANGUAGES else _COMMENT


def _licence_end(lines: Sequence[str], language: str) -> int:
    """Lines of the leading comment when it is a licence, else 0. It says nothing of the code: it is embedded last."""
    end, mark = 0, _mark(language)
    while end < len(lines) and mark.match(lines[end].strip()):
        end += 1
    return end if end and _LICENCE.search("\n".join(lines[:end])) else 0


def _docstring(lines: Sequence[str], start: int) -> tuple[int, int, list[str]]:
    while start < len(lines) and not lines[start].strip():
        start += 1
    opening = _PYTHON_DOC.match(lines[start].strip()) if start < len(lines) else None
    if opening is None:
        return 0, 0, []
    docs: list[str] = []
    for end in range(start, len(lines)):
        line = lines[end].strip()
        line = line[opening.end() :] if end == start else line
        at = line.find(opening[1])
        if at >= 0:
            if line[at + len(opening[1]) :].strip():  # a string of a longer expression
                return 0, 0, []
            docs.append(line[:at].strip())
            return start, end + 1, [one for one in docs if one]
        docs.append(line)
    return 0, 0, []


def _body(lines: Sequence[str], language: str) -> list[str]:
    """Without blank lines, common indentation and, in code, the length of literals."""
    filled = [line.rstrip() for line in lines if line and not line.isspace()]
    common = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    if language == "markdown":
        return [line[common:] for line in filled]
    kept: list[str] = []
    silent = 0
    for line in filled:
        silent = 0 if _SPEAKS.search(line) else silent + 1
        if silent <= _SILENT_LINES:
            kept.append(_squeeze(line[common:]))
    return kept


def _squeeze(line: str) -> str:
    if len(line) < 100:
        return line
    line = _UNBROKEN.sub(lambda match: match[0][:_KEPT] + "…", line)
    return _NUMBERS.sub(lambda match: match[0][:_KEPT] + "… ", line)
