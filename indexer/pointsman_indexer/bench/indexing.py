"""How long an index takes: the first one, one that has nothing to do, one changed file, a branch switch and back.

What is changed is changed in a temporary copy; the repository itself is only read.
"""

from __future__ import annotations

import random
import re
import statistics
import string
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pointsman_indexer import files, listing
from pointsman_indexer.bench.memory import Peak
from pointsman_indexer.copying import contents, write
from pointsman_indexer.embed import Embedder, embed_checked
from pointsman_indexer.errors import IndexerError
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.index import Index
from pointsman_indexer.update import Progress, Report

_ROUNDS = 9
_RERUNS = 3
_WORD = re.compile(rb"[A-Za-z_]{6,40}")


def measure_index(
    root: Path,
    embedder: Embedder,
    *,
    switched: int = 500,
    exclude: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """The `bench index` object. The index lies in a temporary folder, which is removed; what `progress` raises ends it.

    Args:
        switched: files that the branch switch changes, at most.

    Raises `IndexerError`, also for a folder that holds no text.
    """
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder, Peak() as peak:
        copy, data_dir = Path(folder) / "copy", Path(folder) / "index"
        with Index.open(root, data_dir, embedder, exclude=exclude) as index:
            first = _first(index, root, exclude, embedder, progress)
            reruns = [index.update(progress=progress).seconds for _ in range(_RERUNS)]
        for path, data in contents(root, exclude):
            write(copy, path, data)
        with Index.open(copy, data_dir, embedder, exclude=exclude) as index:
            index.update(progress=progress)
            paths = sorted({one.path for one in index.chunks()})
            changed = changed_file(index, copy, paths, embedder)
            switch = _switch(index, copy, _spread(paths, switched))
    return {
        "path": str(root),
        "embedder": embedder.name,
        **first,
        "rerun_seconds": round(statistics.median(reruns), 3),
        "changed_file_ms": changed,
        "branch_switch": switch,
        "peak_memory_mb": peak.megabytes,
    }


def _first(
    index: Index, root: Path, exclude: Sequence[str], embedder: Embedder, progress: Callable[[Progress], None]
) -> dict[str, Any]:
    """The first index, with a search as soon as an update would give way to one."""
    word = _some_word(root, exclude)
    vector = embed_checked(embedder, [word], "query")[0]
    looked = False

    def until_read(step: Progress) -> None:
        nonlocal looked
        looked = looked or step.stage == "parse"
        progress(step)

    began = time.perf_counter()
    index.update(embed=False, progress=until_read, should_stop=lambda: looked)
    if not index.search(word, query_vector=vector, mode="lexical"):
        raise IndexerError("the first search found nothing", remedy="this is a fault: please report it")
    words = time.perf_counter() - began
    index.update(embed=False, progress=progress)
    parsed = time.perf_counter() - began
    report = index.update(progress=progress)
    embedded = time.perf_counter() - began
    return {
        "files": report.files,
        "chunks": report.chunks,
        "skipped": report.skipped,
        "seconds": {"words": round(words, 2), "parsed": round(parsed, 2), "embedded": round(embedded, 2)},
        "chunks_per_second": {
            "parsed": round(report.chunks / parsed, 1),
            "embedded": round(report.embedded / max(embedded - parsed, 1e-6), 1),
        },
    }


def changed_file(index: Index, root: Path, paths: Sequence[str], embedder: Embedder) -> dict[str, float]:
    """Milliseconds from a file's being saved to its being among the ten hits of a search for what is new in it.

    As in the host, its words are found first and its vectors made afterwards, which is not in the time.
    """
    times = []
    letters = random.Random(0)
    for path in _spread(paths, _ROUNDS):
        word = "".join(letters.choices(string.ascii_lowercase, k=14))
        vector = embed_checked(embedder, [word], "query")[0]
        file = root / path
        file.write_bytes(file.read_bytes() + f"\n{word}\n".encode())
        began = time.perf_counter()
        index.update([path], embed=False)
        hits = index.search(word, query_vector=vector)
        times.append(1000 * (time.perf_counter() - began))
        if path not in {hit.path for hit in hits}:
            raise IndexerError(f"a change was not found ({path})", remedy="this is a fault: please report it")
        index.update([])
    return {"p50": round(statistics.median(times), 1), "worst": round(max(times), 1), "n": len(times)}


def _switch(index: Index, root: Path, paths: Sequence[str]) -> dict[str, Any]:
    """Change these files, as another branch would, and change them back; the way back has all been seen before."""
    before = {path: (root / path).read_bytes() for path in paths}
    for path, data in before.items():
        (root / path).write_bytes(data + b"\nanother branch\n")
    there = index.update()
    for path, data in before.items():
        (root / path).write_bytes(data)
    back = index.update()
    return {"files": len(paths), "there": _cost(there), "back": _cost(back)}


def _cost(report: Report) -> dict[str, float]:
    return {"seconds": report.seconds, "embedded": report.embedded, "reused": report.reused}


def _some_word(root: Path, exclude: Sequence[str]) -> str:
    """A word that the repository holds: the longest one at the start of a file in its middle."""
    entries = listing.walk(root, Exclusions(root, exclude)).files
    middle = len(entries) // 2
    for entry in (*entries[middle:], *entries[:middle]):
        found = files.read(root, entry.path)
        words = _WORD.findall(found.data[:4096]) if found is not None and b"\0" not in found.data else []
        if words:
            return str(max(words, key=len), "ascii")
    raise IndexerError(f"{root} holds no text that could be searched", remedy="choose another folder")


def _spread(paths: Sequence[str], count: int) -> list[str]:
    """So many of them at most, evenly over all."""
    return list(paths) if len(paths) <= count else [paths[at * len(paths) // count] for at in range(count)]
