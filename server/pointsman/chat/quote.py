"""The answer without a model: the passages that come closest to the question, quoted with their places."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.chat.retrieve import Source
from pointsman.chat.words import content_words

LINES = 10
PASSAGES = 2


def quoted(question: str, sources: Sequence[Source], introduction: str) -> tuple[str, tuple[int, ...]]:
    """The text, behind `introduction`, and the numbers of the sources in it, which count from 1.

    `sources` must not be empty.
    """
    asked = content_words(question, about_code=False)
    blocks = [introduction]
    for number, source in enumerate(sources[:PASSAGES], start=1):
        first, lines = _passage(source, asked)
        place = f"{source.path}:{first}-{first + len(lines) - 1}"
        name = f" ({source.symbol})" if source.symbol else ""
        # Markdown takes indented lines for code behind an empty line alone.
        blocks.append(f"[{number}] {place}{name}\n\n" + "\n".join(f"    {line}" for line in lines))
    return "\n\n".join(blocks), tuple(range(1, len(blocks)))


def _passage(source: Source, asked: frozenset[str]) -> tuple[int, list[str]]:
    """The run of at most `LINES` lines that names the most of what is asked, earliest first; and its first line."""
    lines = source.text.split("\n")
    words = [content_words(line) & asked for line in lines]

    def weight(start: int) -> tuple[int, int]:
        span = words[start : start + LINES]
        return len(frozenset[str]().union(*span)), sum(len(found) for found in span)

    start = max(range(max(len(lines) - LINES, 0) + 1), key=lambda at: (*weight(at), -at))
    chosen = lines[start : start + LINES]
    while chosen and not chosen[-1].strip():
        chosen.pop()
    while chosen and not chosen[0].strip():
        chosen.pop(0)
        start += 1
    margin = min((len(line) - len(line.lstrip()) for line in chosen if line.strip()), default=0)
    return source.start_line + start, [line[margin:] for line in chosen]
