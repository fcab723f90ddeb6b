"""How much of a sentence a passage says, and where: its content words in their order, close together.

A sentence that has all its words from one passage may still say something else with them. So they must stand in the
passage in the sentence's order and within a few lines; every name and number of it must stand there as it is written;
and neither may say "not" where the other does not. What is left can still be wrong, but is close to a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.chat.sources import Source
from pointsman.chat.words import content_words, word_list

WINDOW = 8
"""Lines of a passage that may support one sentence."""
_QUOTED = re.compile(r"`+([^`\n]{1,80})`+")
_NAME = re.compile(r"--?[A-Za-z][\w-]+|[A-Za-z_]\w*(?:\.\w+)+|\w*(?:[a-z\d][A-Z]|_\w|\w_)\w*|\d+(?:\.\d+)*")
_NOT = re.compile(r"\b(?:not?|never|none|nothing|cannot|without|unless|except|neither|nor)\b|n't\b", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """`share` of the sentence's content words that stand there, `told` how many of them the question does not hold."""

    share: float
    told: int
    lines: tuple[int, int]


NONE = Support(share=0.0, told=0, lines=(0, 0))


def support(sentence: str, source: Source, asked: frozenset[str] = frozenset()) -> Support:
    """What `source` says of `sentence` at best; `NONE` when a name in it is missing, or it says the opposite.

    `asked` are the content words of the question: to say them again tells nothing.
    """
    said = word_list(sentence)
    own = content_words(f"{source.path} {source.symbol}")
    head = own & content_words(" ".join(names(sentence)))
    if not said or not all(_stands(name, source) for name in names(sentence)):
        return NONE
    best = NONE
    for at in range(len(source.lines)):
        lines = [line for line in source.lines[at : at + WINDOW] if line[0] < source.lines[at][0] + WINDOW]
        most = _along(said, lines, head)
        if most is None or most[0] <= best.share:
            continue
        # The fewest lines that say as much: what repeats itself further down is no part of it.
        shorter = (_along(said, lines[:count], head) for count in range(1, len(lines)))
        share, first, last, matched = next((found for found in shorter if found and found[0] == most[0]), most)
        text = "\n".join(line for number, line in lines if first <= number <= last)
        if bool(_NOT.search(sentence)) != bool(_NOT.search(text)):
            continue
        best = Support(share=share, told=len(matched - asked), lines=(first, last))
    return best


def names(sentence: str) -> list[str]:
    """What must be spelled in a passage as it is here: in backquotes, with an inner capital or underscore, a number."""
    bare = _QUOTED.sub(" ", sentence)
    return [name.strip().rstrip("()") for name in (*_QUOTED.findall(sentence), *_NAME.findall(bare))]


def _stands(name: str, source: Source) -> bool:
    return name in f"{source.symbol}\n{source.path}\n{source.text}"


def _along(
    said: Sequence[str], lines: Sequence[tuple[int, str]], head: frozenset[str]
) -> tuple[float, int, int, frozenset[str]] | None:
    """The longest run of `said` that the lines hold in that order, from their first one on: its share, with the words
    of `head` wherever they stand, the first and the last of its lines, and its words."""
    there = [(word, number) for number, line in lines for word in word_list(line)]
    if not there or there[0][1] != lines[0][0]:
        return None
    rows = [[0] * (len(there) + 1)]
    for word in said:
        above, row = rows[-1], [0]
        for at, (other, _) in enumerate(there):
            row.append(above[at] + 1 if word == other else max(above[at + 1], row[-1]))
        rows.append(row)
    matched: list[tuple[int, int]] = []
    i, j = len(said), len(there)
    while i and j:
        if said[i - 1] == there[j - 1][0] and rows[i][j] == rows[i - 1][j - 1] + 1:
            matched.append((i - 1, there[j - 1][1]))
            i, j = i - 1, j - 1
        elif rows[i - 1][j] >= rows[i][j - 1]:
            i -= 1
        else:
            j -= 1
    if not matched:
        return None
    held = {at for at, _ in matched}
    named = {at for at, word in enumerate(said) if word in head}
    numbers = [number for _, number in matched]
    return len(held | named) / len(said), min(numbers), max(numbers), frozenset(said[at] for at in held | named)
