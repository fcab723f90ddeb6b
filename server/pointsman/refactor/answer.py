"""A model's answer, or the part of it that is of one document, as the document's new text. Pure.

Understood are search/replace blocks, fenced code blocks and, last, an answer that is nothing but code. What it cannot
place, it does not guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pointsman.refactor.anchor import plain
from pointsman.refactor.blocks import Placed, blocks_of, placed
from pointsman.refactor.lines import Selection, reindented

NO_CHANGE = "NO CHANGE"
NOTHING_TO_DO = "the model says that nothing needs to change"
TORN = "a fence inside of the code block ends it: the outer one has to be longer"
_FENCE = re.compile(r"^(`{3,}|~{3,})[^\n`]*\n(.*?)(?:(?P<end>^\1[ \t]*$)|\Z)", re.DOTALL | re.MULTILINE)
_ALIKE = 0.6
"""How much of the selection's last line must be in that of an answer without an end."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    fence: str
    text: str
    closed: bool
    """False for a fence that the answer forgot to close, or never came to."""

    def torn(self, wanted: str = "") -> bool:
        """Whether a fence of its own ended the block before its end, or one of what it has to hold would have."""
        return any(line.startswith(self.fence) for line in f"{self.text}\n{wanted}".split("\n"))


def says_no_change(answer: str) -> bool:
    return answer.strip().rstrip(".").upper() == NO_CHANGE


def code_of(answer: str) -> list[Fenced]:
    """The fenced code blocks that are not blank."""
    return [
        Fenced(fence=match[1], text=match[2], closed=match["end"] is not None)
        for match in _FENCE.finditer(answer)
        if match[2].strip()
    ]


def new_document(answer: str, selection: Selection, is_code: Callable[[str], bool]) -> Placed:
    """The document with the answer's change in it, or the reason why the answer holds none that has a place.

    `is_code` says whether a text parses as the document's language without errors.
    """
    answer = answer.replace("\r\n", "\n")
    if says_no_change(answer):
        return Placed(text=None, reason=NOTHING_TO_DO)
    found = blocks_of(answer)
    if found is None:
        return Placed(text=None, reason="a search/replace block has no end, or more than one middle")
    if found:
        change = placed(selection.text, found)
        return change if change.text is None else Placed(text=selection.replaced(change.text))
    blocks = code_of(answer)
    if blocks:
        best = max(blocks, key=lambda block: _shared_words(block.text, selection.text))
        new = best.text.rstrip("\n")
        if not best.closed and not _ends_alike(new, selection.text):
            return Placed(text=None, reason="the answer breaks off in the middle")
        if best.torn(selection.text):
            return Placed(text=None, reason=TORN)
        if any(_words(block.text) & _words(selection.text) - _words(new) for block in blocks):
            return Placed(text=None, reason="the answer gives the code in several pieces")
    elif answer.strip() and _shared_words(answer, selection.text) and is_code(reindented(answer.strip("\n"), "")):
        new = answer.strip("\n").rstrip()
    else:
        return Placed(text=None, reason="the answer held no change that could be placed")
    straight = plain(new)
    if straight != new and not is_code(reindented(new, "")) and is_code(reindented(straight, "")):
        new = straight  # a word processor's quotes are no quotes to a parser
    return Placed(text=selection.replaced(reindented(_without_neighbours(new, selection), selection.indent)))


def _without_neighbours(new: str, selection: Selection) -> str:
    """Without lines around the selection that the answer repeats: three or more of them, or fewer that say enough."""
    lines = new.split("\n")
    before, after = selection.around(200)
    above, below = before.split("\n")[:-1], after.split("\n")[:-1]
    own, stripped = _bare(selection.text.split("\n")), _bare(lines)
    for size in range(min(len(above), len(lines) - 1), 0, -1):
        repeated = _bare(above[-size:])
        if stripped[:size] == repeated and repeated != own[:size] and (size > 2 or _telling(repeated, own)):
            lines, stripped = lines[size:], stripped[size:]
            break
    placed = reindented("\n".join(lines), selection.indent).split("\n")
    for size in range(min(len(below), len(lines) - 1), 0, -1):
        repeated = _bare(below[:size])
        # Fewer may end an inner block of the answer's own, which stands deeper.
        alike = stripped[-size:] == repeated if size > 2 else placed[-size:] == below[:size] and _telling(repeated, own)
        if alike and repeated != own[-size:]:
            lines = lines[:-size]
            break
    return "\n".join(lines)


def _bare(lines: Sequence[str]) -> list[str]:
    return [line.strip() for line in lines]


def _telling(lines: Sequence[str], own: Sequence[str]) -> bool:
    """Whether each line is one that the selection has not, and more than a bracket or a word."""
    return all(len(_WORD.findall(line)) > 1 and line not in own for line in lines)


def _ends_alike(text: str, other: str) -> bool:
    """Whether the last lines are much the same: code that breaks off may parse all the same, and lack its end."""
    last, wanted = (lines.strip().rpartition("\n")[2].strip() for lines in (text, other))
    return SequenceMatcher(a=last, b=wanted, autojunk=False).ratio() >= _ALIKE


def _shared_words(text: str, other: str) -> int:
    return len(_words(text) & _words(other))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))
