"""What a closed model should know besides the lines that it changes: what they use, who uses them, and their tests.

Found in the index's graph, read from disk as it is now, and cut to a budget. Excluded files, those that policy keeps
local, and lines that are no longer what the index says are left out. The same index and files give the same pieces.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pointsman.errors import PointsmanError
from pointsman.exclusion import ExclusionsOf, admitted
from pointsman.hidden import without_hidden
from pointsman.host.api import HostApi, InScopeParams, Place, UsesParams
from pointsman.models.prompting import estimate_tokens
from pointsman.refactor.lines import split_lines
from pointsman.refactor.work import Chosen, Work

BUDGET = 2_000
"""Tokens of all pieces."""
SECONDS = 2.0
"""The index may take so long; then it goes without."""
_SHARES = {"definition": 0.5, "test": 0.25, "use": 0.25}
"""Of the budget, in this order; what one leaves is the next one's."""
_MOST_NAMES, _MOST_SYMBOLS = 60, 6
_MOST_LINES = {"definition": 30, "test": 30, "use": 7}
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Lines of a file, without invisible characters."""

    why: str
    """Such as "the definition of Cart.add"."""
    path: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    kind: str
    why: str
    place: Place
    says: str
    """What its lines must hold, or the index is behind."""


async def context_of(
    host: HostApi, exclusions: ExclusionsOf, may_leave: Callable[[Path, frozenset[str]], frozenset[str]], work: Work
) -> tuple[Piece, ...]:
    """Nothing when the work belongs to no repository, or the index cannot be asked or takes too long.

    `may_leave` says which root-relative paths policy does not keep local; it is called in a thread.
    """
    root = work.root
    if root is None:
        return ()
    try:
        async with asyncio.timeout(SECONDS):
            wanted = [one for part in work.parts for one in await _around(host, root, part)]
    except (TimeoutError, PointsmanError):
        return ()
    return await asyncio.to_thread(_read, root, wanted, exclusions, may_leave, work)


async def _around(host: HostApi, root: Path, part: Chosen) -> list[_Wanted]:
    from pointsman_indexer.pairs import is_test
    from pointsman_indexer.parse import parse

    selection, file = part.selection, part.snapshot.relative
    parsed = await asyncio.to_thread(parse, part.snapshot.text.encode("utf-8", "replace"), part.snapshot.language)
    inside = [s for s in parsed.symbols if selection.start <= s.start_line and s.end_line <= selection.end]
    holding = [s for s in parsed.symbols if s.start_line <= selection.start and selection.end <= s.end_line]
    changed = inside or holding[-1:]
    names = Counter(_NAME.findall(selection.text))
    called = tuple(name for name, _ in names.most_common(_MOST_NAMES))
    reply = await host.in_scope(InScopeParams(path=str(root), file=file, line=selection.start, names=called))
    words = {word for name in names for word in name.split(".")}
    found = [
        _Wanted(kind="definition", why=f"the definition of {one.symbol}", place=one, says=one.signature)
        for one in reply.definitions
        if one.symbol.rpartition(".")[2] in words and not (one.path == file and _shown(one, part))
    ]
    for symbol in changed[:_MOST_SYMBOLS]:
        used = await host.uses(UsesParams(path=str(root), symbol=symbol.qualified, file=file))
        for use in used.uses:
            if use.kind == "import" or (use.path == file and _shown(use, part)):
                continue
            kind = "test" if is_test(use.path, use.symbol) else "use"
            why = f"a test of {symbol.qualified}" if kind == "test" else f"a use of {symbol.qualified}"
            found.append(_Wanted(kind=kind, why=why, place=use, says=symbol.name))
    return found


def _shown(place: Place, part: Chosen) -> bool:
    """Whether the lines to change hold it."""
    return part.selection.start <= place.line <= part.selection.end


def _read(
    root: Path,
    wanted: Iterable[_Wanted],
    exclusions: ExclusionsOf,
    may_leave: Callable[[Path, frozenset[str]], frozenset[str]],
    work: Work,
) -> tuple[Piece, ...]:
    wanted = list(wanted)
    paths = frozenset(one.place.path for one in wanted)
    allowed = may_leave(root, admitted(root, paths, exclusions))
    texts = {part.snapshot.relative: part.snapshot.text for part in work.parts}  # as the editor has them
    shown = {part.snapshot.relative: part.selection for part in work.parts}
    taken: list[Piece] = []
    left, share = 0.0, 0.0
    for kind, fraction in _SHARES.items():
        left = share = left + BUDGET * fraction
        for piece in _pieces(root, (one for one in wanted if one.kind == kind and one.place.path in allowed), texts):
            own = shown.get(piece.path)
            twice = any(_meet(piece, other.path, other.start_line, other.end_line) for other in taken)
            if twice or (own is not None and _meet(piece, piece.path, own.start, own.end)):
                continue
            cost = estimate_tokens(piece.text)
            if cost <= left and cost <= share / 2:
                taken.append(piece)
                left -= cost
    return tuple(taken)


def _pieces(root: Path, wanted: Iterable[_Wanted], texts: dict[str, str]) -> Iterator[Piece]:
    from pointsman_indexer.files import read

    for one in wanted:
        path = one.place.path
        if path not in texts:
            try:
                file = read(root, path)
            except OSError:
                file = None
            texts[path] = "" if file is None else file.data.decode("utf-8", "replace")
        lines = [line.rstrip("\r\n") for line in split_lines(texts[path])]
        first, last = _extent(one, len(lines))
        text = "\n".join(lines[first - 1 : last])
        if one.says and one.says in text:
            yield Piece(why=one.why, path=path, start_line=first, end_line=last, text=without_hidden(text))


def _extent(one: _Wanted, count: int) -> tuple[int, int]:
    """A definition from its first line on, a test from its use on both sides, a use with some lines around."""
    most = _MOST_LINES[one.kind]
    if one.kind == "definition":
        return one.place.line, min(max(one.place.end_line, one.place.line), one.place.line + most - 1, count)
    first = max(one.place.line - most // 2, 1)
    return first, min(first + most - 1, count)


def _meet(piece: Piece, path: str, start: int, end: int) -> bool:
    return piece.path == path and piece.start_line <= end and start <= piece.end_line
