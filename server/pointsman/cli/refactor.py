"""`pointsman refactor`: changes code by instruction; a diff on stdout, written only with `--apply`."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any, get_args

import click

from pointsman.cli.common import Cli, json_option, parse_range, visible
from pointsman.cli.documents import snapshot_of
from pointsman.errors import PointsmanError, PolicyRefusal
from pointsman.lsp.positions import Lines
from pointsman.refactor.journal import recover
from pointsman.refactor.types import Receipt, Refactoring, RefactorQuery, Target


@click.command()
@click.argument("place", metavar="FILE[:START[-END]]")
@click.argument("instruction")
@click.option("--target", type=click.Choice(get_args(Target)), default="auto", show_default=True, help="Who does it.")
@click.option("--apply", "write", is_flag=True, help="Write the change after the same checks.")
@click.option("--dry-run", is_flag=True, help="Show the route and the exact outgoing body; send nothing.")
@click.option("--approve", metavar="SHA256", default="", help="Approve the outgoing body that --dry-run showed.")
@json_option
@click.pass_obj
def refactor(
    cli: Cli, place: str, instruction: str, target: Target, write: bool, dry_run: bool, approve: str, as_json: bool
) -> None:
    """Change FILE by INSTRUCTION; lines are 1-based and inclusive."""
    for line in recover(cli.paths.applying):  # before the file is read
        cli.err.print(visible(line), style="yellow", markup=False)
    path, start, end = parse_range(place)
    snapshot = snapshot_of(path)
    last = end if end is not None else len(Lines(snapshot.text))
    query = RefactorQuery(
        snapshot=snapshot,
        instruction=instruction,
        start_line=start,
        end_line=last,
        target=target,
        dry_run=dry_run,
        approved_sha256=approve,
    )
    result = asyncio.run(_run(cli, query))
    if write and not dry_run and not result.preview:
        result = _apply(cli, result, query)
    if as_json:
        cli.emit(_plain(result))
    else:
        _show(cli, result, dry_run)
    if result.preview and not dry_run:
        raise PolicyRefusal(
            "nothing was sent: policy wants this body approved first",
            rule="review.outbound",
            remedy=f"run it again with --approve {result.preview_sha256}",
        )


async def _run(cli: Cli, query: RefactorQuery) -> Refactoring:
    async with cli.services() as services:
        return await services.refactorer.refactor(query)


def _apply(cli: Cli, result: Refactoring, query: RefactorQuery) -> Refactoring:
    from pointsman.refactor.apply import apply

    if not result.edits:
        raise PointsmanError(f"nothing to apply: {result.note or 'no change came back'}")
    if not result.checks.passed:
        raise PointsmanError(f"not applied: {_failures(result)}", remedy="run without --apply to see the diff")
    assert query.snapshot.root is not None  # a file on disk always has one
    apply(result.edits, query.snapshot.root, cli.paths.applying)
    return dataclasses.replace(result, applied=True)


def _receipt(receipt: Receipt) -> str:
    redacted = f"{len(receipt.redacted)} redactions ({', '.join(sorted(set(receipt.redacted)))})"
    return (
        f"receipt {receipt.record_id}: {', '.join(receipt.spans)} to {receipt.endpoint} by {receipt.rule}; "
        f"{redacted if receipt.redacted else 'nothing to redact'}; {receipt.input_tokens} tokens in, "
        f"{receipt.output_tokens} out, {receipt.usd:.4f} USD"
    )


def _failures(result: Refactoring) -> str:
    return "; ".join(result.checks.failures())


def _plain(result: Refactoring) -> dict[str, Any]:
    plain = dataclasses.asdict(result)
    for edit in plain["edits"]:
        del edit["new_text"]
    return plain


def _show(cli: Cli, result: Refactoring, dry_run: bool) -> None:
    route = result.route
    where = f"{route.target} {route.endpoint}".strip()
    cli.err.print(f"route: {where}, {route.model or 'no model'}: {visible(route.reason)}", markup=False)
    if dry_run or (result.preview and not result.edits):
        cli.code(result.preview)
        for mark in result.marks:
            cli.err.print(visible(f"redacted {mark}"), markup=False)
        body = f"sha256 {result.preview_sha256}, {result.redactions} redactions; " if result.preview_sha256 else ""
        cli.err.print(f"{body}nothing was sent", markup=False)
        return
    if result.diff:
        cli.code(result.diff, lambda line: {"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    for receipt in (result.first_receipt, result.receipt):
        if receipt is not None:
            cli.err.print(visible(_receipt(receipt)), markup=False)
    if result.note:
        cli.err.print(visible(result.note), markup=False)
    if result.edits and not result.checks.passed:
        cli.err.print(f"checks: {_failures(result)}", style="yellow", markup=False)
    if result.applied:
        cli.err.print("applied", style="green")
