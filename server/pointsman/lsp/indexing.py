"""Keeps the index of each folder of the workspace fresh: one update at a time, requests meanwhile become one more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.errors import PointsmanError
from pointsman.host.api import IndexParams, IndexReport
from pointsman.host.wire import to_plain
from pointsman.lsp.progress import Progress

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_QUIET_SECONDS = 0.3
"""A save of many files, or a checkout, arrives as a burst: wait until it is over."""

_READING_SECONDS = 30.0
"""So long waits a question at most: larger repositories answer from what is read by then, and say so."""


def is_automatic(server: Server) -> bool:
    """`initializationOptions.index.automatic`, true unless the user switched it off."""
    index = server.options.get("index")
    return not (isinstance(index, dict) and index.get("automatic") is False)


def request(server: Server, files: Iterable[Path] | None = None) -> None:
    """Bring the indexes up to date soon: with these files, or with everything."""
    for folder in server.session.folders:
        own = None if files is None else {str(file) for file in files if file != folder and file.is_relative_to(folder)}
        known = server.stale.get(folder, set())
        if own is None or known is None:
            server.stale[folder] = None
            server.read.setdefault(folder, asyncio.Event())
        elif own:
            server.stale[folder] = known | own
        if folder in server.stale and not server.is_running(name := f"index {folder}"):
            server.spawn(_update_while_stale(server, folder), name)


async def until_read(server: Server, root: Path) -> None:
    """Wait, within limits, until what this window indexes of a repository is found by its words."""
    reading = [
        event.wait()
        for folder, event in server.read.items()
        if folder in server.session.folders and (folder.is_relative_to(root) or root.is_relative_to(folder))
    ]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*reading), _READING_SECONDS)


async def _update_while_stale(server: Server, folder: Path) -> None:
    while folder in server.stale:
        await asyncio.sleep(_QUIET_SECONDS)
        paths = server.stale.pop(folder)
        with contextlib.suppress(PointsmanError):  # the status shows it
            await update(server, folder, sorted(paths or ()))


async def update(server: Server, folder: Path, paths: Sequence[str] = ()) -> dict[str, Any]:
    """Index one folder, or these paths of it, with progress in the editor; returns the report."""
    read = server.read.setdefault(folder, asyncio.Event())
    with contextlib.ExitStack() as ending, server.status.working():
        ending.callback(read.set)  # also where it fails: whoever waits hears from the index itself what is wrong
        host = (await server.services()).host
        async with (
            Progress(server, f"Indexing {folder.name}") as progress,
            contextlib.aclosing(host.index(IndexParams(path=str(folder), paths=tuple(paths)))) as stream,
        ):
            report: IndexReport | None = None
            async for item in stream:
                if isinstance(item, IndexReport):
                    report = item
                elif item.stage == "read":
                    read.set()
                else:
                    await progress.report(item.stage, item.done, item.total)
    plain: dict[str, Any] = to_plain(report)
    return plain
