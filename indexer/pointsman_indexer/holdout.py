"""What a repository teaches an embedder, and what it is asked afterwards: examples of some files to learn from,
questions about the other files to measure with.

The split is by file, so that no question's file was learned from; it depends on paths and the seed alone. Excluded
files are never read, and a commit that touched one says nothing here. Knows nothing of embedding.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pointsman_indexer import files, listing
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.commits import added_lines, commits
from pointsman_indexer.examples import LONGEST_CODE, SHORTEST_CODE, Example, code_of, examples, pieces
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.languages import language_of
from pointsman_indexer.pairs import LANGUAGES, is_test

T = TypeVar("T")
_HELD_SHARE, _MOST_HELD = 0.35, 0.5
"""Of the questions, at least where that can be, and at most: some files hold many."""
_IDENTIFIERS = 0.3
"""Share of the examples from names that are kept: they are easy, the name stands in the code."""
_MOST_QUESTIONS, _MOST_EXAMPLES, _MOST_PIECES = 800, 4000, 4000
_ENOUGH = 5_000_000
"""Bytes that are read: the rest of a very large repository is left out."""
_MOST_COMMITS = 300
_MOST_CHANGED = 3
"""Pieces that a commit may have changed to ask for each of them."""
_LEAST_ADDED = 8
"""Characters of a line that tells where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    path: str
    query: str
    piece: int
    """Number of the piece that answers."""
    measures: bool
    """Whether it would be a fair question as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    query: str
    answers: tuple[int, ...]
    """Numbers of the pieces, of which any one will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """`pieces` are what is searched; `learned` of them are in files that may be learned from."""

    pieces: tuple[str, ...]
    paths: tuple[str, ...]
    """Of the pieces."""
    learned: tuple[int, ...]
    lessons: tuple[Lesson, ...]
    questions: tuple[Question, ...]
    kinds: dict[str, int]
    """Lessons by kind."""


def gather(root: Path, exclusions: Exclusions, seed: int = 0) -> Material:
    """Raises `IndexerError` for a folder that cannot be listed."""
    read = dict(_files(root, exclusions, seed))
    found = {path: pieces(path, data, language) for path, (data, language) in read.items()}
    asked = [*examples(read, found), *_of_commits(root, found, exclusions)]
    held = _held_files(asked, seed)
    return _material(asked, found, held, seed)


def _files(root: Path, exclusions: Exclusions, seed: int) -> Iterator[tuple[str, tuple[bytes, str]]]:
    """Files of code, all of them or as many as there is time for, in an order that the seed gives."""
    left = _ENOUGH
    for entry in sorted(listing.walk(root, exclusions).files, key=lambda entry: _order(entry.path, seed)):
        try:
            data = files.read(root, entry.path)
        except OSError:
            continue
        language = language_of(entry.path, data.data[:65536]) if data is not None else None
        if data is not None and language in LANGUAGES:
            yield entry.path, (data.data, language)
            if (left := left - len(data.data)) < 0:
                return


def _order(path: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{path}".encode()).digest()


def _of_commits(root: Path, found: Mapping[str, list[Chunk]], exclusions: Exclusions) -> Iterator[Example]:
    """What a commit says asks for the pieces of today's files that hold the lines which it added."""
    for one in commits(root, _MOST_COMMITS):
        if any(exclusions.excludes(path) is not None for path in one.paths):
            continue
        changed: list[Chunk] = []
        # Tests are not searched, so that no pair may lead there.
        paths = [path for path in one.paths if path in found and not is_test(path)]
        for path, lines in added_lines(root, one.commit, paths).items():
            telling = {line.strip() for line in lines if len(line.strip()) >= _LEAST_ADDED}
            changed += [piece for piece in found[path] if _holds(piece, telling)]
        if 0 < len(changed) <= _MOST_CHANGED:
            for piece in changed:
                code = code_of(piece)
                if piece.symbol and SHORTEST_CODE <= len(code) <= LONGEST_CODE:
                    yield Example(
                        kind="commit",
                        query=one.query,
                        path=piece.path,
                        symbol=piece.symbol,
                        language=piece.language,
                        code=code,
                    )


def _holds(piece: Chunk, lines: set[str]) -> bool:
    return sum(line.strip() in lines for line in piece.text.splitlines()) >= 2


def _held_files(asked: Sequence[Example], seed: int) -> set[str]:
    """Files in an order that the seed gives, until they hold their share of the questions."""
    counts = Counter(one.path for one in asked if _measures(one))
    held: set[str] = set()
    taken = 0
    for path in sorted(counts, key=lambda path: _order(path, seed)):
        if taken >= _HELD_SHARE * counts.total():
            break
        if taken + counts[path] <= _MOST_HELD * counts.total():
            held.add(path)
            taken += counts[path]
    return held


def _measures(one: Example) -> bool:
    """Names stand in the code that they ask for, and a commit is about a change: neither is a fair question."""
    return one.kind in ("docstring", "test")


def _material(asked: Sequence[Example], found: Mapping[str, list[Chunk]], held: set[str], seed: int) -> Material:
    draw = random.Random(seed)
    owners: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for one in asked:
        if _measures(one):
            owners[_folded(one.query)].add((one.path, one.symbol))
    queries = {_folded(one.query): one.query for one in asked if one.path in held and _measures(one)}
    known = {one.code for one in asked if one.path in held}
    lessons = [
        one
        for one in asked
        if one.path not in held
        and _folded(one.query) not in queries
        and one.code not in known
        and (one.kind != "identifier" or draw.random() < _IDENTIFIERS)
    ]
    lessons, chosen = _some(lessons, _MOST_EXAMPLES, draw), _some(sorted(queries), _MOST_QUESTIONS, draw)
    needed = {(one.path, one.symbol) for one in lessons} | {owner for query in chosen for owner in owners[query]}
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    texts: list[str] = []
    paths: list[str] = []
    for piece in _searched(found, needed, draw):
        numbers[piece.path, piece.symbol].append(len(texts))
        texts.append(code_of(piece))
        paths.append(piece.path)
    return Material(
        pieces=tuple(texts),
        paths=tuple(paths),
        learned=tuple(number for number, path in enumerate(paths) if path not in held),
        lessons=tuple(
            Lesson(path=one.path, query=one.query, piece=numbers[one.path, one.symbol][0], measures=_measures(one))
            for one in lessons
        ),
        questions=tuple(
            Question(query=queries[query], answers=tuple(sorted(n for owner in owners[query] for n in numbers[owner])))
            for query in chosen
        ),
        kinds=dict(sorted(Counter(one.kind for one in lessons).items())),
    )


def _searched(found: Mapping[str, Iterable[Chunk]], needed: set[tuple[str, str]], draw: random.Random) -> list[Chunk]:
    """All pieces of the definitions that answer, and of the others as many as there is room for.

    None of tests: a question that a test asks would find that test.
    """
    answers: list[Chunk] = []
    others: list[Chunk] = []
    for path, own in found.items():
        for piece in () if is_test(path) else own:
            (answers if (piece.path, piece.symbol) in needed else others).append(piece)
    return answers + _some(others, max(0, _MOST_PIECES - len(answers)), draw)


def _some(items: list[T], most: int, draw: random.Random) -> list[T]:
    return items if len(items) <= most else draw.sample(items, most)


def _folded(query: str) -> str:
    return " ".join(query.lower().split())
