"""The sources for a question: the selection first, then fresh hits of the index, merged and cut to a budget.

Decides whether they are about the question at all, by the words they share with it: a fused rank says which hit is
best, never whether it is good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman.chat.types import Question
from pointsman.chat.words import content_words, coverage
from pointsman.exclusion import ExclusionsOf, admitted, why_excluded
from pointsman.host.api import HostApi, SearchHit, SearchParams
from pointsman.models.base import Priority
from pointsman.models.prompting import CHARS_PER_TOKEN, estimate_tokens

RELEVANT = 0.6
"""Share of the question's content words that the sources must hold together, for a model to be asked."""
NEAR = 0.3
"""The same for sources that are worth a look, though they do not answer."""
_HITS = 12
_SOURCES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage that the answer may rest on. Lines are 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    sha: str
    text: str

    @property
    def words(self) -> frozenset[str]:
        return content_words(f"{self.path} {self.symbol} {self.text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`sources` is empty when nothing is even near; `note` is what the index said of itself."""

    sources: tuple[Source, ...]
    relevant: bool = True
    """False when the sources are only near the question."""
    note: str = ""


async def retrieve(host: HostApi, exclusions: ExclusionsOf, question: Question, *, budget: int) -> Found:
    """At most five sources within `budget` tokens. Raises `PointsmanError` when the index cannot be asked."""
    selected = await asyncio.to_thread(_selection, question, exclusions)
    asked = content_words(question.text, about_code=False)
    query = question.text
    if len(asked) < 2 and question.history:  # "And why?" searches for what was asked before
        query = f"{question.history[-1].text[:300]}\n{query}"
    if selected:
        query = f"{query}\n{selected.text[:500]}"
    reply = await host.search(SearchParams(path=str(question.root), query=query, k=_HITS, priority=Priority.CHAT))
    allowed = await asyncio.to_thread(admitted, question.root, {hit.path for hit in reply.hits}, exclusions)
    hits = merge([_source(hit) for hit in reply.hits if hit.fresh and hit.path in allowed])
    kept = hits if not asked else [source for source in hits if asked & source.words]
    relevant = True
    if not selected and asked:
        together = frozenset[str]().union(*(source.words for source in kept[:_SOURCES]))
        held = coverage(asked, together)
        relevant = held >= RELEVANT
        if held < NEAR:
            kept = []
    sources = within_budget([*([selected] if selected else []), *kept], budget)
    return Found(sources=sources, relevant=relevant and bool(sources), note=reply.note)


def merge(sources: Sequence[Source]) -> list[Source]:
    """Drop a source that lies inside another one of the same file and hash; the better place is kept."""
    merged: list[Source] = []
    for source in sources:
        for index, other in enumerate(merged):
            if (source.path, source.sha) != (other.path, other.sha):
                continue
            if other.start_line <= source.start_line and source.end_line <= other.end_line:
                break
            if source.start_line <= other.start_line and other.end_line <= source.end_line:
                merged[index] = source
                break
        else:
            merged.append(source)
    return list(dict.fromkeys(merged))


def within_budget(sources: Sequence[Source], budget: int) -> tuple[Source, ...]:
    """The first sources, each cut at a line's end to its share of what the ones before it left of `budget` tokens."""
    fitted: list[Source] = []
    for source in sources:
        share = max(budget // min(_SOURCES - len(fitted), len(sources)), 64)
        cut = _shortened(source, min(share, budget))
        if cut is None:
            continue
        budget -= estimate_tokens(cut.text)
        fitted.append(cut)
        if len(fitted) == _SOURCES or budget < 48:
            break
    return tuple(fitted)


def _shortened(source: Source, tokens: int) -> Source | None:
    if estimate_tokens(source.text) <= tokens:
        return source
    room = int((tokens - 1) * CHARS_PER_TOKEN)
    lines: list[str] = []
    for line in source.text.split("\n"):
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    if not lines:
        return None
    return replace(source, text="\n".join(lines), end_line=source.start_line + len(lines) - 1)


def _source(hit: SearchHit) -> Source:
    return Source(
        path=hit.path,
        start_line=hit.start_line,
        end_line=hit.end_line,
        symbol=hit.symbol,
        sha=hit.sha,
        text=hit.text.replace("\r\n", "\n"),
    )


def _selection(question: Question, exclusions: ExclusionsOf) -> Source | None:
    snapshot = question.selection
    if snapshot is None or question.end <= question.start or why_excluded(snapshot, exclusions):
        return None
    text = snapshot.text
    first = text.count("\n", 0, question.start) + 1
    chosen = text[question.start : question.end].rstrip("\r\n")
    return Source(
        path=snapshot.relative,
        start_line=first,
        end_line=first + chosen.count("\n"),
        symbol="",
        sha=snapshot.sha,
        text=chosen.replace("\r\n", "\n"),
    )
