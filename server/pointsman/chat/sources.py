"""Passages that an answer may rest on: pieces of a file with the numbers of their lines, joined and cut to a budget.

A pure part. What is too long gives its head, or its outline where it has one, and the run of lines that names most of
what is asked; what is left out shows as "…".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pointsman.chat.words import content_words
from pointsman.host.api import SearchHit
from pointsman.models.prompting import chars_per_token, estimate_tokens

MOST = 5
"""Sources of one answer."""
_LEFT_OUT = "…"
_HEAD = 3
"""Lines that a cut passage always begins with: a signature and the first of its documentation."""
_OUTLINE = 0.4
"""Share of a cut passage that its outline may take."""
_APART = 2
"""Lines between two passages that are read as one: neighbours in a file."""
_LONGEST = 40
"""Lines of passages that are joined; of more than that, a share of the budget would not show both."""
_LEAST_TOKENS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage of the file whose text has the blob id `sha`."""

    path: str
    symbol: str
    sha: str
    lines: tuple[tuple[int, str], ...]
    """What is shown, at least one: 1-based numbers, ascending, and the text. Numbers may be missing in between."""
    whole: tuple[tuple[int, str], ...] = ()
    """All lines of the passage, where `lines` are not all of them: the place that is cited, and what may be quoted."""
    pointed: bool = False
    """Whether the question points at it, so that it is not one passage among five."""
    opening: tuple[int, ...] = ()
    """Of a long passage that the question points at, the numbers of lines that open definitions, outer ones first: its
    outline, which goes before the rest."""
    parts: tuple[tuple[int, int, str], ...] = ()
    """Of joined passages, the first and last line and the symbol of each."""

    @property
    def passage(self) -> tuple[tuple[int, str], ...]:
        """All lines, also those that are not shown."""
        return self.whole or self.lines

    @property
    def start_line(self) -> int:
        return self.passage[0][0]

    @property
    def end_line(self) -> int:
        return self.passage[-1][0]

    @property
    def text(self) -> str:
        shown: list[str] = []
        before = self.lines[0][0] - 1
        for number, line in self.lines:
            shown += [_LEFT_OUT] if number > before + 1 else []
            shown.append(line)
            before = number
        return "\n".join(shown)

    @property
    def words(self) -> frozenset[str]:
        return content_words(f"{self.path} {self.symbol} {self.text}")

    def holds(self, line: int) -> bool:
        return self.start_line <= line <= self.end_line

    def symbol_of(self, first: int, last: int) -> str:
        """The innermost that holds the lines from `first` to `last`; "" when they are of several."""
        if not self.parts:
            return self.symbol
        around = [(end - start, symbol) for start, end, symbol in self.parts if start <= first and last <= end]
        return min(around)[1] if around else ""


def passage(*, path: str, start_line: int, symbol: str, sha: str, text: str) -> Source:
    """A source of consecutive lines; the end of the last one, which a hit's text may have, begins no other."""
    own = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    return Source(path=path, symbol=symbol, sha=sha, lines=tuple(enumerate(own, start=start_line)))


def of_hit(hit: SearchHit) -> Source:
    return passage(path=hit.path, start_line=hit.start_line, symbol=hit.symbol, sha=hit.sha, text=hit.text)


def joined(sources: Iterable[Source]) -> list[Source]:
    """The sources with neighbours and overlapping ones of a file as one, in the place and by the name of the better."""
    found: list[Source] = []
    for source in sources:
        for index, other in enumerate(found):
            if both := _together(other, source):
                found[index] = both
                break
        else:
            found.append(source)
    return found


def _together(one: Source, other: Source) -> Source | None:
    if (one.path, one.sha) != (other.path, other.sha):
        return None
    if one.start_line > other.end_line + _APART + 1 or other.start_line > one.end_line + _APART + 1:
        return None
    lines = tuple(sorted({**dict(other.lines), **dict(one.lines)}.items()))
    span = lines[-1][0] - lines[0][0]
    if span >= _LONGEST and span > max(one.end_line - one.start_line, other.end_line - other.start_line):
        return None
    parts = (*_parts(one), *_parts(other))
    return replace(one, lines=lines, parts=parts if len({symbol for _, _, symbol in parts}) > 1 else ())


def _parts(source: Source) -> tuple[tuple[int, int, str], ...]:
    return source.parts or ((source.start_line, source.end_line, source.symbol),)


def within_budget(sources: Sequence[Source], budget: int, asked: frozenset[str]) -> tuple[Source, ...]:
    """The first sources, each cut to its share of what the ones before it left of `budget` tokens.

    `asked` are the content words of the question: lines near them are kept before others.
    """
    fitted: list[Source] = []
    for source in sources:
        share = budget // 2 if source.pointed else max(budget // min(MOST - len(fitted), len(sources)), 64)
        cut = _cut(source, min(share, budget), asked)
        if cut is None:
            continue
        budget -= estimate_tokens(cut.text)
        fitted.append(cut)
        if len(fitted) == MOST or budget < _LEAST_TOKENS:
            break
    return tuple(fitted)


def _cut(source: Source, tokens: int, asked: frozenset[str]) -> Source | None:
    if estimate_tokens(source.text) <= tokens:
        return source
    words = [content_words(line) & asked for _, line in source.lines]
    costs = [len(line) + 1 for _, line in source.lines]
    room = int((tokens - 1) * chars_per_token(source.text)) - len(_LEFT_OUT) - 1
    kept = _outline(source, words, costs, room) if source.opening else _head(costs, room)
    room -= sum(costs[index] for index in kept)
    first, last = _best_run(words, costs, 0 if source.opening else len(kept), room, latest=bool(source.opening))
    chosen = tuple(source.lines[index] for index in sorted({*kept, *range(first, last)}))
    if not chosen and source.pointed:
        number, line = source.lines[0]
        chosen = ((number, line[:room]),)
    return replace(source, lines=chosen, whole=source.lines) if chosen else None


def _head(costs: Sequence[int], room: int) -> list[int]:
    kept: list[int] = []
    while len(kept) < min(_HEAD, len(costs)) and costs[len(kept)] <= room:
        room -= costs[len(kept)]
        kept.append(len(kept))
    return kept


def _outline(source: Source, words: Sequence[frozenset[str]], costs: Sequence[int], room: int) -> list[int]:
    """Of the lines that open definitions, those that fit into a share of the room: first those that name what is asked.
    Each costs a mark of what is left out before it as well."""
    room = int(room * _OUTLINE)
    kept: list[int] = []
    for index in sorted((number - source.lines[0][0] for number in source.opening), key=lambda at: -len(words[at])):
        if costs[index] + len(_LEFT_OUT) + 1 <= room:
            room -= costs[index] + len(_LEFT_OUT) + 1
            kept.append(index)
    return kept


def _best_run(
    words: Sequence[frozenset[str]], costs: Sequence[int], start: int, room: int, *, latest: bool
) -> tuple[int, int]:
    """Of the runs from `start` on that fill `room`, the first that names the most of what is asked: its two ends. The
    `latest` of those that name as much begins with what they name, so that its body follows."""
    best, ends = (-1, -1), (start, start)
    for first in range(start, len(costs)):
        last, left = first, room
        while last < len(costs) and costs[last] <= left:
            left -= costs[last]
            last += 1
        named = words[first:last]
        worth = (len(frozenset[str]().union(*named)), sum(map(len, named)))
        if last > first and (worth > best or (latest and worth == best and any(named))):
            best, ends = worth, (first, last)
        if last == len(costs):
            break
    return ends
