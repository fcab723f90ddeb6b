"""Questions with known answers: from documentation, from history, or from a file.

A docstring asks for its function in a copy of the repository from which all documentation is blanked; a commit's
message asks for the files that it changed. Knows nothing of searching.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman_indexer.commits import commits
from pointsman_indexer.copying import contents, write
from pointsman_indexer.doctext import overlap
from pointsman_indexer.errors import IndexerError
from pointsman_indexer.languages import language_of
from pointsman_indexer.lines import Lines
from pointsman_indexer.pairs import blank, documentation, documented

_FEW = 0.25
"""Share of a query's words that the code has, up to which they have few in common."""
_WHOLE_FILE = 1 << 30
_ASKED = frozenset({"function", "method"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Lines of a file, 1-based and inclusive; by default all of it."""

    path: str
    start_line: int = 1
    end_line: int = _WHOLE_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    kind: str
    """docstring, commit, or what a task file says."""
    query: str
    answers: tuple[tuple[Place, ...], ...]
    """What is to be found; of each answer any one place will do."""
    few_shared: bool = False
    """Whether query and answer share few words, so that keywords alone hardly find it."""


def docstring_tasks(root: Path, copy: Path, limit: int, exclude: Sequence[str] = ()) -> list[Task]:
    """At most `limit` tasks, drawn evenly; the repository is copied to `copy` with its documentation blanked.

    Functions with the same documentation, such as the two of a synchronous and an asynchronous class, make one task
    that each of them answers.
    """
    owners: dict[str, list[tuple[Place, bool]]] = defaultdict(list)
    for path, data in contents(root, exclude):
        language = language_of(path, data[:65536]) or ""
        blanked = blank(data, (span for _, own in documentation(data, language) for span in own))
        write(copy, path, blanked)
        lines = Lines(blanked)
        for one in documented(path, data, language):
            if one.kind in _ASKED:
                place = _place(path, one.start_line, min(one.end_line, len(lines)), lines)
                few = overlap(one.query, lines.text(place.start_line, place.end_line)) <= _FEW
                owners[one.query].append((place, few))
    tasks = [
        Task(
            kind="docstring",
            query=query,
            answers=(tuple(place for place, _ in own),),
            few_shared=all(few for _, few in own),
        )
        for query, own in owners.items()
    ]
    return _some(tasks, limit)


def commit_tasks(root: Path, limit: int) -> list[Task]:
    """The newest commits that say something; none outside a git repository."""
    return [
        Task(kind="commit", query=one.query, answers=tuple((Place(path=path),) for path in one.paths))
        for one in commits(root, limit)
    ]


def file_tasks(file: Path, limit: int) -> list[Task]:
    """A JSON object a line: `query`, `path`, and where known `start_line`, `end_line`, `kind`, and in `also` a list of
    other places that answer as well.

    Raises `IndexerError` that names the line.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise IndexerError(f"{file.name} cannot be read as UTF-8 text") from error
    return _some([_row(file, number, line) for number, line in enumerate(lines, 1) if line.strip()], limit)


def _row(file: Path, number: int, line: str) -> Task:
    try:
        row = json.loads(line)
        places = tuple(_given(one) for one in (row, *row.get("also", ())))
        kind, query = str(row.get("kind", "question")), str(row["query"])
        if not query.strip():
            raise ValueError("empty query")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexerError(
            f"{file.name} line {number}: not a task", remedy='write {"query": "…", "path": "…"} on each line'
        ) from error
    return Task(kind=kind, query=query, answers=(places,))


def _given(row: dict[str, Any]) -> Place:
    start = int(row.get("start_line", 1))
    return Place(
        path=str(row["path"]),
        start_line=start,
        end_line=int(row.get("end_line", start if "start_line" in row else _WHOLE_FILE)),
    )


def _place(path: str, start: int, end: int, lines: Lines) -> Place:
    """The definition without the empty lines that its comment left."""
    while start < end and not lines.text(start, start).strip():
        start += 1
    return Place(path=path, start_line=start, end_line=end)


def _some(tasks: list[Task], limit: int) -> list[Task]:
    return tasks if len(tasks) <= limit else random.Random(0).sample(tasks, limit)
