"""Serves one `HostApi` object on the user's socket: connections in, calls out, one response for each.

Knows messages and tasks; knows nothing of models, indexes or policy. A client that goes away cancels its calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from pointsman.errors import HostError, PointsmanError, UsageError
from pointsman.host import wire
from pointsman.host.api import HostApi
from pointsman.host.usersocket import peer_is_self, reachable, socket_path
from pointsman.settings import Paths

log = logging.getLogger(__name__)

_PARTING_SECONDS = 2.0
"""For a client to read what is still to be written; one that is suspended would keep the host from leaving."""


class HostServer:
    """Listens until `stop` is called or nobody has been connected for `idle_seconds`."""

    def __init__(
        self, service: HostApi, paths: Paths, *, idle_seconds: float, activity: Callable[[int, bool], None]
    ) -> None:
        self._service = service
        self._paths = paths
        self._idle_seconds = idle_seconds
        self._activity = activity
        """Told the number of clients and whether a call is under way, for `status`."""
        self._connections: set[_Connection] = set()
        self._done = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        self._done.set()

    async def run(self) -> None:
        """Returns when stopped or idle. The caller holds the single-host lock, so a socket found here is stale."""
        path = socket_path(self._paths)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            with reachable(path) as name:
                listener.bind(name)
        finally:
            os.umask(previous)
        listener.listen(64)
        listener.setblocking(False)
        server = await asyncio.start_unix_server(self._accept, sock=listener, limit=wire.MAX_LINE)
        self._changed()
        try:
            await self._done.wait()
        finally:
            server.close()
            path.unlink(missing_ok=True)
            for connection in list(self._connections):
                await connection.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket")
        if peer is None or not peer_is_self(peer):
            log.warning("refused a connection of another user")
            writer.close()
            return
        connection = _Connection(self._service, reader, writer, self._changed)
        leaving = False
        try:
            leaving = await self._greet(reader, writer)
            if not leaving:
                self._connections.add(connection)
                self._changed()
                await connection.serve()
        except (HostError, OSError, asyncio.IncompleteReadError, ValueError):
            log.info("a client's connection broke off")
        finally:
            self._connections.discard(connection)
            await connection.close()
            self._changed()
            if leaving:
                self.stop()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer the handshake. True: the client differs, is not older, and nobody else is here: the host makes way."""
        async with asyncio.timeout(wire.GREETING_SECONDS):
            line = await reader.readline()
        greeting = wire.decode(line).get("hello")
        if not isinstance(greeting, dict):
            raise HostError("no handshake")
        mine = wire.identity()
        differs = mine != {key: greeting.get(key) for key in mine}
        leaving = differs and not self._connections and not wire.is_older(greeting.get("version"))
        writer.write(wire.encode({"hello": {**mine, "pid": os.getpid(), "leaving": leaving}}))
        await writer.drain()
        if differs and not leaving:
            raise HostError("a client that differs was turned away")
        return leaving

    def _changed(self) -> None:
        self._activity(len(self._connections), any(c.busy for c in self._connections))
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if not self._connections:
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self.stop)


class _Connection:
    """One client: reads calls, runs each as a task, writes whole lines."""

    def __init__(
        self,
        service: HostApi,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        changed: Callable[[], None],
    ) -> None:
        self._service = service
        self._reader = reader
        self._writer = writer
        self._changed = changed
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._asking: set[int] = set()
        """Those of them that only ask how the host does, which is no work."""

    @property
    def busy(self) -> bool:
        return self._calls.keys() != self._asking

    async def serve(self) -> None:
        while line := await self._reader.readline():
            message = wire.decode(line)
            if isinstance(cancelled := message.get("cancel"), int):
                if task := self._calls.get(cancelled):
                    task.cancel()
                continue
            call = message.get("id")
            if not isinstance(call, int) or call in self._calls:
                raise HostError("a call without a fresh id")
            task = asyncio.create_task(self._answer(call, message), name=f"call {call}")
            self._calls[call] = task
            if message.get("method") == "status":
                self._asking.add(call)
            task.add_done_callback(functools.partial(self._over, call))  # one cancelled before it began runs nothing
            self._changed()

    def _over(self, call: int, task: asyncio.Task[None]) -> None:
        self._calls.pop(call, None)
        self._asking.discard(call)
        self._changed()

    async def close(self) -> None:
        tasks = list(self._calls.values())
        for task in tasks:
            task.cancel()
        last = asyncio.get_running_loop().call_later(_PARTING_SECONDS, self._writer.transport.abort)
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        finally:
            last.cancel()

    async def _answer(self, call: int, message: dict[str, Any]) -> None:
        """Run one call and write exactly one closing line for it, whatever happens."""
        try:
            await self._run(call, message, self._write)
        except asyncio.CancelledError:
            # A client that cancelled reads no further; one that did not learns that the host stops.
            leaving = HostError("the host is stopping", remedy="try again: it is started anew")
            await self._close_call(call, {"error": wire.error_to_plain(leaving)})
        except PointsmanError as error:
            await self._close_call(call, {"error": wire.error_to_plain(error)})
        except ConnectionError:
            pass
        except Exception as error:
            # The boundary of the process: the type is logged, never the text, which may quote source.
            log.error(
                "internal error in %s: %s",
                message.get("method"),
                type(error).__name__,
                exc_info=log.isEnabledFor(logging.DEBUG),
            )
            inner = HostError("internal error in the host", remedy="its log names the kind; -vv shows more")
            await self._close_call(call, {"error": wire.error_to_plain(inner)})

    async def _run(
        self, call: int, message: dict[str, Any], write: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        method = wire.METHODS.get(str(message.get("method")))
        if method is None:
            raise UsageError("the host does not know that method")
        params = wire.from_plain(message.get("params"), method.params)
        handler = getattr(self._service, str(message["method"]))
        if not method.stream:
            await write({"id": call, "result": wire.to_plain(await handler(params))})
            return
        async with contextlib.aclosing(handler(params)) as stream:
            async for item in stream:
                await write({"id": call, "item": wire.to_plain(item)})
        await write({"id": call, "end": True})

    async def _write(self, message: dict[str, Any]) -> None:
        self._writer.write(wire.encode(message))
        await self._writer.drain()

    async def _close_call(self, call: int, rest: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            await self._write({"id": call, **rest})
