"""A definition that its block has already is not written again: models and repositories both repeat what is near.

Judged by lines and their indentation, in any language, so only equal signatures count: an overload, or a method of the
same name in another class, is another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    r"\b(?:await|case|catch|defer|do|elif|else|for|foreach|go|guard|if|lock|loop|match|new|return|switch|synchronized|throw|try"
    r"|unless|until|using|when|while|with|yield)\b"
)
"""What makes it something else: `if ready(a) {`"""
_OVERLOADED = "overload"
"""In the line before, as `@typing.overload`, it says that the definition comes again."""
_MARKS = ("@", "#[")
"""What stands in the lines before a definition and belongs to it."""
_BRANCH = re.compile(r"#(?:\s*(?:elif|elseif|endif|ifdef|ifndef)|else|if)\b")
"""What stands beyond it may be compiled where this is not."""
_METHOD = re.compile(r"\w\s*\(\s*(?:&(?:'\w+\s+)?)?(?:mut\s+)?(?:self|cls)\b")
_CLASS = re.compile(r"\b(?:class|enum|extension|interface|mixin|record|struct)\b(?:\s+[\w$]|\s*\{)")
_BETWEEN = re.compile(r"\{|(?:public|private|protected)\s*:")
"""A line between a class's first one and its body."""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    width: int
    signature: str


def without_known(text: str, cursor: Cursor) -> str:
    """`text`, which goes in at the cursor, up to the first definition that stands in the same block already."""
    lines = (cursor.line_before + text).split("\n")
    found = {index for index, line in enumerate(lines) if is_definition(line) or _CONSTANT.match(line.strip())}
    if not found:
        return text
    above = _measured(cursor.before[-_REACH:].split("\n")[:-1])
    below = _measured(cursor.after[:_REACH].split("\n")[1:])
    known = {one.signature for one in (*above, *below)}
    for index, line in enumerate(lines):
        one = _Line(line, width(line), _signature(line))
        if index in found and one.signature in known and _stands(one, above, below):
            while index and lines[index - 1].strip().startswith(_MARKS):
                index -= 1
            return "\n".join(lines[:index])[len(cursor.line_before) :].rstrip()
        if line.strip():
            above.append(one)
            known.add(one.signature)
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


def _measured(lines: list[str]) -> list[_Line]:
    return [_Line(line, width(line), _signature(line)) for line in lines if line.strip()]


def _stands(one: _Line, above: list[_Line], below: list[_Line]) -> bool:
    """Whether one like it is found, on either side, before a line that is shallower and so outside of the block.

    A deeper one is another scope's, but for a method at the left edge, which is copied from a class.
    """
    if above and _OVERLOADED in above[-1].text:
        return False
    if not (_NAMED.match(one.text.strip()) or _CONSTANT.match(one.text.strip()) or _is_method(one, above)):
        return False
    marks = _marks(above, len(above))
    copied = one.width == 0 and _METHOD.search(one.text) is not None
    for lines, places in ((above, range(len(above) - 1, -1, -1)), (below, range(len(below)))):
        for place in places:
            other = lines[place]
            if other.width < one.width or _BRANCH.match(other.text.lstrip()):
                break
            if other.signature != one.signature or not (copied or other.width == one.width):
                continue
            others = _marks(lines, place)
            if (place and _OVERLOADED in lines[place - 1].text) or (marks and others and marks != others):
                continue
            return True
    return False


def _is_method(one: _Line, above: list[_Line]) -> bool:
    """Whether what has neither keyword is more than a call with a block: it names a type, or is in a class's body."""
    found = _WITH_BODY.match(one.text.strip())
    if found is None or len(found[1].split()) > 1:
        return found is not None
    depth = one.width
    for other in reversed(above):
        if other.width < depth:
            if not _BETWEEN.fullmatch(other.text.strip()):
                return _CLASS.search(other.text) is not None
            depth = other.width + 1
    return False


def _marks(lines: list[_Line], place: int) -> list[str]:
    """The decorators or attributes right above: `@x.deleter` and `#[cfg(windows)]` make it another definition."""
    first = place
    while first and lines[first - 1].text.lstrip().startswith(_MARKS):
        first -= 1
    return [one.text.strip() for one in lines[first:place]]


def _signature(line: str) -> str:
    """Without what an editor may have closed by itself, or what is still to be typed."""
    return line.strip().rstrip(" \t{:)")
