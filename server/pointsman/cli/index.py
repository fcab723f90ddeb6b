"""`pointsman index`: builds or updates a repository's index, with a progress bar.

On request it first lets the embedder learn from the repository, or takes over from a snapshot, or writes one.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shlex
from collections.abc import AsyncGenerator
from pathlib import Path

import click
from click.core import ParameterSource

from pointsman.cli.adapting import adapt_embedder, as_object, verdict
from pointsman.cli.common import Cli, bar_of, existing, in_line, json_option, visible
from pointsman.errors import HostError, UsageError
from pointsman.host.api import AdaptReport, ForgetParams, HostApi, IndexParams, IndexProgress, IndexReport
from pointsman_indexer import find_root
from pointsman_indexer.files import is_repository

_SURPRISING, _FEW = ("too_large", "unreadable"), 5
_NOTES = {"as_text": "as plain text, too much for their grammar", "invalid_utf8": "with bytes that are no UTF-8"}


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
@click.option("--export", "export_to", default="", metavar="FILE", help="Write it to a snapshot afterwards.")
@click.option("--import", "import_from", default="", metavar="FILE", help="Take over from a snapshot before.")
@click.option("--in-process", is_flag=True, help="Do it in this process, without the user's host.")
@json_option
@click.pass_obj
def index(
    cli: Cli,
    path: str,
    adapt: bool | None,
    minutes: float,
    export_to: str,
    import_from: str,
    in_process: bool,
    as_json: bool,
) -> None:
    """Build or update the index of PATH's repository. With -v it names the files that it skips.

    A snapshot spares others the parsing and embedding: a file is taken over when it is the same on both sides, and the
    rest is done here. It holds names, signatures and vectors: share it with those who may read the code, and import
    only from those whose judgement of what is relevant you would take.
    """
    params = IndexParams(
        path=str(existing(path)),
        import_from=str(existing(import_from)) if import_from else "",
        export_to=str(_writable(export_to)) if export_to else "",
    )
    report, adapted, removed = asyncio.run(_run(cli, params, adapt, minutes, in_process))
    if as_json:
        value = dataclasses.asdict(report)
        if adapted is not None:
            value["adapted"] = as_object(adapted, report.model)
        cli.emit(value)
        return
    if adapt is False:
        cli.console.print(
            "the embedder is as it ships again" if removed else "the embedder was not adapted here", markup=False
        )
    _show(cli, report)
    _show_skipped(cli, report)
    if adapted is not None:
        cli.console.print(verdict(adapted), markup=False)
    if report.note:
        cli.err.print(visible(report.note), markup=False)
    if import_from:
        cli.console.print(f"{report.imported} files taken over from {visible(import_from)}", markup=False)
    if export_to:
        cli.console.print(f"{report.exported} files written to {visible(export_to)}", markup=False)


def _show(cli: Cli, report: IndexReport) -> None:
    skipped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in report.skipped.items()) or "none"
    cli.console.print(visible(report.root), style="bold", markup=False)
    cli.console.print(
        f"{report.files} files, {report.chunks} chunks in {report.seconds:.1f} s "
        f"(embedded {report.embedded}, reused {report.reused}; skipped: {skipped}; model {report.model})",
        markup=False,
    )
    if notes := ", ".join(f"{count} {_NOTES.get(note, note)}" for note, count in report.notes.items()):
        cli.console.print(f"indexed, but not as they stand: {notes}", markup=False)


def _show_skipped(cli: Cli, report: IndexReport) -> None:
    """With `-v` the paths that are known of each reason; without, those few that a user would have expected to find."""
    for reason, paths in report.skipped_paths.items():
        if not (cli.verbose or (reason in _SURPRISING and report.skipped.get(reason, 0) <= _FEW)):
            continue
        for path in paths:
            cli.console.print(f"skipped, {reason.replace('_', ' ')}: {in_line(path)}", markup=False)
        if (more := report.skipped.get(reason, 0) - len(paths)) > 0:
            cli.console.print(f"skipped, {reason.replace('_', ' ')}: and {more} more", markup=False)


def _writable(file: str) -> Path:
    """An absolute path in a folder that exists and is no folder itself: known before minutes of work."""
    target = Path(file).expanduser().absolute()
    existing(str(target.parent))
    if target.is_dir():
        raise click.BadParameter(f"{visible(file)} is a folder", param_hint="--export")
    return target


async def _run(
    cli: Cli, params: IndexParams, adapt: bool | None, minutes: float, in_process: bool
) -> tuple[IndexReport, AdaptReport | None, bool]:
    """The index's report, what adapting gave, and whether an adaptation was removed."""
    adapted, removed = None, False
    async with cli.services(in_process=in_process) as services:
        if adapt:
            adapted = await adapt_embedder(cli, services.host, params.path, minutes)
        elif adapt is False:
            removed = (await services.host.forget(ForgetParams(path=params.path))).removed
        return await update_index(cli, services.host, params), adapted, removed


async def update_index(cli: Cli, host: HostApi, params: IndexParams) -> IndexReport:
    """Bring a repository's index up to date, showing progress on stderr while that takes time.

    Raises `UsageError` as `check_folder` does.
    """
    check_folder(cli, Path(params.path))
    async with contextlib.aclosing(_shown(cli, host, params)) as stream:
        async for item in stream:
            if isinstance(item, IndexReport):
                return item
    raise HostError("the index ended without a report")


async def read_index(cli: Cli, host: HostApi, path: Path) -> None:
    """As far as names, words and syntax go, and no further: vectors of a large repository take minutes.

    Raises `UsageError` as `check_folder` does.
    """
    check_folder(cli, path)
    async with contextlib.aclosing(_shown(cli, host, IndexParams(path=str(path)))) as stream:
        async for item in stream:
            if isinstance(item, IndexProgress) and item.stage == "read":
                return


def check_folder(cli: Cli, path: Path) -> None:
    """Outside of a repository the whole folder is taken: say so, unless the user named that very folder.

    Raises `UsageError` for a home or a folder around it, as `/`, that was not named: nobody means all of it.
    """
    root = find_root(path)
    if is_repository(root) or _is_named(root):
        return
    real, home = root.resolve(), os.path.realpath(os.path.expanduser("~"))  # noqa: PTH111 - there may be no home
    if real == Path(real.anchor) or Path(home).is_relative_to(real):
        raise UsageError(
            f"{root} is no repository, and all of it would be indexed",
            remedy=f"go into one, or name it: {_naming(root)}",
        )
    cli.err.print(f"no repository here: the whole folder {visible(str(root))} is taken", style="dim", markup=False)


def _is_named(folder: Path) -> bool:
    """Whether the command line that runs says this very folder, be it as `.`."""
    ctx = click.get_current_context(silent=True)
    if ctx is None or ctx.get_parameter_source("path") is not ParameterSource.COMMANDLINE:
        return False
    return Path(str(ctx.params["path"])).expanduser().resolve() == folder.resolve()


def _naming(folder: Path) -> str:
    ctx = click.get_current_context(silent=True)
    options = () if ctx is None else (name for one in ctx.command.params if one.name == "path" for name in one.opts)
    return " ".join((*(name for name in options if name.startswith("-")), shlex.quote(str(folder))))


async def _shown(cli: Cli, host: HostApi, params: IndexParams) -> AsyncGenerator[IndexProgress | IndexReport, None]:
    with bar_of(cli, "index") as (bar, task):
        async with contextlib.aclosing(host.index(params)) as stream:
            async for item in stream:
                if isinstance(item, IndexProgress):
                    bar.update(task, description=item.stage, completed=item.done, total=item.total)
                yield item
