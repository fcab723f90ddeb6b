"""`pointsman search`: hybrid search over a repository."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import click

from pointsman.cli.common import Cli, existing, in_line, json_option, visible
from pointsman.cli.index import update_index
from pointsman.errors import UsageError
from pointsman.host.api import IndexParams, SearchParams, SearchReply
from pointsman_indexer.languages import LANGUAGES, languages_called


@click.command()
@click.argument("query")
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@click.option("-k", "count", default=10, type=click.IntRange(1, 100), show_default=True, help="How many hits.")
@click.option("--lang", default="", help="Only this language: `python` or `py`.")
@json_option
@click.pass_obj
def search(cli: Cli, query: str, path: str, count: int, lang: str, as_json: bool) -> None:
    """Find code by words, names or meaning. Brings the index up to date first.

    For a question ("where are cookies parsed?") the best hits are read beside it, which takes some tenths of a second
    and finds more.
    """
    if lang and not languages_called(lang):
        raise UsageError(f"no language is called {lang!r}", remedy=f"one of {', '.join(LANGUAGES)}")
    reply = asyncio.run(_run(cli, query, existing(path), count, lang))
    if as_json:
        cli.emit({"query": query, "hits": [dataclasses.asdict(hit) for hit in reply.hits], "note": reply.note})
        return
    if reply.note:
        cli.err.print(reply.note, markup=False)
    for hit in reply.hits:
        stale = "" if hit.fresh else "  (stale)"
        cli.console.print(
            f"{in_line(hit.path)}:{hit.start_line}-{hit.end_line}  {in_line(hit.symbol)}  {hit.score:.3f}{stale}",
            style="bold",
            markup=False,
        )
        for line in hit.text.splitlines()[:6]:
            cli.console.print(f"    {visible(line)}", markup=False)
    if not reply.hits:
        cli.err.print("nothing found")


async def _run(cli: Cli, query: str, path: Path, count: int, language: str) -> SearchReply:
    async with cli.services() as services:
        await update_index(cli, services.host, IndexParams(path=str(path)))
        params = SearchParams(path=str(path), query=query, k=count, language=language, closely="questions")
        return await services.host.search(params)
