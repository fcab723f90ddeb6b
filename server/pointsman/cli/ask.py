"""`pointsman ask`: a cited answer about a repository, streamed on a terminal."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from typing import get_args

import click

from pointsman.chat.types import Answer, Question
from pointsman.cli.common import Cli, existing, in_line, json_option, visible
from pointsman.cli.index import update_index
from pointsman.cli.outgoing import show_preview, show_receipt, unapproved
from pointsman.host.api import IndexParams
from pointsman.routed import Target


@click.command()
@click.argument("question")
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@click.option("--target", type=click.Choice(get_args(Target)), default="auto", show_default=True, help="Who answers.")
@click.option("--dry-run", is_flag=True, help="Show the route and the exact outgoing body; send nothing.")
@click.option("--approve", metavar="SHA256", default="", help="Approve the outgoing body that --dry-run showed.")
@json_option
@click.pass_obj
def ask(cli: Cli, question: str, path: str, target: Target, dry_run: bool, approve: str, as_json: bool) -> None:
    """Answer QUESTION from the repository's code, with its sources."""
    from pointsman_indexer import find_root

    asked = Question(
        text=question,
        root=find_root(existing(path)),
        target=target,
        dry_run=dry_run,
        approved_sha256=approve,
    )
    answer = asyncio.run(_run(cli, asked, stream=not as_json and sys.stderr.isatty()))
    if as_json:
        cli.emit(dataclasses.asdict(answer))
    else:
        _show(cli, answer)
    if answer.preview and not dry_run:
        raise unapproved(answer.preview_sha256)


def _show(cli: Cli, answer: Answer) -> None:
    route = answer.route
    by = f"{route.model} at {route.endpoint}" if route.endpoint else route.model or "no model"
    told = f"({route.target}): {visible(route.reason)}"
    if answer.preview:
        cli.err.print(f"route: {by} {told}", markup=False)
        show_preview(cli, answer.preview, answer.preview_sha256, answer.redactions, answer.marks)
        return
    cli.console.print(visible(answer.answer), markup=False)
    for citation in answer.citations:
        place = f"{citation.path}:{citation.start_line}-{citation.end_line}"
        cli.console.print(f"[{citation.n}] {in_line(place)}  {in_line(citation.symbol)}", style="dim", markup=False)
    cli.err.print(f"answered by {by} {told}", style="dim", markup=False)
    if answer.receipt is not None:
        show_receipt(cli, answer.receipt)
    if answer.note:
        cli.err.print(visible(answer.note), markup=False)


async def _run(cli: Cli, question: Question, *, stream: bool) -> Answer:
    """What the model writes streams on stderr; the checked answer is what stdout gets."""

    def show(delta: str) -> None:
        if stream:
            cli.err.print(visible(delta), end="", style="dim", markup=False)

    async with cli.services() as services:
        await update_index(cli, services.host, IndexParams(path=str(question.root)))
        answer = await services.asker.ask(question, show)
        show("\n\n")
        return answer
