"""How long a search takes, over a repository's chunks or over any number of made-up ones, and what an index costs."""

from __future__ import annotations

import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pointsman_indexer import listing
from pointsman_indexer.bench.indexing import changed_file
from pointsman_indexer.bench.memory import resident
from pointsman_indexer.bench.synthetic import Vectors, Words, build
from pointsman_indexer.embed import Embedder, embed_checked
from pointsman_indexer.errors import IndexerError
from pointsman_indexer.evaluate.keyword import KeywordSearch
from pointsman_indexer.evaluate.metrics import percentile
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.index import Index
from pointsman_indexer.search import Mode
from pointsman_indexer.store_edge import EXACT
from pointsman_indexer.terms import telling_words
from pointsman_indexer.update import Progress

_HITS = 10
_WARMING = 10
_EMBEDDED, _COMPARED, _SCANNED = 50, 20, 20
"""Queries that are embedded while the clock runs, that are compared with an exact search, and that a scan is asked."""
_MEANINGS: tuple[Mode, Mode] = ("dense", "exact")
_MOST_SCANNED = 200_000
"""Chunks that are scanned for keywords here; ripgrep has no such limit."""
_NAME = re.compile(r"[A-Za-z_]{3,}")


def measure_search(
    root: Path,
    embedder: Embedder,
    *,
    chunks: int = 0,
    queries: int = 200,
    exclude: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """The `bench search` object. The index lies in a temporary folder, which is removed; what `progress` raises ends
    it.

    Args:
        chunks: how many to make up; 0 takes those of the repository at `root`.
        queries: how many to ask.

    Raises `IndexerError`, also for a folder that holds no text.
    """
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder:
        data_dir = Path(folder) / "index"
        data_dir.mkdir()
        began = time.perf_counter()
        if chunks:
            root, exclude = Path(folder) / "files", ()
            root.mkdir()
            build(root, data_dir, embedder, chunks, progress)
        with Index.open(root, data_dir, embedder, exclude=exclude) as index:
            updated = index.update(progress=progress)
            index.settle()
            built = time.perf_counter() - began
            count = queries + _WARMING
            asked, vectors = _made_up(embedder, count) if chunks else _taken(index, embedder, count)
            report = {
                "path": "" if chunks else str(root),
                "embedder": embedder.name,
                "synthetic": bool(chunks),
                "files": updated.files,
                "chunks": updated.chunks,
                "build_seconds": round(built, 1),
                "disk_mb": _disk(data_dir) >> 20,
                **_timed(index, embedder, asked, vectors, progress),
                **resident(),
                "beside": _beside(index, root, asked, updated.chunks),
            }
            if chunks:
                report["rerun_seconds"] = index.update().seconds
                paths = [entry.path for entry in listing.walk(root, Exclusions(root)).files]
                report["changed_file_ms"] = changed_file(index, root, paths, embedder)
            return report


def _made_up(embedder: Embedder, count: int) -> tuple[list[str], list[Sequence[float]]]:
    """Questions of three identifiers each, drawn as those of the code were, and vectors that lie among the others."""
    words = Words(seed=1)
    asked = [f"where is {' '.join(words.take(3))} handled" for _ in range(count)]
    return asked, list(Vectors(embedder.dimension, seed=1).take(count))


def _taken(index: Index, embedder: Embedder, count: int) -> tuple[list[str], list[Sequence[float]]]:
    """Questions of three names each, that a chunk holds."""
    draw = random.Random(0)
    names: list[list[str]] = []
    seen = 0
    for one in index.chunks():
        if len(own := _NAME.findall(one.text)) >= 3:
            seen += 1
            if len(names) < count:
                names.append(own)
            elif (at := draw.randrange(seen)) < count:
                names[at] = own
    if not names:
        raise IndexerError("there is no text here to ask for", remedy="choose another folder, or --chunks")
    asked = [f"where is {' '.join(draw.sample(own, 3))} handled" for own in draw.choices(names, k=count)]
    return asked, [embed_checked(embedder, [one], "query")[0] for one in asked]


def _timed(
    index: Index,
    embedder: Embedder,
    asked: Sequence[str],
    vectors: Sequence[Sequence[float]],
    progress: Callable[[Progress], None],
) -> dict[str, Any]:
    """Milliseconds of a search with its vector at hand and of one that embeds its query, also of processor time, which
    other work on the machine does not stretch; and how many of the ten nearest vectors a search through a graph gives.
    """
    given: list[float] = []
    whole: list[float] = []
    found: list[float] = []
    worked = 0.0
    for number, (query, vector) in enumerate(zip(asked, vectors, strict=True), 1):
        before = time.process_time()
        given.append(_milliseconds(partial(index.search, query, _HITS, query_vector=vector)))
        worked += (time.process_time() - before) * (number > _WARMING)
        if number <= _EMBEDDED + _WARMING:
            whole.append(_milliseconds(partial(index.search, query, _HITS)))
        progress(Progress(stage="ask", done=number, total=len(asked)))
    for query, vector in list(zip(asked, vectors, strict=True))[:_COMPARED]:
        near, exact = (
            {(hit.path, hit.start_line) for hit in index.search(query, _HITS, query_vector=vector, mode=mode)}
            for mode in _MEANINGS
        )
        found.append(len(near & exact) / max(1, len(exact)))
    return {
        "mode": "hnsw" if index.counts()[1] >= EXACT else "exact",
        "nearest_found": round(statistics.mean(found), 3),
        "search_ms": _summary(given[_WARMING:]),
        "search_cpu_ms": round(1000 * worked / len(given[_WARMING:]), 1),
        "search_and_embed_ms": _summary(whole[_WARMING:]),
    }


def _beside(index: Index, root: Path, asked: Sequence[str], chunks: int) -> dict[str, dict[str, float]]:
    """The same questions put to a scan of everything: ripgrep where it is on the PATH, else one in this process."""
    some = [telling_words(query) for query in asked[:_SCANNED]]
    if program := shutil.which("rg"):
        return {"ripgrep": _summary([_milliseconds(partial(_ripgrep, program, root, words)) for words in some])}
    if chunks > _MOST_SCANNED:
        return {}
    keyword = KeywordSearch(index.chunks())
    return {"keyword": _summary([_milliseconds(partial(keyword.find, " ".join(words), _HITS)) for words in some])}


def _ripgrep(program: str, root: Path, words: Sequence[str]) -> None:
    wanted = [part for word in words for part in ("-e", word)]
    command = [program, "--no-config", "-F", "-i", "-c", *wanted, "--", "."]
    subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(percentile(times, 50), 1),
        "p95": round(percentile(times, 95), 1),
        "worst": round(max(times), 1),
        "n": len(times),
    }


def _disk(folder: Path) -> int:
    """Bytes that the files below take; a store's files are longer than what is written of them."""
    return sum(file.lstat().st_blocks * 512 for file in folder.rglob("*"))
