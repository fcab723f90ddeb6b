"""Search/replace blocks of a model's answer, and a text with them in place. Pure. Source of the form: Aider."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pointsman.refactor.anchor import NoAnchor, anchor, plain
from pointsman.refactor.lines import common_indent, reindented

_OPEN = re.compile(r"^\s*<{5,9} ?SEARCH\s*$")
_MIDDLE = re.compile(r"^\s*={5,9}\s*$")
_CLOSE = re.compile(r"^\s*>{5,9} ?REPLACE\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    search: tuple[str, ...]
    replace: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """`text` with the change in it, or None with the reason."""

    text: str | None
    reason: str = ""


def blocks_of(answer: str) -> list[Block] | None:
    """The blocks of an answer whose line ends are \\n; an empty list when it has none.

    None when one is not closed, or has more than one middle: a heading underlined by "=" looks like one.
    """
    found: list[Block] = []
    search: list[str] | None = None
    replace: list[str] | None = None
    for line in answer.split("\n"):
        if _OPEN.match(line):
            if search is not None:
                return None
            search = []
        elif search is not None and replace is None and _MIDDLE.match(line):
            replace = []
        elif search is not None and replace is not None and _CLOSE.match(line):
            found.append(Block(search=tuple(search), replace=tuple(replace)))
            search = replace = None
        elif replace is not None and _MIDDLE.match(line):
            return None
        elif replace is not None:
            replace.append(line)
        elif search is not None:
            search.append(line)
    return found if search is None else None


def placed(text: str, blocks: list[Block]) -> Placed:
    """Every block applied in turn; nothing as soon as one has no place of its own."""
    for number, block in enumerate(blocks, start=1):
        lines = text.split("\n")
        place = anchor(lines, block.search)
        if isinstance(place, NoAnchor):
            return Placed(text=None, reason=f"change {number} of {len(blocks)} has no place: {place.reason}")
        new = [plain(line) for line in block.replace] if place.plain else list(block.replace)
        if not place.indented and new:
            new = _shifted(new, block.search, lines[place.start : place.end])
        text = "\n".join([*lines[: place.start], *new, *lines[place.end :]])
    return Placed(text=text)


def _shifted(new: list[str], search: tuple[str, ...], found: list[str]) -> list[str]:
    """`new` moved the way the quotation must be moved to stand where it was found."""
    relative = common_indent("\n".join(search))
    extra = common_indent("\n".join(new)).removeprefix(relative)
    return reindented("\n".join(new), common_indent("\n".join(found)) + extra).split("\n")
