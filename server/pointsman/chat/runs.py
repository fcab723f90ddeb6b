"""Runs: where in a passage the words of a sentence stand, in their order and close together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pointsman.chat.words import CONDITIONS, word_list

Lines = tuple[int, int]
"""First and last, both counted from 1."""
_WINDOW = 8
"""Lines of a passage that may support one sentence."""
_SKIPPED = 2
"""Content words of the passage that may be left out between two of a sentence; more may be another statement."""
_END = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?][\"')\]]*(?:\s|$)|(?<=\S)(?:\"{3}|'{3})\s*$|(?<=\S)\s+(?:#|//)\s")
"""Of a sentence, of a docstring, or of code before a comment."""
_BEGIN = re.compile(r"^\s*(?:[rfbu]?(?:\"{3}|'{3})|(?:[-*#]|//|\d+\.|[:@]\w+ ?\w*:)\s|$)")
"""Of what may be said for itself: a docstring, a comment, one of a list, a paragraph."""
_CLOSED = re.compile(r"[:;)\]}\"']\s*$")
"""A line after which the next begins anew, most often of code."""


@dataclass(frozen=True)
class _Word:
    stem: str
    line: int
    statement: int
    """Number of the sentence that it is in."""
    nth: int
    """Words before it since something began that may be said for itself."""
    condition: int
    """Where among all words the last condition before it stands; -1 where none does."""


def runs(words: Sequence[str], lines: Sequence[tuple[int, str]]) -> Iterator[Lines]:
    """Each run of at most `_WINDOW` lines that holds all of `words`, as `word_list` has them, in their order.

    One begins where a sentence does and skips no end of one: what somebody "makes sure of" is not said to be. Nor is a
    condition skipped, and none stands right before a run or behind it: what holds "if" something does is not said to
    hold.
    """
    there = list(_words(lines))
    ends: dict[int, int] = {}
    """Places in `there` where what was looked for so far ends, with the latest place where it begins."""
    begun = False
    for word in words:
        found: dict[int, int] = {}
        for at, other in enumerate(there):
            if other.stem == word:
                near = range(max(at - _SKIPPED - 1, other.condition, 0), at)
                begins = [ends[one] for one in near if one in ends and there[one].statement == other.statement]
                begins += [at] if not begun and _may_begin(other, at) else []
                if begins:
                    found[at] = max(begins)
        if not found:
            return
        ends, begun = found, True
    for end, begin in ends.items():
        first, last = there[begin].line, there[end].line
        if last < first + _WINDOW and not _goes_on(there, end):
            yield first, last


def _may_begin(word: _Word, at: int) -> bool:
    return word.nth <= _SKIPPED and (at == 0 or word.condition < at - 1)


def _goes_on(there: Sequence[_Word], end: int) -> bool:
    """Whether a condition follows in the same sentence."""
    follows = there[end + 1] if end + 1 < len(there) else None
    return follows is not None and follows.stem in CONDITIONS and follows.statement == there[end].statement


def _words(lines: Sequence[tuple[int, str]]) -> Iterator[_Word]:
    at, statement, nth, condition = 0, 0, 0, -1
    before, expected = "", lines[0][0] if lines else 0
    for number, line in lines:
        if number != expected:  # nobody knows what the line goes on with
            statement, nth, before = statement + 1, _SKIPPED + 1, ""
        if _CLOSED.search(before) or (_BEGIN.match(line) and not _goes_on_as_comment(before, line)):
            nth = 0
        for piece_number, piece in enumerate(_END.split(line)):
            if piece_number:
                statement, nth = statement + 1, 0
            for stem in word_list(piece):
                yield _Word(stem, number, statement, nth, condition)
                condition = at if stem in CONDITIONS else condition
                at, nth = at + 1, nth + 1
        before, expected = line, number + 1


def _goes_on_as_comment(before: str, line: str) -> bool:
    marks = ("#", "//", "*")
    return line.lstrip().startswith(marks) and before.lstrip().startswith(marks)
