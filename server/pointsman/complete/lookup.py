"""What a repository itself would write next: the continuation of the longest match of what stands before the cursor.

A cache language model in the sense of Kuhn & De Mori (1990) over lexemes: all places where the end of the context
occurs vote for what follows, longer matches far more than shorter ones (as in prediction by partial matching, Cleary &
Witten 1984), and the winner becomes part of the context. Small models repeat themselves; repositories repeat themselves
more usefully. Needs no model, and says how sure the votes were.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman.complete.lexemes import NEWLINE, Lexed, key, length_of_match, lexemes
from pointsman.complete.scope import width

_LONGEST = 24
"""Lexemes of a match that count; a line has about fifteen."""
_BELOW = 10
"""Lexemes of the lines below that are compared."""
_BELOW_SAYS = 3
"""Lexemes of the lines below from which they make up for a line above of which only marks are alike."""
_MOST_LEXEMES = 48
_MOST_LINES = 8
_DOUBT = 4.0
"""Votes for what was never seen: as much as a match of little more than one lexeme has."""
_GO_ON = 0.6
"""Share of the votes that each lexeme of a further line must have."""


_OUTSIDE = NEWLINE + "\0"
"""Stands for the end of a line whose next one would be left of the document's edge: there ends what was found."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """From the line above, so many columns deep, to a line of `depth`."""

    above: int
    depth: int

    def like(self, other: _Turn) -> bool:
        """Both go deeper, or both stay, or both come back: to the left edge, or not as far. Two lines that end alike
        say little of what follows, when one goes on in its block and the other leaves it."""
        return self._kind() == other._kind()

    def _kind(self) -> tuple[int, bool]:
        way = (self.depth > self.above) - (self.depth < self.above)
        return way, way < 0 and self.depth == 0


@dataclass(frozen=True, slots=True)
class Source:
    """`weight` is how much a place in it counts: nearer code is more like what is being written."""

    text: Lexed
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A continuation. `logprob` is the sum of the natural logs of the lexemes' shares of votes in its first line."""

    text: str
    logprob: float
    weakest: float
    """Smallest share of a lexeme in the first line."""
    match: int
    """Lexemes of the longest match that the first choice followed."""
    lexemes: int
    """Of the first line."""
    places: int
    """Where that choice was seen."""


def look_up(before: str, after: str, sources: Sequence[Source], *, several: bool = False) -> Found | None:
    """What follows `before` to the end of the line, best where the lines of `after` follow as well; with `several` as
    many more lines as the votes are sure of: each as deep below the one before it as where it was found.

    None when nothing matches, or when the line is most likely over.
    """
    context = [key(one) for one in lexemes(before[-4_000:])]
    at = after.find("\n")
    below = [key(one) for one in lexemes(after[at : at + 400])][:_BELOW] if at >= 0 else []
    started = context.pop() if context and _is_word(context[-1]) else ""
    line = before[before.rfind("\n") + 1 :]
    blank = line[: len(line) - len(line.lstrip())]
    turn = _Turn(_depth_above(before, line), width(line))
    tab = "\t" in blank if blank else "\n\t" in before
    out: list[str] = []
    logprob, weakest, match, places, first = 0.0, 1.0, 0, 0, -1
    while len(out) < _MOST_LEXEMES * (_MOST_LINES if several else 1):
        choice = _vote(context, below if first < 0 else [], sources, "" if out else started, turn)
        if choice is None:
            break
        lexeme, share, length, count = choice
        if lexeme[0] == NEWLINE and first < 0 and out:
            first = len(out)
        if lexeme[0] == NEWLINE and not several and not out:
            return None
        if first >= 0 and (not several or share < _GO_ON or sum(one[0] == NEWLINE for one in out) >= _MOST_LINES):
            break
        if first < 0:
            logprob, weakest = logprob + math.log(share), min(weakest, share)
        if not out:
            match, places = length, count
        if lexeme == _OUTSIDE:
            out.append(NEWLINE)
            break
        if lexeme[0] == NEWLINE:
            turn = _Turn(turn.depth, width(lexeme[1:]))
            lexeme = lexeme.replace("    ", "\t") if tab else lexeme
        out.append(lexeme)
        context.append(key(lexeme))
    if several and first >= 0:
        # Whole lines only: the last one may have been broken off.
        ends = [at for at, one in enumerate(out) if one[0] == NEWLINE and at >= first]
        out = out[: ends[-1]] if ends else out[:first]
    text = "".join(out)[len(started) :]
    if not text.strip():
        return None
    units = first if first >= 0 else len(out)
    return Found(text=text, logprob=logprob, weakest=weakest, match=match, lexemes=units, places=places)


def _vote(
    context: Sequence[str], below: Sequence[str], sources: Iterable[Source], started: str, turn: _Turn
) -> tuple[str, float, int, int] | None:
    """The next lexeme, its share of all votes, the longest match behind it and the places that voted for it.

    `turn` leads to the current line: a place where a line begins counts only if its own line turned the same way. The
    next line's depth is as far from the current one's as at the place. Where a line is still empty, marks alone are no
    match: nearly every line follows one that ends in a bracket.
    """
    votes: dict[str, float] = defaultdict(float)
    longest: dict[str, int] = defaultdict(int)
    count: dict[str, int] = defaultdict(int)
    pair = tuple(context[-2:])
    begins = context[-1:] == [NEWLINE]
    empty = begins and not started
    for source in sources:
        text = source.text
        for place in text.after_pair.get(pair, ()) if len(pair) == 2 else ():
            lexeme = text.lexemes[place]
            if started and (not lexeme.startswith(started) or place == len(text.keys) - 1):
                continue  # another word, or the very one that is being typed
            if begins and not turn.like(_Turn(text.indent_at(place - 1), width(text.lexemes[place - 1][1:]))):
                continue
            if lexeme[0] == NEWLINE:
                depth = turn.depth + width(lexeme[1:]) - text.indent_at(place)
                lexeme = NEWLINE + " " * depth if depth >= 0 else _OUTSIDE
            length = length_of_match(text.keys, place, context, _LONGEST)
            under = text.length_below(place, below) if below else 0
            if empty and under < _BELOW_SAYS and not any(map(_says, text.keys[place - length : place])):
                continue
            votes[lexeme] += source.weight * length**3 * (1 + max(under - 1, 0)) ** 2
            longest[lexeme] = max(longest[lexeme], length)
            count[lexeme] += 1
    if started and not votes:
        # A word that was never seen here, but elsewhere.
        for source in sources:
            for word, times in source.text.words.items():
                if word.startswith(started) and word != started:
                    votes[word] += source.weight * min(times, 8) / 4
                    count[word] += times
    if not votes:
        return None
    best = max(votes, key=lambda one: votes[one])
    return best, votes[best] / (sum(votes.values()) + _DOUBT), longest[best], count[best]


def _depth_above(before: str, line: str) -> int:
    """Columns of the last line above the cursor's that is not blank."""
    above = before[: len(before) - len(line)].rstrip()
    return width(above[above.rfind("\n") + 1 :])


def _is_word(lexeme: str) -> bool:
    return lexeme[0].isalpha() or lexeme[0] == "_"


def _says(lexeme: str) -> bool:
    """Whether it is a word or a number, and no mark."""
    return lexeme[0].isalnum() or lexeme[0] == "_"
