"""The evaluation: one index, several ways to search it, the same questions.

The hybrid search is the product; BM25 alone and embeddings alone are its two halves, and keywords are what people do
without an index. All see the same chunks.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pointsman_indexer.embed import Embedder, embed_checked
from pointsman_indexer.evaluate.keyword import KeywordSearch
from pointsman_indexer.evaluate.metrics import DEPTH, figures, interval, percentile, summary
from pointsman_indexer.evaluate.tasks import Place, Task, commit_tasks, docstring_tasks, file_tasks
from pointsman_indexer.hits import Hit
from pointsman_indexer.index import Index
from pointsman_indexer.search import Mode
from pointsman_indexer.update import Progress

KINDS = ("docstring", "commit")
"""Tasks that a repository brings itself."""
_MODES: dict[str, Mode] = {"hybrid": "hybrid", "bm25": "lexical", "dense": "dense"}
SYSTEMS = (*_MODES, "keyword")
_LONGEST_ANSWER = 120
_NONE = {
    "docstring": "no function here has documentation that says what it does",
    "commit": "no git history here that says what it changed",
}

_Rows = Mapping[str, Sequence[Mapping[str, float]]]
"""Of each system, the figures of each task."""


def evaluate(
    root: Path,
    embedder: Embedder,
    *,
    kinds: Sequence[str] = KINDS,
    tasks_file: Path | None = None,
    limit: int = 300,
    exclude: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """The interface's object: for each kind of task and each system, figures with their intervals.

    One index serves the repository and its blanked copy, so that what both have is embedded once. It lies in a
    temporary folder, which is removed. What `progress` raises ends the evaluation.

    Args:
        kinds: self-made tasks to ask.
        tasks_file: tasks to ask as well; their kinds are reported under their own names.
        limit: tasks of a kind and of the file, at most. All of the repository is searched whatever it is.

    Raises `IndexerError`.
    """
    started = time.monotonic()
    given = file_tasks(tasks_file, limit) if tasks_file else []
    tasks: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="pointsman-eval-") as folder:
        copy, data_dir = Path(folder) / "copy", Path(folder) / "index"
        copy.mkdir()
        if "docstring" in kinds:
            if asked := docstring_tasks(root, copy, limit, exclude):
                with Index.open(copy, data_dir, embedder, exclude=exclude) as index:
                    tasks["docstring"] = _measure(index, embedder, asked, progress)
            else:
                skipped["docstring"] = _NONE["docstring"]
        groups = {f"{one.kind} of the file" if one.kind in kinds else one.kind: one.kind for one in given}
        others = {name: [one for one in given if one.kind == kind] for name, kind in groups.items()}
        if "commit" in kinds:
            if asked := commit_tasks(root, limit):
                others = {"commit": asked, **others}
            else:
                skipped["commit"] = _NONE["commit"]
        if others:
            with Index.open(root, data_dir, embedder, exclude=exclude) as index:
                for name, asked in others.items():
                    tasks[name] = _measure(index, embedder, asked, progress)
    seconds = round(time.monotonic() - started, 1)
    return {"path": str(root), "embedder": embedder.name, "tasks": tasks, "skipped": skipped, "seconds": seconds}


def _measure(
    index: Index, embedder: Embedder, tasks: Sequence[Task], progress: Callable[[Progress], None]
) -> dict[str, Any]:
    index.update(progress=progress)
    keyword = KeywordSearch(index.chunks())
    rows: dict[str, list[dict[str, float]]] = {system: [] for system in SYSTEMS}
    seconds: list[float] = []
    for number, task in enumerate(tasks, 1):
        began = time.perf_counter()
        vector = embed_checked(embedder, [task.query], "query")[0]
        for system in SYSTEMS:
            if system == "keyword":
                hits = keyword.find(task.query, DEPTH)
            else:
                hits = index.search(task.query, DEPTH, query_vector=vector, mode=_MODES[system])
            if system == "hybrid":
                seconds.append(time.perf_counter() - began)
            rows[system].append(figures([_answer(hit, task.answers) for hit in hits], len(task.answers)))
        progress(Progress(stage="ask", done=number, total=len(tasks)))
    few = [number for number, task in enumerate(tasks) if task.few_shared]
    return {
        **_compared(rows),
        "few_shared": _compared({system: [own[number] for number in few] for system, own in rows.items()}),
        "query_ms": {
            "p50": round(1000 * percentile(seconds, 50), 1),
            "p95": round(1000 * percentile(seconds, 95), 1),
        },
    }


def _compared(rows: _Rows) -> dict[str, Any]:
    """Figures of each system, and by how much hybrid search does better than BM25 alone on the same tasks, in MRR."""
    gains = [ours["mrr@10"] - theirs["mrr@10"] for ours, theirs in zip(rows["hybrid"], rows["bm25"], strict=True)]
    if not gains:
        return {"n": 0, "systems": {}, "gain_over_bm25": None}
    systems = {system: summary(own) for system, own in rows.items()}
    return {"n": len(gains), "systems": systems, "gain_over_bm25": interval(gains)}


def _answer(hit: Hit, answers: Sequence[Sequence[Place]]) -> int | None:
    """Number of the answer that the hit gives: it holds some of its lines, and is not a long piece of everything."""
    if hit.end_line - hit.start_line >= _LONGEST_ANSWER:
        return None
    for number, places in enumerate(answers):
        for place in places:
            if hit.path == place.path and hit.start_line <= place.end_line and hit.end_line >= place.start_line:
                return number
    return None
