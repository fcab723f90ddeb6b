"""What `eval` and `bench` share: an embedder of this process's own, and work on a thread with a progress bar."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pointsman.cli.common import bar_of
from pointsman.errors import PointsmanError

if TYPE_CHECKING:
    from pointsman.cli.common import Cli
    from pointsman_indexer import Embedder
    from pointsman_indexer import Progress as Step

F = TypeVar("F", bound=Callable[..., Any])
Work = Callable[["Embedder", Callable[["Step"], None]], dict[str, Any]]


def embedder_option(command: F) -> F:
    return click.option(
        "--embedder",
        default="",
        callback=_known,
        help="hash needs no model; default: the one that the settings name.",
    )(command)


def _known(_: click.Context, __: click.Parameter, value: str) -> bool:
    """Whether it is hash. Nothing else may be named: a figure is for what the user uses."""
    if value not in ("", "hash"):
        raise click.BadParameter("hash, or leave it out", param_hint="--embedder")
    return value == "hash"


def machine() -> dict[str, Any]:
    """What a figure depends on: other work on the same cores above all."""
    import psutil

    return {
        "cores": psutil.cpu_count(),
        "memory_mb": psutil.virtual_memory().total >> 20,
        "load": round(psutil.getloadavg()[0], 1),
    }


def measured(cli: Cli, work: Work, *, hashed: bool, dimension: int = 256) -> dict[str, Any]:
    """Run `work` on a thread with an embedder and a progress bar; an interrupt ends it. Raises `PointsmanError`.

    Args:
        hashed: whether hashed words, of this `dimension`, take the model's place.
    """
    return asyncio.run(_measured(cli, work, hashed, dimension))


async def _measured(cli: Cli, work: Work, hashed: bool, dimension: int) -> dict[str, Any]:
    from pointsman_indexer import IndexerError

    stopped = threading.Event()
    with bar_of(cli, "index") as (bar, shown):

        def progress(step: Step) -> None:
            if stopped.is_set():  # else an interrupted command would wait for the thread's end
                raise IndexerError("the measurement was stopped")
            bar.update(shown, description=step.stage, completed=step.done, total=step.total)

        async with _embedder(cli, hashed, dimension) as embedder:
            try:
                return await asyncio.to_thread(work, embedder, progress)
            except IndexerError as error:
                raise PointsmanError(error.message, remedy=error.remedy) from error
            finally:
                stopped.set()


@asynccontextmanager
async def _embedder(cli: Cli, hashed: bool, dimension: int) -> AsyncIterator[Embedder]:
    """The embedder of the settings, in a child of this process: the user's host and its indexes are left alone."""
    if hashed:
        from pointsman_indexer import HashEmbedder

        yield HashEmbedder(dimension)
        return
    from pointsman.build import build_engines
    from pointsman.host.bridge import EmbedderBridge

    engines = build_engines(cli.paths)
    try:
        bridge = EmbedderBridge(*await engines.embedder())
        bridge.loop = asyncio.get_running_loop()
        yield bridge
    finally:
        await engines.stop()
