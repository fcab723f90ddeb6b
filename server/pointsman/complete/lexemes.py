"""Code as a row of lexemes, alike for all languages: words, single marks, runs of blanks, line ends with indentation.

Two line ends are alike whatever indentation follows, so that a line is found again in a block of another depth.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from pointsman.complete.scope import width

NEWLINE = "\n"
_LEXEME = re.compile(r"\n[ \t]*|[^\W\d]\w*|\d\w*|[ \t]+|\S")
_MOST_PLACES = 120
"""Places of one pair that are remembered, the last ones: the pairs that occur more often tell nothing."""


def lexemes(text: str) -> list[str]:
    """Joined they are `text`, but for blank lines, of which only the last of a run is kept, and odd white space."""
    found = _LEXEME.findall(text)
    following = [*found[1:], ""]
    return [one for one, after in zip(found, following, strict=False) if one[0] != NEWLINE or after[:1] != NEWLINE]


def key(lexeme: str) -> str:
    """What two lexemes are compared by."""
    return NEWLINE if lexeme[0] == NEWLINE else lexeme


class Lexed:
    """A text that can be searched for what went before and after."""

    def __init__(self, text: str) -> None:
        self.characters = len(text)
        self.lexemes = [sys.intern(one) for one in lexemes(text)]
        self.keys = [key(one) for one in self.lexemes]

    @cached_property
    def after_pair(self) -> dict[tuple[str, str], list[int]]:
        """Places behind two lexemes in a row."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        keys = self.keys
        for at in range(2, len(keys)):
            found[keys[at - 2], keys[at - 1]].append(at)
        return {pair: places[-_MOST_PLACES:] for pair, places in found.items()}

    @cached_property
    def line_end(self) -> list[int]:
        """For each place, where its line ends: at the next line end, or behind the last lexeme."""
        found = [0] * len(self.keys)
        end = len(self.keys)
        for at in range(len(self.keys) - 1, -1, -1):
            end = at if self.keys[at] == NEWLINE else end
            found[at] = end
        return found

    def indent_at(self, place: int) -> int:
        """Columns of white space that the line of `place` begins with; of a line end, the line that it ends."""
        for at in range(place - 1, -1, -1):
            if self.keys[at] == NEWLINE:
                return width(self.lexemes[at][1:])
        return width(self.lexemes[0]) if self.lexemes else 0

    @cached_property
    def words(self) -> dict[str, int]:
        """How often each word of three characters or more occurs."""
        found: dict[str, int] = defaultdict(int)
        for one in self.keys:
            if len(one) > 2 and (one[0].isalpha() or one[0] == "_"):
                found[one] += 1
        return dict(found)

    def length_below(self, place: int, below: Sequence[str]) -> int:
        """How many lexemes of the lines below that of `place` are those of `below`, which begins with a line end."""
        start = self.line_end[place]
        length = 0
        for one, other in zip(self.keys[start : start + len(below)], below, strict=False):
            if one != other:
                break
            length += 1
        return length


def length_of_match(row: Sequence[object], place: int, context: Sequence[object], most: int) -> int:
    """How many before `place` are those at the end of `context`, up to `most`."""
    length = 0
    while length < most and length < place and length < len(context):
        if row[place - 1 - length] != context[-1 - length]:
            break
        length += 1
    return length
