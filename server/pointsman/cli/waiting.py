"""What a command waits for, told where nobody else tells it: a host that starts, a model that is being loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from pointsman.cli.common import visible
from pointsman.errors import PointsmanError
from pointsman.host.api import HostApi, Nothing
from pointsman.host.client import HostClient
from pointsman.models.base import EngineState

_MOMENT = 1.0
"""Seconds that pass without a word."""


@asynccontextmanager
async def telling_of_waiting(console: Console, host: HostApi, *, starting: bool) -> AsyncIterator[None]:
    """Tell each thing once on `console`, if that is a terminal.

    `starting`: no host was there when the command began.
    """
    if not console.is_terminal or console.quiet:
        yield
        return
    telling = asyncio.create_task(_tell(console, host, starting))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell(console: Console, host: HostApi, starting: bool) -> None:
    told: set[str] = set()
    while True:
        await asyncio.sleep(_MOMENT)
        waiting: list[str] = []
        try:
            if isinstance(host, HostClient) and not host.linked:  # to ask would start one, which nobody may need
                if starting and host.connecting:
                    waiting = ["starting the host…"]
            else:
                async with asyncio.timeout(_MOMENT):  # `wait_for` can lose the cancelling that ends this (Python 3.11)
                    status = await host.status(Nothing())
                starting = False
                waiting = [f"loading {one.model}…" for one in status.engines if one.state is EngineState.LOADING]
        except (TimeoutError, PointsmanError):  # an error is for the command itself to tell
            waiting = ["starting the host…"] if starting else []
        for text in waiting:
            if text not in told:
                told.add(text)
                console.print(visible(text), style="dim", markup=False)
