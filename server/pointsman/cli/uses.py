"""`pointsman uses`: where a function, a class or a method is used."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import click

from pointsman.cli.common import Cli, existing, in_line, json_option
from pointsman.cli.index import read_index
from pointsman.errors import NotFound
from pointsman.host.api import UsesParams, UsesReply


@click.command()
@click.argument("symbol")
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@json_option
@click.pass_obj
def uses(cli: Cli, symbol: str, path: str, as_json: bool) -> None:
    """Where SYMBOL is used: a name, or the end of a qualified one such as Cart.add. Brings the index up to date first.

    Uses that the imports and scopes prove come first; the others only share the name.
    """
    reply = asyncio.run(_run(cli, existing(path), symbol))
    if not reply.definitions:
        raise NotFound(f"nothing here is called {symbol}")
    if as_json:
        cli.emit(
            {
                "symbol": symbol,
                "definitions": [dataclasses.asdict(place) for place in reply.definitions],
                "uses": [dataclasses.asdict(place) for place in reply.uses],
                "note": reply.note,
            }
        )
        return
    if reply.note:
        cli.err.print(reply.note, markup=False)
    for place in reply.definitions:
        cli.console.print(
            f"{in_line(place.path)}:{place.line}  {place.kind} {in_line(place.symbol)}", style="bold", markup=False
        )
    for place in reply.uses:
        guess = "  (by name)" if place.confidence == "by name" else ""
        cli.console.print(f"  {in_line(place.path)}:{place.line}  {in_line(place.symbol)}{guess}", markup=False)


async def _run(cli: Cli, path: Path, symbol: str) -> UsesReply:
    async with cli.services() as services:
        await read_index(cli, services.host, path)
        return await services.host.uses(UsesParams(path=str(path), symbol=symbol))
