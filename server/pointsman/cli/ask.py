"""`pointsman ask`: a cited answer about a repository, streamed on a terminal."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from pathlib import Path

import click

from pointsman.chat.types import Answer, Question
from pointsman.cli.common import Cli, existing, json_option, visible
from pointsman.cli.index import update_index
from pointsman.host.api import IndexParams


@click.command()
@click.argument("question")
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@json_option
@click.pass_obj
def ask(cli: Cli, question: str, path: str, as_json: bool) -> None:
    """Answer QUESTION from the repository's code, with its sources."""
    answer = asyncio.run(_run(cli, question, existing(path), stream=not as_json and sys.stderr.isatty()))
    if as_json:
        cli.emit(dataclasses.asdict(answer))
        return
    cli.console.print(visible(answer.answer), markup=False)
    for citation in answer.citations:
        place = f"{citation.path}:{citation.start_line}-{citation.end_line}"
        cli.console.print(f"[{citation.n}] {visible(place)}  {visible(citation.symbol)}", style="dim", markup=False)
    route = answer.route
    cli.err.print(f"answered by {route.model} ({route.target}): {visible(route.reason)}", style="dim", markup=False)


async def _run(cli: Cli, text: str, path: Path, *, stream: bool) -> Answer:
    """The draft streams on stderr as the model writes it; the checked answer is what stdout gets."""
    from pointsman_indexer import find_root

    def show(delta: str) -> None:
        if stream:
            cli.err.print(visible(delta), end="", style="dim", markup=False)

    async with cli.services() as services:
        await update_index(cli, services.host, IndexParams(path=str(path)))
        answer = await services.asker.ask(Question(text=text, root=find_root(path)), show)
        show("\n\n")
        return answer
