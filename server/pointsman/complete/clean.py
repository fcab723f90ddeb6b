"""Make a suggestion out of what a model wrote: pure functions, each of which may shorten the text or refuse it.

Works on what goes in at the cursor. What stands to the right of it on the line is `fit.py`'s matter.
"""

from __future__ import annotations

import re

from pointsman.complete.already import without_known
from pointsman.complete.cursor import Cursor
from pointsman.complete.scope import Scope, width
from pointsman.hidden import IN_TEXT
from pointsman.models.prompting import without_markers

_STUTTER = re.compile(r"(\S.{0,23}?)\1{4,}")
NOTHING = "the model had nothing to add here"
_SHORT = 3
"""Lines of up to this many characters, such as `}`, may well occur twice in a row, and at another depth are others."""


def clean(text: str, cursor: Cursor, scope: Scope, special_tokens: tuple[str, ...]) -> tuple[str, str]:
    """(text to put in, "") or ("", why there is nothing)."""
    text = IN_TEXT.sub("", without_markers(text, special_tokens))
    text = _reindented(text, cursor, scope)
    if not text.strip():
        return "", NOTHING
    text = _before_next_line(text, cursor)
    if not text.strip():
        return "", "the model repeated the line below"
    text = without_known(text, cursor)
    if not text.strip():
        return "", "the file has this definition already"
    text = "\n".join(line.rstrip() for line in _without_repetition(text, cursor).split("\n")).rstrip()
    if stutters(text):
        return "", "the model repeated itself"
    if "\n" not in text and _is_line_above(text, cursor):
        return "", "the model repeated the line above"
    return text, ""


def stutters(text: str) -> bool:
    """Whether something of up to 24 characters comes five times in a row."""
    return _STUTTER.search(text) is not None


def _reindented(text: str, cursor: Cursor, scope: Scope) -> str:
    """Without blank lines in front. On a blank line the first line loses the indentation that it stands behind; behind
    an opening bracket on one line, the next line's first argument is taken up."""
    if not scope.multi_line:
        if text.startswith("\n"):
            return text.strip().rstrip(",") if scope.inside_bracket else ""
        return text
    stripped = text.lstrip("\n")
    if stripped == text:
        return text
    if cursor.line_before.strip():  # behind a block's opening: the block begins on the next line, at once
        return "\n" + stripped
    if stripped.startswith(cursor.line_before):
        return stripped.removeprefix(cursor.line_before)
    return stripped.lstrip(" \t")


def _before_next_line(text: str, cursor: Cursor) -> str:
    """Cut where the text begins to repeat what already stands below the cursor."""
    below = cursor.next_line.strip()
    if not below:
        return text
    lines = text.split("\n")
    for index, line in enumerate(lines):
        whole = line if index else cursor.line_before + line
        closes = index == len(lines) - 1 and width(whole) == width(cursor.next_line)
        if whole.strip() == below and (len(below) > _SHORT or closes):
            return "\n".join(lines[:index])
    return text


def _without_repetition(text: str, cursor: Cursor) -> str:
    """Cut before the second of two equal lines in a row, and before a block of lines that comes again."""
    lines = text.split("\n")
    whole = [cursor.line_before + lines[0], *lines[1:]]
    for size in range(1, len(lines) // 2 + 1):
        for index in range(len(lines) - 2 * size + 1):
            block, again = whole[index : index + size], whole[index + size : index + 2 * size]
            if block == again and sum(len(line.strip()) for line in block) > _SHORT:
                return "\n".join(lines[: index + size])
    return text


def _is_line_above(text: str, cursor: Cursor) -> bool:
    above = cursor.previous_line.strip()
    return len(above) > _SHORT and (cursor.line_before + text).strip() == above
