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

_NOTES = {"as_text": "as plain text, too much for their grammar", "invalid_utf8": "with bytes that are no UTF-8"}


@click.command()
@click.argument("path", default=".")
@click.option("--export", "export_to", default="", metavar="FILE", help="Write it to a snapshot afterwards.")
@click.option("--import", "import_from", default="", metavar="FILE", help="Take over from a snapshot before.")
@click.option("--in-process", is_flag=True, help="Do it in this process, without the user's host.")
@json_option
@click.pass_obj
def index(cli: Cli, path: str, export_to: str, import_from: str, in_process: bool, as_json: bool) -> None:
    """Build or update the index of PATH's repository.

    A snapshot spares others the parsing and embedding: a file is taken over when it is the same on both sides, and the
    rest is done here. It holds names, signatures and vectors: share it with those who may read the code, and import
    only from those whose judgement of what is relevant you would take.
    """
    params = IndexParams(
        path=str(existing(path)),
        import_from=str(existing(import_from)) if import_from else "",
        export_to=str(_writable(export_to)) if export_to else "",
    )
    report = asyncio.run(_run(cli, params, in_process))
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
    if notes := ", ".join(f"{count} {_NOTES.get(note, note)}" for note, count in report.notes.items()):
        cli.console.print(f"indexed, but not as they stand: {notes}", markup=False)
    if import_from:
        cli.console.print(f"{report.imported} files taken over from {visible(import_from)}", markup=False)
    if export_to:
        cli.console.print(f"{report.exported} files written to {visible(export_to)}", markup=False)


def _writable(file: str) -> Path:
    """An absolute path in a folder that exists and is no folder itself: known before minutes of work."""
    target = Path(file).expanduser().absolute()
    existing(str(target.parent))
    if target.is_dir():
        raise click.BadParameter(f"{visible(file)} is a folder", param_hint="--export")
    return target


async def _run(cli: Cli, params: IndexParams, in_process: bool) -> IndexReport:
    async with cli.services(in_process=in_process) as services:
        return await update_index(cli, services.host, params)


async def update_index(cli: Cli, host: HostApi, params: IndexParams) -> IndexReport:
    """Bring a repository's index up to date, showing progress on stderr while that takes time."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=cli.err, transient=True, disable=not cli.err.is_terminal) as bar:
        task = bar.add_task("index", total=None)
        async with contextlib.aclosing(host.index(params)) as stream:
            async for item in stream:
                if isinstance(item, IndexProgress):
                    bar.update(task, description=item.stage, completed=item.done, total=item.total)
                else:
                    return item
    raise HostError("the index ended without a report")
