"""Tasks from a file, in the shape of HumanEval-Infilling (Bavarian et al. 2022): a program with a hole, and its tests.

A row holds `prompt`, `suffix`, `canonical_solution` and, where the answer can be run, `test` and `entry_point`;
`path` says what the document is called.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pointsman.errors import PointsmanError
from pointsman.measure.task import Task
from pointsman_indexer.languages import language_of

_SUFFIXES = (".jsonl", ".jsonl.gz")


def given(source: Path, limit: int, seed: int) -> list[Task]:
    """At most `limit` tasks of each file: of `source`, or of those in it when it is a folder.

    Raises `PointsmanError` that names the file and line.
    """
    files = sorted(f for f in source.iterdir() if f.name.endswith(_SUFFIXES)) if source.is_dir() else [source]
    if not files:
        raise PointsmanError(f"{source.name} holds no {' or '.join(_SUFFIXES)} file")
    draw = random.Random(seed)
    found: list[Task] = []
    for file in files:
        own = list(_rows(file))
        found += own if len(own) <= limit else draw.sample(own, limit)
    return found


def program(task: Task, document: str) -> str:
    """What to run: the finished document and its tests."""
    return f"{document}\n{task.tail}\n"


def _rows(file: Path) -> Iterator[Task]:
    kind = file.name.partition(".jsonl")[0]
    single = "SingleLine" in kind
    try:
        raw = gzip.decompress(file.read_bytes()) if file.name.endswith(".gz") else file.read_bytes()
        lines = raw.decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise PointsmanError(f"{file.name} cannot be read as UTF-8 text") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _task(kind, json.loads(line), single)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise PointsmanError(
                    f"{file.name} line {number}: not a task",
                    remedy='write {"prompt": "…", "suffix": "…", "canonical_solution": "…"} on each line',
                ) from error


def _task(kind: str, row: dict[str, Any], single: bool) -> Task:
    before, after, truth = str(row["prompt"]), str(row["suffix"]), str(row["canonical_solution"])
    if truth.endswith("\n"):
        # The hole is whole lines: in an editor the cursor stands on a line of its own, whose end is there already.
        truth, after = truth[:-1], f"\n{after}"
    test, entry = str(row.get("test", "")), str(row.get("entry_point", ""))
    if test and not entry.isidentifier():
        raise ValueError("no function to test")
    path = str(row.get("path", "solution.py"))
    return Task(
        kind=kind,
        path=path,
        language=language_of(path) or "",
        before=before,
        after=after,
        truth=truth,
        tail=f"{test}\ncheck({entry})" if test else "",
        lines=1 if single else 0,
    )
