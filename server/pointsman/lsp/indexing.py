"""Keeps the index of the workspace's folders fresh: one update at a time, requests meanwhile become one more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.errors import PointsmanError
from pointsman.host.api import IndexParams, IndexProgress, IndexReport
from pointsman.host.wire import to_plain
from pointsman.lsp.progress import Progress

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_QUIET_SECONDS = 0.3
"""A save of many files, or a checkout, arrives as a burst: wait until it is over."""

_NAME = "index the workspace"


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
        elif own:
            server.stale[folder] = known | own
    if server.stale and not server.is_running(_NAME):
        server.spawn(_update_while_stale(server), _NAME)


async def _update_while_stale(server: Server) -> None:
    while server.stale:
        await asyncio.sleep(_QUIET_SECONDS)
        stale, server.stale = server.stale, {}
        for folder, paths in stale.items():
            try:
                await update(server, folder, sorted(paths or ()))
            except PointsmanError:
                continue  # the status shows it; the other folders are not to blame


async def update(server: Server, folder: Path, paths: Sequence[str] = ()) -> dict[str, Any]:
    """Index one folder, or these paths of it, with progress in the editor; returns the report."""
    with server.status.working():
        host = (await server.services()).host
        async with (
            Progress(server, f"Indexing {folder.name}") as progress,
            contextlib.aclosing(host.index(IndexParams(path=str(folder), paths=tuple(paths)))) as stream,
        ):
            report: IndexReport | None = None
            async for item in stream:
                if isinstance(item, IndexProgress):
                    await progress.report(item.stage, item.done, item.total)
                else:
                    report = item
    plain: dict[str, Any] = to_plain(report)
    return plain
