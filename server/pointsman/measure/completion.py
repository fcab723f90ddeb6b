"""The evaluation of completion: the same tasks for the whole pipeline, for the pipeline without a repository, and for
the bare model.

The pipeline is used as a command uses it and stands in this process; what it can find lies in temporary folders.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman.complete.types import CompletionQuery
from pointsman.host.api import IndexParams, IndexReport, ModelParams
from pointsman.lsp.services import Completer, Services
from pointsman.measure.plain import plain
from pointsman.measure.score import figures, gain
from pointsman.measure.task import MASKS, Task
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

    def add(self, answer: Answer) -> None:
        self.given.append(answer.given)
        self.documents.append(answer.document)
        self.ms.append(answer.ms)
        if answer.reason:
            self.silent[answer.reason] = self.silent.get(answer.reason, 0) + 1


async def index(services: Services, root: Path, progress: Progress) -> None:
    async for step in services.host.index(IndexParams(path=str(root))):
        if not isinstance(step, IndexReport):
            progress(f"index: {step.stage}", step.done, step.total)


Ask = Callable[[Task], Awaitable["Answer"]]
"""One system's answer to a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    given: str
    document: str
    """With the answer in it."""
    ms: float
    reason: str = ""
    """Why nothing was given."""


async def ask_all(tasks: Sequence[Task], systems: Mapping[str, Ask], progress: Progress) -> dict[str, Answers]:
    """Task by task, so that systems with the same prompt find it in the engine's prefix cache."""
    out = {name: Answers() for name in systems}
    for number, task in enumerate(tasks, 1):
        for name, ask in systems.items():
            out[name].add(await ask(task))
        progress(", ".join(systems), number, len(tasks))
    return out


def pipeline(make: Callable[[], Completer], root_of: Callable[[Task], Path], *, automatic: bool) -> Ask:
    """`make` gives a completer that has seen nothing; `root_of` says which root a task's document is shown in.

    A completer may remember documents, and the document of one task holds the answers of the others of its file. So
    each file, for each kind, has a completer of its own and one URI, as if it were open alone and edited; a program
    of `--tasks` has one for itself. What is read of other files is read at the end of the line above first, where a
    user comes from.
    """
    completer, last = make(), ("", "")

    async def ask(task: Task) -> Answer:
        nonlocal completer, last
        root = root_of(task)
        path, text = root / task.path, task.before + task.after
        snapshot = Snapshot(uri=path.as_uri(), path=path, root=root, language=task.language, version=1, text=text)
        if task.kind not in MASKS or (task.kind, task.path) != last:
            await completer.close()
            completer, last = make(), (task.kind, task.path)
            if task.kind in MASKS and (above := task.before.rfind("\n")) > 0:
                await completer.complete(CompletionQuery(snapshot=snapshot, offset=above, automatic=automatic))
        query = CompletionQuery(snapshot=snapshot, offset=len(task.before), automatic=automatic)
        completion = await completer.complete(query)
        ms = completion.timings_ms.get("total", 0.0)
        if not completion.items:
            return Answer(given="", document=text, ms=ms, reason=(completion.reason or "").partition(":")[0])
        item = completion.items[0]
        document = text[: item.start] + item.text + text[item.end :]
        return Answer(given=document[len(task.before) : item.start + len(item.text)], document=document, ms=ms)

    return ask


def bare(services: Services, max_tokens: int) -> Ask:
    """The model without the pipeline."""

    async def ask(task: Task) -> Answer:
        begun = time.perf_counter()
        facts = await services.host.model(ModelParams(task="completion"))
        given = await plain(services.host, facts, task, max_tokens)
        ms = (time.perf_counter() - begun) * 1000
        return Answer(given=given, document=task.before + given + task.after, ms=ms)

    return ask


def report(tasks: Sequence[Task], systems: dict[str, Answers], judge: Judge, progress: Progress) -> dict[str, Any]:
    """For each kind: figures of each system, and paired gains between those that differ in one thing."""
    verdicts: dict[str, list[bool | None]] = {}
    for name, answers in systems.items():
        verdicts[name] = []
        for number, (task, document) in enumerate(zip(tasks, answers.documents, strict=True), 1):
            verdicts[name].append(judge(task, document))
            progress(f"tests: {name}", number, len(tasks))
    out: dict[str, Any] = {}
    kinds = dict.fromkeys(task.kind for task in tasks)
    for kind in (*(kind for kind in MASKS if kind in kinds), *(kind for kind in kinds if kind not in MASKS)):
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


def rows(tasks: Sequence[Task], systems: Mapping[str, Answers]) -> Iterator[dict[str, Any]]:
    """For each task its place, what stood there, and what each system gave: to see what goes wrong."""
    for number, task in enumerate(tasks):
        yield {
            "kind": task.kind,
            "path": task.path,
            "line": task.before.count("\n") + 1,
            "truth": task.truth,
            "given": {name: answers.given[number] for name, answers in systems.items()},
        }


def _times(ms: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(percentile(ms, percent), 1) for percent in (50, 95)}


@asynccontextmanager
async def closing(services: Services) -> AsyncIterator[Services]:
    try:
        yield services
    finally:
        await services.close()
