"""`HostApi` over the socket: finds the user's host, starts it when there is none, and carries calls to it.

One connection carries all calls of a process. When it breaks, calls under way fail with `HostError`, and the next
call finds or starts a host again; a call whose host vanished before it said anything is tried once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from typing import Any, cast

from pointsman.errors import HostError, HostVersionMismatch
from pointsman.host import api, wire
from pointsman.host.usersocket import SingleHost, peer_is_self, reachable, socket_path
from pointsman.models.base import Finish, Piece
from pointsman.settings import Paths

_START_SECONDS = 15.0


class HostClient:
    """The user's host. All methods belong to one event loop; `close` leaves the host running for others."""

    def __init__(self, paths: Paths, *, start: bool = True) -> None:
        self._paths = paths
        self._start = start
        """Whether a missing host is started; False makes a missing host an error."""
        self._identity = wire.identity()
        self._link: _Link | None = None
        self._child: subprocess.Popen[bytes] | None = None
        """The host that was started here last: a request that is cancelled while it starts leaves it to the next."""
        self._connecting = asyncio.Lock()

    @property
    def linked(self) -> bool:
        """Whether a call would go to a host that is there, so that none has to be found or started for it."""
        return self._link is not None and not self._link.broken

    @property
    def connecting(self) -> bool:
        """Whether a call waits for a host that is being found or started."""
        return self._connecting.locked()

    async def close(self) -> None:
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def status(self, params: api.Nothing) -> api.HostStatus:
        return cast(api.HostStatus, await self._call("status", params))

    async def model(self, params: api.ModelParams) -> api.ModelFacts:
        return cast(api.ModelFacts, await self._call("model", params))

    def generate(self, params: api.GenerateParams) -> AsyncGenerator[Piece | Finish, None]:
        return cast(AsyncGenerator[Piece | Finish, None], self._stream("generate", params))

    def index(self, params: api.IndexParams) -> AsyncGenerator[api.IndexProgress | api.IndexReport, None]:
        return cast(AsyncGenerator[api.IndexProgress | api.IndexReport, None], self._stream("index", params))

    def adapt(self, params: api.AdaptParams) -> AsyncGenerator[api.AdaptProgress | api.AdaptReport, None]:
        return cast(AsyncGenerator[api.AdaptProgress | api.AdaptReport, None], self._stream("adapt", params))

    async def forget(self, params: api.ForgetParams) -> api.ForgetReply:
        return cast(api.ForgetReply, await self._call("forget", params))

    async def outline(self, params: api.OutlineParams) -> api.OutlineReply:
        return cast(api.OutlineReply, await self._call("outline", params))

    async def uses(self, params: api.UsesParams) -> api.UsesReply:
        return cast(api.UsesReply, await self._call("uses", params))

    async def in_scope(self, params: api.InScopeParams) -> api.InScopeReply:
        return cast(api.InScopeReply, await self._call("in_scope", params))

    async def search(self, params: api.SearchParams) -> api.SearchReply:
        return cast(api.SearchReply, await self._call("search", params))

    async def closed_preview(self, params: api.ClosedRequest) -> api.ClosedPreview:
        return cast(api.ClosedPreview, await self._call("closed_preview", params))

    async def closed_send(self, params: api.ClosedRequest) -> api.ClosedReply:
        # Never tried again: the gateway may already have sent it.
        return cast(api.ClosedReply, await self._call("closed_send", params, again=False))

    def closed_stream(self, params: api.ClosedRequest) -> AsyncGenerator[api.ClosedPiece | api.ClosedReply, None]:
        return cast(
            AsyncGenerator[api.ClosedPiece | api.ClosedReply, None], self._stream("closed_stream", params, again=False)
        )

    async def shutdown(self, params: api.Nothing) -> api.Nothing:
        return cast(api.Nothing, await self._call("shutdown", params, again=False))

    async def _call(self, name: str, params: Any, *, again: bool = True) -> Any:
        async with contextlib.aclosing(self._stream(name, params, again=again)) as stream:
            async for item in stream:
                return item
        raise HostError("the host ended a call without a result")

    async def _stream(self, name: str, params: Any, *, again: bool = True) -> AsyncGenerator[Any, None]:
        method = wire.METHODS[name]
        for attempt in itertools.count():
            silent = True
            try:
                link = await self._connected()
                async with contextlib.aclosing(link.call(name, wire.to_plain(params))) as items:
                    async for item in items:
                        silent = False
                        yield wire.from_plain(item, method.result)
                return
            except _Broken as broken:
                if silent and again and attempt == 0:
                    continue
                raise HostError(
                    "the host went away during a request", remedy="try again: it is started anew"
                ) from broken

    async def _connected(self) -> _Link:
        async with self._connecting:
            if self._link is not None and self._link.broken:
                await self._link.close()
                self._link = None
            if self._link is None:
                self._link = await self._connect()
            return self._link

    async def _connect(self) -> _Link:
        deadline = time.monotonic() + _START_SECONDS
        lock = SingleHost(self._paths)
        while True:
            link = await self._try()
            if link is not None:
                return link
            if not lock.held():
                if not self._start:
                    raise HostError("no host is running")
                if self._child is None or self._child.poll() == 0:
                    self._child = self._spawn()
            if self._child is not None and self._child.poll() not in (None, 0):
                self._child = None
                raise HostError("the host could not start", remedy=f"see {self._paths.logs / 'host.log'}")
            if time.monotonic() > deadline:
                raise HostError("the host did not answer in time", remedy="pointsman host stop, then try again")
            await asyncio.sleep(0.03)

    async def _try(self) -> _Link | None:
        """One attempt: None when there is no host yet, or an old one is making way."""
        mine = self._identity
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            with reachable(socket_path(self._paths)) as name:
                await asyncio.get_running_loop().sock_connect(connection, name)
            if not peer_is_self(connection):
                raise HostError(
                    "the host's socket belongs to another user",
                    remedy="set POINTSMAN_HOME to a folder of yours",
                )
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=wire.MAX_LINE)
        except OSError:
            connection.close()
            return None
        except BaseException:
            connection.close()
            raise
        try:
            writer.write(wire.encode({"hello": mine}))
            async with asyncio.timeout(wire.GREETING_SECONDS):
                line = await reader.readline()
            reply = wire.decode(line).get("hello") if line else None
        except (ConnectionError, TimeoutError):
            reply = None
        except BaseException:
            # A caller that gives up here must not leave a connection behind: the host would count it as a client.
            writer.close()
            raise
        theirs = {key: reply.get(key) for key in mine} if isinstance(reply, dict) else {}
        if theirs == mine:
            return _Link(reader, writer)
        await _close(writer)
        if not isinstance(reply, dict) or reply.get("leaving"):
            return None
        if theirs["version"] == mine["version"]:
            difference = "the host was started with other POINTSMAN_ variables and is serving other windows"
        else:
            difference = f"the host is of version {theirs['version']}, this is {mine['version']}"
        raise HostVersionMismatch(difference, remedy="close the other windows, or run: pointsman host stop")

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the host on its own: it outlives this process, and a Ctrl-C here does not reach it."""
        try:
            self._paths.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._paths.logs / "host.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise HostError(f"the host's log in {self._paths.logs} cannot be written: {error.strerror}") from error
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "pointsman.host"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=handle,
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(handle)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


class _Broken(Exception):
    """The connection ended before the call did."""


class _Link:
    """One connection and the calls on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._calls: dict[int, asyncio.Queue[dict[str, Any] | None]] = {}
        self.broken = False
        self._reading = asyncio.create_task(self._read(), name="host connection")

    async def close(self) -> None:
        self.broken = True
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await _close(self._writer)

    async def call(self, name: str, params: Any) -> AsyncGenerator[Any, None]:
        """Items of the call, plain. Raises `_Broken`, or the error that the host answered."""
        if self.broken:
            raise _Broken
        call = next(self._ids)
        inbox: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._calls[call] = inbox
        finished = False
        try:
            await self._send({"id": call, "method": name, "params": params})
            while True:
                message = await inbox.get()
                if message is None:
                    finished = True
                    raise _Broken
                if "item" in message:
                    yield message["item"]
                    continue
                finished = True
                if "error" in message:
                    raise wire.error_from_plain(message["error"])
                if "result" in message:
                    yield message["result"]
                return
        finally:
            del self._calls[call]
            if not finished and not self.broken:
                with contextlib.suppress(_Broken):
                    await self._send({"cancel": call})

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            self._writer.write(wire.encode(message))
            await self._writer.drain()
        except (ConnectionError, OSError) as error:
            self.broken = True
            raise _Broken from error

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                message = wire.decode(line)
                if (inbox := self._calls.get(message.get("id", -1))) is not None:
                    inbox.put_nowait(message)
        except (HostError, ConnectionError, ValueError):
            pass
        finally:
            self.broken = True
            for inbox in self._calls.values():
                inbox.put_nowait(None)
