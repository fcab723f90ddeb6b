"""`pointsman eval completion`: how often a suggestion is what stood there, on a repository or a file of tasks."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.common import Cli, bar_of, existing, json_option, visible
from pointsman.cli.measuring import machine

if TYPE_CHECKING:
    from pointsman.lsp.services import Completer
    from pointsman.measure.completion import Answers, Folders, Judge, Progress
    from pointsman.measure.task import Task
    from pointsman.settings import Settings


@click.command()
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@click.option("--tasks", "tasks_file", default="", help="A .jsonl or .jsonl.gz file of tasks, or a folder of them.")
@click.option("--kinds", default="", help="Masks: line,rest,block, the default without --tasks; else none.")
@click.option("--limit", default=100, type=click.IntRange(1, 100_000), show_default=True, help="Tasks of a kind.")
@click.option("--seed", default=0, show_default=True, help="What is drawn; the same seed draws the same.")
@click.option("--automatic", is_flag=True, help="Ask as while typing, where less is suggested.")
@click.option("--precisions", is_flag=True, help="The torch engine in 4 bits beside full precision as well.")
@click.option("--answers", default="", metavar="FILE", help="Write truth and answers there, a JSON object a line.")
@json_option
@click.pass_obj
def completion(
    cli: Cli,
    path: str,
    tasks_file: str,
    kinds: str,
    limit: int,
    seed: int,
    automatic: bool,
    precisions: bool,
    answers: str,
    as_json: bool,
) -> None:
    """The whole pipeline beside itself without retrieval and beside the bare model, on code with holes.

    Lines and blocks of the repository are masked in a copy, so that nothing can find them. Rows of --tasks have the
    fields of HumanEval-Infilling: prompt, suffix, canonical_solution; with test and entry_point the finished program
    is run, in a sandbox without network, or not at all where there can be none.
    """
    from pointsman.measure.task import MASKS

    chosen = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    if not chosen <= set(MASKS):
        raise click.BadParameter(f"kinds are {', '.join(MASKS)}", param_hint="--kinds")
    chosen = chosen if chosen or tasks_file else set(MASKS)
    source = existing(tasks_file) if tasks_file else None
    if answers:
        _write(Path(answers).expanduser(), [], {})  # what cannot be written is better known before
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pointsman-eval-") as folder:
        root, tasks = _drawn(cli, path, chosen, source, limit, seed, Path(folder))
        judge = _judge(cli, tasks)
        systems = asyncio.run(_run(cli, tasks, Path(folder), automatic=automatic, precisions=precisions))
    report = _report(cli, tasks, systems, judge)
    if answers:
        _write(Path(answers).expanduser(), tasks, systems)
    report = {"path": str(root) if chosen else "", "seed": seed, "automatic": automatic, **report}
    report |= {"seconds": round(time.monotonic() - began, 1), "machine": machine()}
    if as_json:
        cli.emit(report)
    else:
        _show(cli, report)


def _drawn(
    cli: Cli, path: str, kinds: set[str], source: Path | None, limit: int, seed: int, folder: Path
) -> tuple[Path, list[Task]]:
    from pointsman.errors import PointsmanError
    from pointsman.measure.infilling import given
    from pointsman.measure.masks import masked
    from pointsman.policy import layers
    from pointsman_indexer import IndexerError, find_root

    root = find_root(existing(path)).resolve()
    for name in ("copy", "empty"):
        (folder / name / ".git").mkdir(parents=True)
        (folder / name / ".git" / "HEAD").touch()
    tasks: list[Task] = []
    if kinds:
        try:
            tasks = masked(root, folder / "copy", kinds, limit, seed, layers.load(cli.paths, root).excluded())
        except IndexerError as error:
            raise PointsmanError(error.message, remedy=error.remedy) from error
    tasks += given(source, limit, seed) if source else []
    if not tasks:
        raise PointsmanError("there is no code here to complete", remedy="choose another --path, or give --tasks")
    return root, tasks


def _judge(cli: Cli, tasks: Sequence[Task]) -> Judge:
    """Raises `PointsmanError` when programs are to be run and no sandbox is possible."""
    from pointsman.measure.infilling import program
    from pointsman.measure.sandbox import Sandbox

    if not any(task.tail for task in tasks):
        return lambda task, document: None
    sandbox = Sandbox.open(cli.paths.run)
    return lambda task, document: sandbox.passes(program(task, document)) if task.tail else None


async def _run(
    cli: Cli, tasks: Sequence[Task], folder: Path, *, automatic: bool, precisions: bool
) -> dict[str, Answers]:
    from pointsman.measure import completion as run

    folders = run.Folders(copy=folder / "copy", empty=folder / "empty")
    settings = cli.settings
    with bar_of(cli, "completion") as (bar, shown):

        def progress(label: str, done: int, total: int) -> None:
            bar.update(shown, description=label, completed=done, total=total)

        systems = await _systems(cli, settings, tasks, folder, folders, progress, automatic)
        if precisions:
            nf4, full = (
                replace(settings, engine="torch", precision="nf4"),
                replace(settings, engine="torch", precision="full"),
            )
            for name, torch in ((run.NF4, nf4), (run.FULL, full)):
                systems |= await _systems(cli, torch, tasks, folder, folders, progress, automatic, name)
    return systems


def _report(cli: Cli, tasks: Sequence[Task], systems: dict[str, Answers], judge: Judge) -> dict[str, Any]:
    from pointsman.measure.completion import report

    with bar_of(cli, "tests") as (bar, shown):
        found = report(
            tasks,
            systems,
            judge,
            lambda label, done, total: bar.update(shown, description=label, completed=done, total=total),
        )
    silent = {name: answers.silent for name, answers in systems.items() if answers.silent}
    settings = cli.settings
    return {"model": settings.completion_model, "engine": settings.engine, "tasks": found, "silent": silent}


def _write(file: Path, tasks: Sequence[Task], systems: dict[str, Answers]) -> None:
    from pointsman.errors import PointsmanError
    from pointsman.measure.completion import rows

    try:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows(tasks, systems)), "utf-8")
    except OSError as error:
        raise PointsmanError(f"{file.name} cannot be written: {error.strerror}") from error


async def _systems(
    cli: Cli,
    settings: Settings,
    tasks: Sequence[Task],
    folder: Path,
    folders: Folders,
    progress: Progress,
    automatic: bool,
    only: str = "",
) -> dict[str, Answers]:
    """What each system answers with these settings; `only` the pipeline, under that name."""
    from pointsman.build import build_completer, build_services
    from pointsman.measure import completion as run
    from pointsman.measure.home import borrowed
    from pointsman.measure.task import MASKS

    own = borrowed(cli.paths, folder / "home")
    async with run.closing(build_services(own, settings, fixed=True)) as services:
        masks = any(task.kind in MASKS for task in tasks)
        if masks:
            await run.index(services, folders.copy, progress)

        def completer() -> Completer:
            return build_completer(own, services.host, settings)

        def shown(task: Task) -> Path:
            return folders.copy if task.kind in MASKS else folders.empty

        asks = {only or run.PIPELINE: run.pipeline(completer, shown, automatic=automatic)}
        if masks and not only:
            asks[run.ALONE] = run.pipeline(completer, lambda _: folders.empty, automatic=automatic)
        if not only:
            asks[run.PLAIN] = run.bare(services, settings.max_completion_tokens)
        return await run.ask_all(tasks, asks, progress)


def _show(cli: Cli, report: dict[str, Any]) -> None:
    from rich.table import Table

    for kind, found in report["tasks"].items():
        table = Table(title=f"{visible(kind)} (n={found['n']})", title_justify="left", box=None, padding=(0, 1, 0, 0))
        table.add_column("", no_wrap=True)
        names = list(next(iter(found["systems"].values())))
        for column in (*names, "p50", "p95"):
            table.add_column(column, no_wrap=True)
        for system, values in found["systems"].items():
            ms = found["ms"][system]
            cells = [_percent(values[name]) for name in names]
            table.add_row(system, *cells, *(f"{ms[at]:.0f} ms" for at in ("p50", "p95")))
        cli.console.print(table)
        for label, values in found["gains"].items():
            parts = (
                f"{name} {100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
                for name, (mean, low, high) in values.items()
            )
            cli.console.print(f"{label}: {', '.join(parts)}", markup=False)
        cli.console.print()
    for system, reasons in report["silent"].items():
        for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1]):
            cli.err.print(f"{system}: {count} times nothing, {visible(reason)}", markup=False)
    here = report["machine"]
    cli.console.print(
        f"{report['model']}, engine {report['engine']}; per cent, 95 % intervals; {report['seconds']:.0f} s; "
        f"{here['cores']} cores, load {here['load']}",
        markup=False,
    )


def _percent(value: tuple[float, float, float]) -> str:
    mean, low, high = (100 * one for one in value)
    return f"{mean:.1f} {low:.0f}–{high:.0f}"
