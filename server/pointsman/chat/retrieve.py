"""The sources for a question, by its kind: the selection first, then what search, graph or map find for it.

Only fresh and admitted hits become sources, so each carries the hash of a file that is there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pointsman.chat.kinds import Kind, Reading
from pointsman.chat.relevance import Standing, called_by_name, judge, stands_in, subjects
from pointsman.chat.selected import selected, selected_symbol
from pointsman.chat.sources import MOST, Source, joined, of_hit, within_budget
from pointsman.chat.types import Question
from pointsman.chat.words import content_words
from pointsman.exclusion import ExclusionsOf, admitted
from pointsman.host.api import Closely, HostApi, OutlineParams, Place, SearchParams, UsesParams
from pointsman.models.base import Priority

_HITS = 12
_HITS_OF_NAME = 50
"""A name's uses are found among so many pieces that hold it."""
_MOST_SUBJECTS = 24
"""Words of a question that are looked for one by one: more than a question has, less than a log."""
_MAP_TOKENS = 700
_MAP_FILES = 4
_HEAD_LINES = 12
_MAP_FILE = re.compile(r"^(?!\d+: )(.+):$")
_MAP_LINE = re.compile(r"^(\d+): (.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`sources` is empty when nothing is even near; `note` is what the index said of itself."""

    sources: tuple[Source, ...]
    """Cut to the budget."""
    candidates: tuple[Source, ...] = ()
    """What they were cut from."""
    standing: Standing = "about"
    unsaid: str = ""
    """A name or a word of the question that the repository never says; "" when there is no such thing."""
    note: str = ""
    complete: bool = True
    """False while files wait to be read."""
    name: str = ""
    """Of the symbol that the question is about."""
    uses: tuple[Place, ...] = ()
    definitions: tuple[Place, ...] = ()
    """What the graph tells of it, best first."""

    @property
    def unknown(self) -> str:
        """`unsaid`, where it is what keeps the repository from being about the question."""
        return self.unsaid if self.standing == "near" and self.complete else ""

    @property
    def relevant(self) -> bool:
        """Whether a model is to be asked."""
        return bool(self.sources) and self.standing in ("about", "doubtful")

    def fitted(self, question: Question, budget: int) -> Found:
        """The same, cut to another budget."""
        asked = content_words(question.text, about_code=False)
        return replace(self, sources=within_budget(self.candidates, budget, asked))


async def retrieve(
    host: HostApi, exclusions: ExclusionsOf, question: Question, reading: Reading, *, budget: int
) -> Found:
    """At most five sources within `budget` tokens, by what kind of question it is.

    Raises `PointsmanError` when the index cannot be asked.
    """
    chosen = await asyncio.to_thread(selected, question)
    name = reading.name or (await asyncio.to_thread(selected_symbol, question) if chosen else "")
    look = _Look(host, exclusions, question)
    uses, definitions = await _of_symbol(look, name, reading.kind)
    if reading.kind == "map":
        told = await _overview(look)
    elif reading.kind == "meaning" and not reading.name:
        told = []  # it is what is selected
    else:
        told = await _holding(look, name, [*uses, *definitions])
    query = question.text
    if reading.leans and not told:
        query = f"{question.before[:300]}\n{query}"
    if chosen:
        query = f"{query}\n{chosen.text[:500]}"
    # With a selection, or what a graph told, nobody asks how near hits are, and the query is no longer the question.
    closely: Closely = "never" if chosen or told else "always"
    hits, likeness = await look.search(query, _HITS, closely) if reading.kind != "map" or not told else ([], None)
    sources = joined([*told, *hits])
    standing: Standing = "about"
    missing = ""
    if not chosen and not told:
        words = content_words(query, about_code=False)
        standing = judge(words, sources, likeness)
        if standing in ("about", "doubtful"):
            missing = await _unknown(look, question.text, sources)
            unsaid = await _unsaid(look, question.text, sources) if likeness is not None and not missing else []
            standing = "near" if missing else judge(words, sources, likeness, unsaid)
            missing = unsaid[0] if unsaid else missing
    if standing == "foreign":
        sources = []
    first = [chosen] if chosen else []
    found = Found(
        sources=(),
        candidates=(*first, *sources),
        standing=standing,
        unsaid=missing,
        note=look.note,
        complete=look.complete,
        name=name,
        uses=tuple(uses),
        definitions=tuple(definitions),
    )
    return found.fitted(question, budget)


class _Look:
    """Searches for one question."""

    def __init__(self, host: HostApi, exclusions: ExclusionsOf, question: Question) -> None:
        self.host = host
        self.root = str(question.root)
        self.note = ""
        self.complete = True
        self._exclusions = exclusions
        self._question = question

    async def search(self, query: str, k: int, closely: Closely = "never") -> tuple[list[Source], float | None]:
        """What may be shown of the hits, best first, and the likeness of those that were read."""
        params = SearchParams(path=self.root, query=query, k=k, priority=Priority.CHAT, closely=closely)
        reply = await self.host.search(params)
        self.note, self.complete = reply.note, reply.complete
        paths = {hit.path for hit in reply.hits}
        allowed = await asyncio.to_thread(admitted, self._question.root, paths, self._exclusions)
        return [of_hit(hit) for hit in reply.hits if hit.fresh and hit.path in allowed], reply.likeness

    async def admitted(self, places: Sequence[Place]) -> list[Place]:
        """Those that may be shown, each line once."""
        paths = {place.path for place in places}
        allowed = await asyncio.to_thread(admitted, self._question.root, paths, self._exclusions)
        by_line = {(place.path, place.line): place for place in reversed(places) if place.path in allowed}
        return list(reversed(by_line.values()))


async def _of_symbol(look: _Look, name: str, kind: Kind) -> tuple[list[Place], list[Place]]:
    """(where a symbol is used, when that is asked, and where it is defined), by the graph; nothing when no definition
    has that name, or when the graph does not know its language's uses."""
    if kind not in ("callers", "definition", "meaning") or not name:
        return [], []
    reply = await look.host.uses(UsesParams(path=look.root, symbol=name))
    if kind != "callers":
        return [], await look.admitted(reply.definitions)
    if not reply.definitions or (reply.note and not reply.uses):
        return [], []
    uses = [use for use in reply.uses if use.kind != "import"] or list(reply.uses)
    return await look.admitted(uses), await look.admitted(reply.definitions)


async def _holding(look: _Look, name: str, places: Sequence[Place]) -> list[Source]:
    """Pieces that hold the first of the places, in their order, as many as there are sources of an answer."""
    if not places:
        return []
    hits, _ = await look.search(name, _HITS_OF_NAME)
    found: list[Source] = []
    searched: set[str] = set()
    for place in places:
        piece = _at(place, [*found, *hits])
        if piece is None and place.path not in searched and len(searched) < MOST:
            # A common name: among the pieces that hold it this one is not.
            searched.add(place.path)
            more, _ = await look.search(f"{place.path} {place.symbol} {name}", _HITS)
            hits, piece = [*hits, *more], _at(place, more)
        if piece is not None and piece not in found:
            found.append(piece)
        if len(found) == MOST:
            break
    return found


def _at(place: Place, pieces: Iterable[Source]) -> Source | None:
    return next((piece for piece in pieces if piece.path == place.path and piece.holds(place.line)), None)


async def _overview(look: _Look) -> list[Source]:
    """The repository as a whole: its README, then the files that it leans on most, each by its head and its outline."""
    reply = await look.host.outline(OutlineParams(path=look.root, budget=_MAP_TOKENS))
    readme, _ = await look.search("README.md", _HITS)
    own = [hit for hit in readme if hit.path.casefold().startswith("readme")]
    sources = [min(own, key=lambda hit: hit.start_line)] if own else []
    for path, signatures in list(_files(reply.text).items())[:_MAP_FILES]:
        hits, _ = await look.search(path, _HITS)
        heads = [hit for hit in hits if hit.path == path]
        if heads:
            head = min(heads, key=lambda hit: hit.start_line)
            lines = {**signatures, **dict(head.lines[:_HEAD_LINES])}
            sources.append(replace(head, symbol="", lines=tuple(sorted(lines.items()))))
    return sources


def _files(text: str) -> dict[str, dict[int, str]]:
    """A map's text as files with their signatures by line."""
    files: dict[str, dict[int, str]] = {}
    path = ""
    for line in text.splitlines():
        if match := _MAP_FILE.match(line):
            path = match[1]
        elif path and (match := _MAP_LINE.match(line)):
            files.setdefault(path, {})[int(match[1])] = match[2]
    return files


async def _unknown(look: _Look, text: str, sources: Sequence[Source]) -> str:
    """The first thing that the question calls by name and that neither the sources nor a search for it hold."""
    for name in called_by_name(text):
        if not stands_in(name, sources) and not stands_in(name, (await look.search(name, _HITS))[0]):
            return name
    return ""


async def _unsaid(look: _Look, text: str, sources: Sequence[Source]) -> list[str]:
    """The words of the question that neither the sources nor a search for each hold, in no form of them."""
    said = frozenset[str]().union(*(source.words for source in sources))
    names = called_by_name(text)
    found = []
    for stem, word in list(subjects(text).items())[:_MOST_SUBJECTS]:
        if stem not in said and word not in names:
            hits, _ = await look.search(f"{word} {stem}", _HITS)
            if not any(stem in hit.words for hit in hits):
                found.append(word)
    return found
