"""How far a suggestion goes: one line, or the block that the cursor stands in, judged by indentation alone."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.complete.cursor import Cursor

_OPENERS = (":", "{", "(", "[", "=>", "->", "then", "do")
_CLOSERS = (")", "]", "}", "end", "</")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`indent` is the width of the white space below which a line no longer belongs to the block."""

    multi_line: bool
    indent: int
    inside_bracket: bool = False
    """True right behind an opening bracket, where a model may want to go on in the next line."""


def scope_at(cursor: Cursor) -> Scope:
    """Several lines on a blank line or after a block's opening; one line anywhere else."""
    line = cursor.line_before
    if cursor.line_after.strip():
        return Scope(multi_line=False, indent=0, inside_bracket=line.endswith(("(", "[", "{")))
    if not line.strip():
        return Scope(multi_line=True, indent=width(line))
    if line.rstrip().endswith(_OPENERS):
        return Scope(multi_line=True, indent=width(line) + 1)
    return Scope(multi_line=False, indent=0)


def within(text: str, scope: Scope, *, finished: bool) -> tuple[str, bool]:
    """The part of `text`, which starts at the cursor, that belongs to the scope; and whether it ends there.

    Leading blank lines are kept: they are the cleaner's to judge. While the answer still streams (`finished` false)
    its last line may go on, so it decides nothing.
    """
    body = text.lstrip("\n")
    lead = len(text) - len(body)
    if not scope.multi_line:
        end = body.find("\n")
        return (text, False) if end < 0 else (text[: lead + end], True)
    lines = body.split("\n")
    known = len(lines) if finished else len(lines) - 1
    indent_kept = scope.indent or (width(lines[0]) if known else 0)
    # Without a line end in front, the first line stands behind the cursor's own indentation and is always inside.
    seen_blank = False
    for index in range(0 if lead else 1, known):
        line = lines[index]
        if not line.strip():
            seen_blank = seen_blank or index > 0
            continue
        indent = width(line)
        closes = line.strip().startswith(_CLOSERS)
        if closes and indent == indent_kept - 1 and index > 0 and not seen_blank:
            return _cut(text, lead, lines, index + 1), True
        if indent < indent_kept or (seen_blank and indent <= indent_kept):
            return _cut(text, lead, lines, index), True
    return text, False


def width(line: str) -> int:
    """Columns of white space at the start of a line; a tab counts as four."""
    return len((line[: len(line) - len(line.lstrip())]).expandtabs(4))


def _cut(text: str, lead: int, lines: list[str], count: int) -> str:
    return text[:lead] + "\n".join(lines[:count]) if count else ""
