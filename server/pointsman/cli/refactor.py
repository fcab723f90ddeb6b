"""`pointsman refactor`: changes code by instruction; a diff on stdout, written only with `--apply`."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import sys
from pathlib import Path
from typing import Any, get_args

import click

from pointsman.cli.common import Cli, existing, json_option, parse_range, visible
from pointsman.cli.outgoing import show_preview, show_receipt, unapproved
from pointsman.errors import NotFound, PointsmanError, UsageError
from pointsman.ondisk import snapshot_of
from pointsman.refactor.journal import recover
from pointsman.refactor.testplace import asking_for_tests, file_for_tests, with_tests
from pointsman.refactor.types import Part, Refactoring, RefactorQuery
from pointsman.routed import Target


@click.command()
@click.argument("places", metavar="FILE[:START[-END]|:SYMBOL]...", nargs=-1, required=True)
@click.argument("instruction")
@click.option("--new", "creates", metavar="FILE", multiple=True, help="A file that may be made; may be repeated.")
@click.option("--tests", is_flag=True, help="Write tests of the lines, which stay, into the file where they belong.")
@click.option("--target", type=click.Choice(get_args(Target)), default="auto", show_default=True, help="Who does it.")
@click.option("--apply", "write", is_flag=True, help="Write the change after the same checks.")
@click.option("--dry-run", is_flag=True, help="Show the route and the exact outgoing body; send nothing.")
@click.option("--approve", metavar="SHA256", default="", help="Approve the outgoing body that --dry-run showed.")
@json_option
@click.pass_obj
def refactor(
    cli: Cli,
    places: tuple[str, ...],
    instruction: str,
    creates: tuple[str, ...],
    tests: bool,
    target: Target,
    write: bool,
    dry_run: bool,
    approve: str,
    as_json: bool,
) -> None:
    """Change one or several FILEs by INSTRUCTION, the last argument.

    Lines are 1-based and inclusive, a symbol is a name or the end of a qualified one, such as Cart.add. Without either
    the whole file may change.
    """
    _recover(cli)  # before a file is read
    parts = tuple(_part(place) for place in places)
    made = tuple(_below(parts[0].snapshot.root, path) for path in creates)
    if tests:
        if len(parts) != 1 or made:
            raise UsageError("--tests takes one place, and finds the file for the tests itself")
        file = file_for_tests(parts[0])
        parts, made = with_tests(parts[0], file, snapshot_of(file) if file.exists() else None)
        instruction = asking_for_tests(instruction)
    query = RefactorQuery(
        parts=parts,
        creates=made,
        instruction=instruction,
        target=target,
        dry_run=dry_run,
        approved_sha256=approve,
    )
    result = asyncio.run(_run(cli, query))
    failed: PointsmanError | None = None
    if not result.edits and not result.preview:
        failed = PointsmanError(f"nothing {'to apply' if write else 'changes'}: {_why(result)}")
    elif write and not dry_run and not result.preview:
        try:
            result = _apply(cli, result, query)
        except PointsmanError as error:
            failed = error  # what the model made is shown all the same: it may not come back like this
    if as_json:
        cli.emit(_plain(result))
    else:
        _show(cli, result, dry_run)
    if failed is not None:
        raise failed
    if result.preview and not dry_run:
        raise unapproved(result.preview_sha256)


def _recover(cli: Cli) -> None:
    """Finish what an interrupted `--apply` left. Raises `PointsmanError` when it cannot be looked at."""
    try:
        told = recover(cli.paths.applying)
    except OSError as error:
        raise PointsmanError(
            f"what an interrupted --apply left in {cli.paths.applying} cannot be looked at: {error.strerror}"
        ) from error
    for line in told:
        cli.err.print(visible(line), style="yellow", markup=False)


def _part(place: str) -> Part:
    """The lines of FILE:START-END, of FILE:SYMBOL, or of the whole FILE."""
    named = re.fullmatch(r"(.+):([^\W\d][\w.]*)", place)
    if named is None or Path(place).exists():
        path, start, end = parse_range(place)
        return Part(snapshot=snapshot_of(path), start_line=start, end_line=sys.maxsize if end is None else end)
    from pointsman_indexer.parse import parse

    snapshot = snapshot_of(existing(named[1]))
    symbols = parse(snapshot.text.encode("utf-8", "replace"), snapshot.language).symbols
    found = [one for one in symbols if one.is_called(named[2])]
    exact = [one for one in found if one.qualified == named[2]] or found
    if not exact:
        raise NotFound(f"{named[1]} has no definition {named[2]}", remedy="name lines, as in FILE:10-20")
    if len(exact) > 1:
        where = ", ".join(f"{one.qualified} in line {one.start_line}" for one in exact[:5])
        raise UsageError(f"{named[2]} is defined more than once: {where}", remedy="name lines, as in FILE:10-20")
    return Part(snapshot=snapshot, start_line=exact[0].start_line, end_line=exact[0].end_line)


def _below(root: Path | None, path: str) -> str:
    """A path as the user names it, from the current folder, as the repository does."""
    file = Path(path).expanduser().absolute()
    for one in (file, file.parent.resolve() / file.name):
        if root is not None and one.is_relative_to(root):
            return one.relative_to(root).as_posix()
    raise UsageError(f"{path} lies outside the repository of the files to change")


async def _run(cli: Cli, query: RefactorQuery) -> Refactoring:
    async with cli.services() as services:
        return await services.refactorer.refactor(query)


def _apply(cli: Cli, result: Refactoring, query: RefactorQuery) -> Refactoring:
    from pointsman.refactor.apply import apply

    if not result.checks.passed:
        raise PointsmanError(f"not applied: {_failures(result)}")
    root = query.parts[0].snapshot.root
    assert root is not None  # a file on disk always has one
    apply(result.edits, root, cli.paths.applying)
    return dataclasses.replace(result, applied=True)


def _why(result: Refactoring) -> str:
    """Why nothing came of it, in one line."""
    return " ".join(result.note.split()).rstrip(".") or "no change came back"


def _failures(result: Refactoring) -> str:
    return "; ".join(result.checks.failures())


def _plain(result: Refactoring) -> dict[str, Any]:
    plain = dataclasses.asdict(result)
    for edit in plain["edits"]:
        del edit["new_text"]
    return plain


def _show(cli: Cli, result: Refactoring, dry_run: bool) -> None:
    if not result.edits and not result.preview:  # the error says why; here is what left for nothing
        _receipts(cli, result)
        return
    route = result.route
    where = f"{route.target} {route.endpoint}".strip()
    cli.err.print(f"route: {where}, {route.model or 'no model'}: {visible(route.reason)}", markup=False)
    if dry_run or (result.preview and not result.edits):
        show_preview(cli, result.preview, result.preview_sha256, result.redactions, result.marks)
        return
    if result.diff:
        cli.code(result.diff, lambda line: {"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    _receipts(cli, result)
    if result.note:
        cli.err.print(visible(result.note), markup=False)
    if result.edits and not result.checks.passed:
        cli.err.print(f"checks: {_failures(result)}", style="yellow", markup=False)
    if result.applied:
        cli.err.print("applied", style="green")


def _receipts(cli: Cli, result: Refactoring) -> None:
    for receipt in (result.first_receipt, result.receipt):
        if receipt is not None:
            show_receipt(cli, receipt)
