"""`HostService`: the object behind `HostApi`, whether a socket is in front of it or not.

Only composition: generation goes to the engines, search to the indexes, anything outbound to the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable

import psutil

from pointsman import __version__
from pointsman.gateway.gate import Gateway
from pointsman.host import api
from pointsman.host.engines import Engines
from pointsman.host.indexing import Indexes
from pointsman.models.base import Finish, Piece


class HostService:
    """All of the user's shared work. `on_shutdown` is called when a client asks the host to leave."""

    def __init__(
        self, *, engines: Engines, indexes: Indexes, gateway: Gateway, on_shutdown: Callable[[], None]
    ) -> None:
        self._engines = engines
        self._indexes = indexes
        self._gateway = gateway
        self._on_shutdown = on_shutdown
        self._started = time.monotonic()
        self._clients, self._busy = 1, False

    def activity(self, clients: int, busy: bool) -> None:
        """Told by whoever carries the calls, for `status`."""
        self._clients, self._busy = clients, busy

    async def close(self) -> None:
        await self._indexes.close()
        await self._engines.stop()

    async def status(self, params: api.Nothing) -> api.HostStatus:
        return api.HostStatus(
            version=__version__,
            pid=os.getpid(),
            uptime_seconds=round(time.monotonic() - self._started, 1),
            clients=self._clients,
            busy=self._busy,
            engines=self._engines.statuses(),
            indexes=self._indexes.states(),
            memory_bytes=await asyncio.to_thread(_memory),
        )

    async def model(self, params: api.ModelParams) -> api.ModelFacts:
        return await self._engines.facts(params.task)

    async def generate(self, params: api.GenerateParams) -> AsyncGenerator[Piece | Finish, None]:
        generator = await self._engines.generator(params.task, params.workspace)
        async with contextlib.aclosing(generator.generate(params.request)) as stream:
            async for item in stream:
                yield item

    def index(self, params: api.IndexParams) -> AsyncGenerator[api.IndexProgress | api.IndexReport, None]:
        return self._indexes.update(params)

    def adapt(self, params: api.AdaptParams) -> AsyncGenerator[api.AdaptProgress | api.AdaptReport, None]:
        return self._indexes.adapt(params)

    async def forget(self, params: api.ForgetParams) -> api.ForgetReply:
        return await self._indexes.forget(params)

    async def search(self, params: api.SearchParams) -> api.SearchReply:
        return await self._indexes.search(params)

    async def outline(self, params: api.OutlineParams) -> api.OutlineReply:
        return await self._indexes.outline(params)

    async def uses(self, params: api.UsesParams) -> api.UsesReply:
        return await self._indexes.uses(params)

    async def in_scope(self, params: api.InScopeParams) -> api.InScopeReply:
        return await self._indexes.in_scope(params)

    async def closed_preview(self, params: api.ClosedRequest) -> api.ClosedPreview:
        return await self._gateway.preview(params)

    async def closed_send(self, params: api.ClosedRequest) -> api.ClosedReply:
        return await self._gateway.send(params)

    def closed_stream(self, params: api.ClosedRequest) -> AsyncGenerator[api.ClosedPiece | api.ClosedReply, None]:
        return self._gateway.stream(params)

    async def shutdown(self, params: api.Nothing) -> api.Nothing:
        self._on_shutdown()
        return api.Nothing()


def _memory() -> int:
    """Resident bytes of this process and its children; a child that just ended counts nothing."""
    total = 0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total
