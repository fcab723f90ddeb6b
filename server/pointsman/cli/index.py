"""`pointsman index`: builds or updates a repository's index, with a progress bar."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from pathlib import Path

import click

from pointsman.cli.common import Cli, existing, json_option, visible
from pointsman.errors import HostError
from pointsman.host.api import HostApi, IndexParams, IndexProgress, IndexReport


@click.command()
@click.argument("path", default=".")
@click.option("--in-process", is_flag=True, help="Do it in this process, without the user's host.")
@json_option
@click.pass_obj
def index(cli: Cli, path: str, in_process: bool, as_json: bool) -> None:
    """Build or update the index of PATH's repository."""
    report = asyncio.run(_run(cli, existing(path), in_process))
    if as_json:
        cli.emit(dataclasses.asdict(report))
        return
    skipped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in report.skipped.items()) or "none"
    cli.console.print(visible(report.root), style="bold", markup=False)
    cli.console.print(
        f"{report.files} files, {report.chunks} chunks in {report.seconds:.1f} s "
        f"(embedded {report.embedded}, reused {report.reused}; skipped: {skipped}; model {report.model})",
        markup=False,
    )


async def _run(cli: Cli, path: Path, in_process: bool) -> IndexReport:
    async with cli.services(in_process=in_process) as services:
        return await update_index(cli, services.host, path)


async def update_index(cli: Cli, host: HostApi, path: Path) -> IndexReport:
    """Bring the index of `path`'s repository up to date, showing progress on stderr while that takes time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=cli.err, transient=True, disable=not cli.err.is_terminal) as bar:
        task = bar.add_task("index", total=None)
        async with contextlib.aclosing(host.index(IndexParams(path=str(path)))) as stream:
            async for item in stream:
                if isinstance(item, IndexProgress):
                    bar.update(task, description=item.stage, completed=item.done, total=item.total)
                else:
                    return item
    raise HostError("the index ended without a report")
