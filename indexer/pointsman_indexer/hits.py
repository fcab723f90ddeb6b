"""Chunks as the hits of an answer: pieces that belong together become one, and none is longer than 120 lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pointsman_indexer.chunk import LONGEST, Chunk
from pointsman_indexer.lines import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A piece of a file. Lines are 1-based and inclusive; `text` is as it was indexed."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    kind: str
    language: str
    score: float
    """In (0, 1], higher is better; comparable within one answer only."""
    sha: str
    """Git's blob id of the file that `text` was taken from."""
    fresh: bool
    """Whether the file still has that content."""
    text: str
    cosine: float | None = None
    """Of its vector and the query's, which unlike `score` compares across queries; None without a search by meaning."""


def hit_of(one: Chunk, score: float, sha: str, fresh: bool, cosine: float | None = None) -> Hit:
    return Hit(
        path=one.path,
        start_line=one.start_line,
        end_line=one.end_line,
        symbol=one.symbol,
        kind=one.kind,
        language=one.language,
        score=round(score, 4),
        sha=sha,
        fresh=fresh,
        text=one.text,
        cosine=cosine,
    )


def merge(best: list[Hit], one: Chunk) -> bool:
    """Put the chunk into a better hit that it overlaps, or that is a neighbouring part of its symbol; False if none."""
    for index, hit in enumerate(best):
        apart = 0 if not one.symbol or one.symbol != hit.symbol else 1
        if hit.path != one.path or one.start_line > hit.end_line + apart or hit.start_line > one.end_line + apart:
            continue
        start, end = min(hit.start_line, one.start_line), max(hit.end_line, one.end_line)
        if end - start >= LONGEST:
            continue
        text = _joined((hit.start_line, hit.text), (one.start_line, one.text))
        best[index] = replace(hit, start_line=start, end_line=end, text=text)
        return True
    return False


def _joined(*pieces: tuple[int, str]) -> str:
    """Two overlapping or adjacent pieces of one file, each with its first line, as one."""
    (first, upper), (second, lower) = sorted(pieces)
    above, below = Lines(upper.encode("utf-8", "replace")), Lines(lower.encode("utf-8", "replace"))
    shared = first + len(above) - second
    return upper if shared >= len(below) else upper + below.text(shared + 1, len(below))
