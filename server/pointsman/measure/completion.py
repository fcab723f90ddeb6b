"""The evaluation of completion: the same tasks for the whole pipeline, for the pipeline without a repository, and for
the bare model.

The pipeline is used as a command uses it and stands in this process; what it can find lies in temporary folders.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman.complete.types import CompletionQuery
from pointsman.host.api import IndexParams, IndexReport, ModelParams
from pointsman.lsp.services import Services
from pointsman.measure.plain import plain
from pointsman.measure.score import figures, gain
from pointsman.measure.task import Task
from pointsman.session import Snapshot
from pointsman_indexer.evaluate.metrics import percentile, summary

PIPELINE, ALONE, PLAIN = "pipeline", "without retrieval", "plain"
NF4, FULL = "pipeline, nf4", "pipeline, full"

Progress = Callable[[str, int, int], None]
Judge = Callable[[Task, str], "bool | None"]
"""Whether the finished document passes its tests; None where it has none. May take seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Roots that the pipeline is shown: the masked copy, and one that holds nothing."""

    copy: Path
    empty: Path


@dataclass(slots=True)
class Answers:
    """What one system gave, task by task."""

    given: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    silent: dict[str, int] = field(default_factory=dict)
    """Why there was no answer, and how often."""


async def index(services: Services, root: Path, progress: Progress) -> None:
    async for step in services.host.index(IndexParams(path=str(root))):
        if not isinstance(step, IndexReport):
            progress(f"index: {step.stage}", step.done, step.total)


async def ask_pipeline(
    services: Services, tasks: Sequence[Task], roots: Sequence[Path], label: str, progress: Progress, *, automatic: bool
) -> Answers:
    """`roots` has the root that each task's document is shown in."""
    answers = Answers()
    for number, (task, root) in enumerate(zip(tasks, roots, strict=True), 1):
        text = task.before + task.after
        path = root / task.path
        # A URI of its own for each task: one document with two different texts would be an edit of the first.
        snapshot = Snapshot(
            uri=f"{path.as_uri()}#{number}", path=path, root=root, language=task.language, version=1, text=text
        )
        query = CompletionQuery(snapshot=snapshot, offset=len(task.before), automatic=automatic)
        completion = await services.completer.complete(query)
        document, given = text, ""
        if completion.items:
            item = completion.items[0]
            document = text[: item.start] + item.text + text[item.end :]
            given = document[len(task.before) : item.start + len(item.text)]
        elif completion.reason:
            reason = completion.reason.partition(":")[0]
            answers.silent[reason] = answers.silent.get(reason, 0) + 1
        answers.given.append(given)
        answers.documents.append(document)
        answers.ms.append(completion.timings_ms.get("total", 0.0))
        progress(label, number, len(tasks))
    return answers


async def ask_plain(services: Services, tasks: Sequence[Task], max_tokens: int, progress: Progress) -> Answers:
    facts = await services.host.model(ModelParams(task="completion"))
    answers = Answers()
    for number, task in enumerate(tasks, 1):
        begun = time.perf_counter()
        given = await plain(services.host, facts, task, max_tokens)
        answers.given.append(given)
        answers.documents.append(task.before + given + task.after)
        answers.ms.append((time.perf_counter() - begun) * 1000)
        progress(PLAIN, number, len(tasks))
    return answers


def report(tasks: Sequence[Task], systems: dict[str, Answers], judge: Judge, progress: Progress) -> dict[str, Any]:
    """For each kind: figures of each system, and paired gains between those that differ in one thing."""
    verdicts: dict[str, list[bool | None]] = {}
    for name, answers in systems.items():
        verdicts[name] = []
        for number, (task, document) in enumerate(zip(tasks, answers.documents, strict=True), 1):
            verdicts[name].append(judge(task, document))
            progress(f"tests: {name}", number, len(tasks))
    out: dict[str, Any] = {}
    for kind in dict.fromkeys(task.kind for task in tasks):
        picked = [number for number, task in enumerate(tasks) if task.kind == kind]
        rows = {
            name: [figures(answers.given[n], tasks[n].truth, tasks[n].lines, verdicts[name][n]) for n in picked]
            for name, answers in systems.items()
        }
        gains = {
            label: gain(rows[ours], rows[theirs])
            for label, ours, theirs in (
                ("pipeline over plain", PIPELINE, PLAIN),
                ("retrieval over none", PIPELINE, ALONE),
                ("nf4 over full", NF4, FULL),
            )
            if ours in rows and theirs in rows
        }
        out[kind] = {
            "n": len(picked),
            "systems": {name: summary(own) for name, own in rows.items()},
            "gains": gains,
            "ms": {name: _times([answers.ms[n] for n in picked]) for name, answers in systems.items()},
        }
    return out


def _times(ms: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(percentile(ms, percent), 1) for percent in (50, 95)}


@asynccontextmanager
async def closing(services: Services) -> AsyncIterator[Services]:
    try:
        yield services
    finally:
        await services.close()
