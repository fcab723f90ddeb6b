"""The answer without a model: the passages that come closest to the question, quoted with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pointsman.chat.sources import Source
from pointsman.chat.words import content_words
from pointsman.models.prompting import ticks_for

LINES = 10
PASSAGES = 2
CLOSEST = "Closest to the question:"
"""What stands before passages, at the end of whatever introduces them."""


def quoted(
    question: str, sources: Mapping[int, Source], introduction: str, *, most: int = PASSAGES
) -> tuple[str, dict[int, tuple[int, int]]]:
    """The text, behind `introduction`, and by the numbers of the sources in it the lines that are shown.

    `sources`, by their numbers, must not be empty.
    """
    asked = content_words(question, about_code=False)
    blocks = [introduction]
    places: dict[int, tuple[int, int]] = {}
    for number, source in sorted(sources.items())[:most]:
        lines = _passage(source, asked)
        places[number] = (lines[0][0], lines[-1][0])
        blocks.append(block(number, source, lines))
    return "\n\n".join(blocks), places


def block(number: int, source: Source, lines: Sequence[tuple[int, str]]) -> str:
    """Lines of a source, at least one, in a fence below their place."""
    place = f"{source.path}:{lines[0][0]}-{lines[-1][0]}"
    symbol = source.symbol_of(lines[0][0], lines[-1][0])
    name = f" ({symbol})" if symbol else ""
    code = "\n".join(_shown(lines))
    ticks = ticks_for(code)
    return "\n".join([f"[{number}] {place}{name}", ticks, code, ticks])


def _passage(source: Source, asked: frozenset[str]) -> list[tuple[int, str]]:
    """The run of at most `LINES` lines that names the most of what is asked, earliest first, with their numbers: of
    passages that were joined, lines of the one that was found first."""
    lines = source.passage
    if source.parts:
        start, end, _ = source.parts[0]
        lines = tuple(line for line in lines if start <= line[0] <= end)
    words = [content_words(line) & asked for _, line in lines]

    def weight(start: int) -> tuple[int, int]:
        span = words[start : start + LINES]
        return len(frozenset[str]().union(*span)), sum(len(found) for found in span)

    start = max(range(max(len(lines) - LINES, 0) + 1), key=lambda at: (*weight(at), -at))
    chosen = list(lines[start : start + LINES])
    while len(chosen) > 1 and not chosen[-1][1].strip():
        chosen.pop()
    while len(chosen) > 1 and not chosen[0][1].strip():
        chosen.pop(0)
    return chosen


def _shown(lines: Sequence[tuple[int, str]]) -> Iterator[str]:
    """The lines, outdented as one; a mark where some are left out between them."""
    margin = min((len(line) - len(line.lstrip()) for _, line in lines if line.strip()), default=0)
    before = lines[0][0] - 1
    for number, line in lines:
        if number > before + 1:
            yield "…"
        yield line[margin:]
        before = number
