"""Shows that a model is being loaded: a request that takes long is the occasion to ask the host about its engines.

Only looks. The request itself waits in the host until the model is there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pointsman.errors import PointsmanError
from pointsman.host.api import Nothing
from pointsman.lsp.progress import Progress
from pointsman.models.base import EngineState

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_PATIENCE = 0.5
"""Seconds: a model that is loaded answers sooner, as a rule, and then nobody needs to ask."""
_NAME = "watch the engines"
_UNDER_WAY = (EngineState.LOADING, EngineState.RESTARTING)


@contextlib.contextmanager
def watched(server: Server) -> Iterator[None]:
    """Around a request that needs a model."""
    timer = asyncio.get_running_loop().call_later(_PATIENCE, _start, server)
    try:
        yield
    finally:
        timer.cancel()


def _start(server: Server) -> None:
    if not server.is_running(_NAME):
        server.spawn(_show_while_loading(server), _NAME)


async def _show_while_loading(server: Server) -> None:
    """Outlives the request: the next keystroke cancels that, and the model goes on loading."""
    with contextlib.suppress(PointsmanError):  # whoever asked for the model is told
        host = (await server.services()).host
        async with Progress(server, "Loading the model") as progress:
            while names := [e.model for e in (await host.status(Nothing())).engines if e.state in _UNDER_WAY]:
                message = f"loading {', '.join(names)}"
                progress.note(message)
                server.status.show("Normal", message)
                await asyncio.sleep(_PATIENCE)
            if progress.begun:
                server.status.show("Normal", "ready")
