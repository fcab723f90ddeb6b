"""`pointsman outline`: the map of a repository under a token budget."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from pointsman.cli.common import Cli, existing, json_option
from pointsman.cli.index import read_index
from pointsman.errors import NotFound
from pointsman.host.api import Nothing, OutlineParams, OutlineReply
from pointsman_indexer import find_root


@click.command()
@click.argument("path", default=".")
@click.option("--budget", default=1000, type=click.IntRange(50, 100_000), show_default=True, help="Tokens, about.")
@click.option("--focus", multiple=True, help="A file at hand: what it leans on comes first. May be repeated.")
@click.option("--query", default="", help="Names that matter now.")
@json_option
@click.pass_obj
def outline(cli: Cli, path: str, budget: int, focus: tuple[str, ...], query: str, as_json: bool) -> None:
    """The definitions that PATH's repository leans on most, then its others, outer ones first, as the budget allows.

    Brings the index up to date first.
    """
    target = existing(path)
    root = find_root(target).resolve()
    try:
        relative = tuple(existing(file).resolve().relative_to(root).as_posix() for file in focus)
    except ValueError as error:
        raise NotFound(f"a file in focus is not in {root.name}") from error
    params = OutlineParams(path=str(target), budget=budget, focus=relative, query=query)
    reply, files = asyncio.run(_run(cli, target, params))
    if as_json:
        cli.emit({"root": reply.root, "text": reply.text})
    elif reply.text:
        cli.code(reply.text)
    elif files:
        cli.err.print(f"nothing to list is defined here (files indexed: {files})", markup=False)
    else:
        cli.err.print("nothing is indexed here", markup=False)


async def _run(cli: Cli, path: Path, params: OutlineParams) -> tuple[OutlineReply, int]:
    """The map, and how many files the index has."""
    async with cli.services() as services:
        await read_index(cli, services.host, path)
        reply = await services.host.outline(params)
        indexes = (await services.host.status(Nothing())).indexes
        return reply, next((state.files for state in indexes if state.root == reply.root), 0)
