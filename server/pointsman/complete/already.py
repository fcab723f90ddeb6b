"""A definition that its block has already is not written again: models and repositories both repeat what is near.

Judged by lines and their indentation, in any language, so only equal signatures count: an overload, or a method of the
same name in another class, is another one.
"""

from __future__ import annotations

import re

from pointsman.complete.cursor import Cursor
from pointsman.complete.scope import width

_REACH = 40_000
"""Code points above and below the cursor that are looked at."""
_MODIFIERS = (
    "abstract|async|default|export|extern|final|inline|internal|open|override|private|protected|pub|public|sealed"
    "|static|unsafe|virtual"
)
_KEYWORDS = "class|def|enum|fn|fun|func|function|interface|struct|trait"
_NAMED = re.compile(rf"(?:(?:{_MODIFIERS})(?:\(\w+\))?\s+)*(?:{_KEYWORDS})\b[\s*(]+\w")
_CONSTANT = re.compile(r"(?:export\s+)?const\s+\w")
_LONGEST = 500
"""Characters of a line: longer ones are generated code."""
_WITH_BODY = re.compile(r"([\w<>\[\],.*&:~$\s]*[\w$])\s*\([^()]*\)[^()=;]*\{$")
"""`int total(int a) {`, `total(prices) {`"""
_CONTROL = re.compile(
    r"\b(?:catch|defer|do|elif|else|for|foreach|go|guard|if|lock|loop|match|new|return|switch|synchronized|try|unless"
    r"|until|using|when|while|with)\b"
)
"""What makes it something else: `if ready(a) {`"""
_OVERLOADED = "overload"
"""In the line before, as `@typing.overload`, it says that the definition comes again."""
_MARKS = ("@", "#[")
"""What stands in the lines before a definition and belongs to it."""


def without_known(text: str, cursor: Cursor) -> str:
    """`text`, which goes in at the cursor, up to the first definition that stands in the same block already."""
    lines = (cursor.line_before + text).split("\n")
    for index, line in enumerate(lines):
        if (is_definition(line) or _CONSTANT.match(line.strip())) and _stands(line, lines[:index], cursor):
            while index and lines[index - 1].strip().startswith(_MARKS):
                index -= 1
            return "\n".join(lines[:index])[len(cursor.line_before) :].rstrip()
    return text


def is_definition(line: str) -> bool:
    """Whether the line begins a function or a class, a structure and the like."""
    line = line.strip()
    if len(line) > _LONGEST:
        return False
    if _NAMED.match(line):
        return True
    found = _WITH_BODY.match(line)
    return found is not None and _CONTROL.search(found[1]) is None


def _stands(line: str, written: list[str], cursor: Cursor) -> bool:
    """Whether one like it is found, on either side, before a line that is shallower and so outside of the block. A
    deeper one counts too, for it would be that method or inner function, copied; of a constant it is another scope's.
    """
    above = cursor.before[-_REACH:].split("\n")[:-1] + written
    below = cursor.after[:_REACH].split("\n")[1:]
    lines = [one for one in (*above, line, *below) if one.strip()]
    at = sum(1 for one in above if one.strip())
    if at and _OVERLOADED in lines[at - 1]:
        return False
    depth, signature, inner = width(line), _signature(line), is_definition(line)
    for places in (range(at - 1, -1, -1), range(at + 1, len(lines))):
        for place in places:
            if width(lines[place]) < depth:
                break
            if _signature(lines[place]) == signature and (inner or width(lines[place]) == depth):
                if place and _OVERLOADED in lines[place - 1]:
                    continue
                return True
    return False


def _signature(line: str) -> str:
    """Without what an editor may have closed by itself, or what is still to be typed."""
    return line.strip().rstrip(" \t{:)")
