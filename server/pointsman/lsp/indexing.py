"""Keeps the index of each place of the workspace fresh: one update at a time, requests meanwhile become one more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.errors import HostError, PointsmanError
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
    files = None if files is None else list(files)
    for place in server.session.places():
        request_in(server, place, files)


def request_in(server: Server, place: Path, files: Sequence[Path] | None = None) -> None:
    """The same for one place."""
    own = None if files is None else {str(file) for file in files if place in file.parents}
    known = server.stale.get(place, set())
    if own is None or known is None:
        server.stale[place] = None
        server.read.setdefault(place, asyncio.Event())
    elif own:
        server.stale[place] = known | own
    if place in server.stale and not server.is_running(name := f"index {place}"):
        server.spawn(_update_while_stale(server, place), name)


async def until_read(server: Server, root: Path) -> None:
    """Wait, within limits, until what this window indexes of a repository is found by its words."""
    places = [place for place in server.session.places() if place.is_relative_to(root)]
    reading = [event.wait() for place, event in server.read.items() if place in places]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READING_SECONDS):
            await asyncio.gather(*reading)


async def _update_while_stale(server: Server, place: Path) -> None:
    while place in server.stale:
        await asyncio.sleep(_QUIET_SECONDS)
        paths = server.stale.pop(place)
        with contextlib.suppress(PointsmanError):  # the status shows it
            await update(server, place, sorted(paths or ()))


async def update(server: Server, place: Path, paths: Sequence[str] = ()) -> dict[str, Any]:
    """Index one place, or these paths of it, with progress in the editor; returns the report."""
    read = server.read.setdefault(place, asyncio.Event())
    with contextlib.ExitStack() as ending, server.status.working():
        ending.callback(read.set)  # also where it fails: whoever waits hears from the index itself what is wrong
        host = (await server.services()).host
        async with (
            Progress(server, f"Indexing {place.name}") as progress,
            contextlib.aclosing(host.index(IndexParams(path=str(place), paths=tuple(paths)))) as stream,
        ):
            report: IndexReport | None = None
            async for item in stream:
                if isinstance(item, IndexReport):
                    report = item
                elif item.stage == "read":
                    read.set()
                else:
                    progress.report(item.stage, item.done, item.total)
    if report is None:
        raise HostError("the host left before the index was done", remedy="try again")
    plain: dict[str, Any] = to_plain(report)
    return plain
