"""Keyword search over the same chunks, as a developer with ripgrep does it: what any index has to beat.

The query's words are looked for as fixed strings, without regard to case; chunks with more different words come first,
then those with more of them. Neighbouring hits become one, as in every other search. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from pointsman_indexer.chunk import Chunk
from pointsman_indexer.hits import Hit, hit_of, merge
from pointsman_indexer.terms import telling_words


class KeywordSearch:
    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = [(one, f"{one.path}\n{one.text}".casefold()) for one in chunks]

    def find(self, query: str, k: int) -> list[Hit]:
        words = {word.casefold() for word in telling_words(query)}
        found = []
        for one, text in self._chunks:
            counts = [count for word in words if (count := text.count(word))]
            if counts:
                found.append((-len(counts), -sum(counts), one.path, one.start_line, one))
        best: list[Hit] = []
        for _, _, _, _, one in sorted(found, key=lambda entry: entry[:4]):
            if merge(best, one):
                continue
            if len(best) == k:
                break
            best.append(hit_of(one, 1.0, "", True))
        return best
