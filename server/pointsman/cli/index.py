"""`pointsman index`: builds or updates a repository's index, with a progress bar; on request lets the embedder learn
from the repository first."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.common import Cli, existing, json_option, visible
from pointsman.errors import HostError
from pointsman.host.api import (
    AdaptParams,
    AdaptProgress,
    AdaptReport,
    ForgetParams,
    HostApi,
    IndexParams,
    IndexProgress,
    IndexReport,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_STAGES = {
    "read": "reading the repository's examples",
    "embed": "embedding code",
    "questions": "embedding questions",
    "lessons": "embedding lessons",
    "train": "learning",
}


@click.command()
@click.argument("path", default=".")
@click.option(
    "--adapt/--no-adapt",
    "adapt",
    default=None,
    help="Let the embedder learn from this repository first, and keep that if it finds more in files that it did not "
    "learn from; --no-adapt goes back to the embedder as it ships.",
)
@click.option(
    "--minutes", default=3.0, show_default=True, type=click.FloatRange(0.05, 600), help="For --adapt, at most."
)
@click.option("--in-process", is_flag=True, help="Do it in this process, without the user's host.")
@json_option
@click.pass_obj
def index(cli: Cli, path: str, adapt: bool | None, minutes: float, in_process: bool, as_json: bool) -> None:
    """Build or update the index of PATH's repository."""
    report, adapted, removed = asyncio.run(_run(cli, existing(path), adapt, minutes, in_process))
    if as_json:
        value = dataclasses.asdict(report)
        if adapted is not None:
            value["adapted"] = _adapted_json(adapted, report.model)
        cli.emit(value)
        return
    if adapt is False:
        cli.console.print(
            "the embedder is as it ships again" if removed else "the embedder was not adapted here", markup=False
        )
    skipped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in report.skipped.items()) or "none"
    cli.console.print(visible(report.root), style="bold", markup=False)
    cli.console.print(
        f"{report.files} files, {report.chunks} chunks in {report.seconds:.1f} s "
        f"(embedded {report.embedded}, reused {report.reused}; skipped: {skipped}; model {report.model})",
        markup=False,
    )
    if adapted is not None:
        cli.console.print(_verdict(adapted), markup=False)
    if report.note:
        cli.err.print(visible(report.note), markup=False)


async def _run(
    cli: Cli, path: Path, adapt: bool | None, minutes: float, in_process: bool
) -> tuple[IndexReport, AdaptReport | None, bool]:
    """The index's report, what adapting gave, and whether an adaptation was removed."""
    adapted, removed = None, False
    async with cli.services(in_process=in_process) as services:
        if adapt:
            adapted = await _adapt(cli, services.host, path, minutes)
        elif adapt is False:
            removed = (await services.host.forget(ForgetParams(path=str(path)))).removed
        return await update_index(cli, services.host, path), adapted, removed


async def update_index(cli: Cli, host: HostApi, path: Path) -> IndexReport:
    """Bring the index of `path`'s repository up to date, showing progress on stderr while that takes time."""
    with _bar(cli, "index") as (bar, task):
        async with contextlib.aclosing(host.index(IndexParams(path=str(path)))) as stream:
            async for item in stream:
                if isinstance(item, IndexProgress):
                    bar.update(task, description=item.stage, completed=item.done, total=item.total)
                else:
                    return item
    raise HostError("the index ended without a report")


async def _adapt(cli: Cli, host: HostApi, path: Path, minutes: float) -> AdaptReport:
    with _bar(cli, "adapt") as (bar, task):
        async with contextlib.aclosing(host.adapt(AdaptParams(path=str(path), minutes=minutes))) as stream:
            async for item in stream:
                if isinstance(item, AdaptProgress):
                    description = _STAGES.get(item.stage, item.stage)
                    bar.update(task, description=description, completed=item.done, total=item.total or None)
                else:
                    return item
    raise HostError("adapting ended without a report")


@contextlib.contextmanager
def _bar(cli: Cli, description: str) -> Iterator[tuple[Progress, TaskID]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=cli.err, transient=True, disable=not cli.err.is_terminal) as bar:
        yield bar, bar.add_task(description, total=None)


def _adapted_json(adapted: AdaptReport, embedder: str) -> dict[str, Any]:
    return {
        "kept": adapted.kept,
        "pairs": adapted.pairs,
        "kinds": adapted.kinds,
        "held_out": adapted.held_out,
        "mrr@10": {"before": adapted.before, "after": adapted.after},
        "gain": list(adapted.gain),
        "seconds": adapted.seconds,
        "embedder": embedder,
    }


def _verdict(adapted: AdaptReport) -> str:
    mean, low, high = adapted.gain
    figures = (
        f"MRR@10 {adapted.before:.3f} before, {adapted.after:.3f} after; gain {mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    )
    asked = f"{adapted.held_out} questions about files that were held out"
    if adapted.kept:
        return f"adapted from {adapted.pairs} pairs and kept: {figures} on {asked}"
    return f"adapted from {adapted.pairs} pairs and not kept, for it is not surely better: {figures} on {asked}"
