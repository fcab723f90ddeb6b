"""The server object: its state, its background tasks, and the loop that feeds it.

Start-up imports pygls and nothing else that is slow; the pipelines are made on a thread after `initialized`, and the
first request that needs them waits for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from pointsman import __version__
from pointsman.errors import PointsmanError, UsageError
from pointsman.lsp.pace import Pace
from pointsman.lsp.positions import Encoding, Lines
from pointsman.lsp.protocol import PARSE_ERROR, Protocol
from pointsman.lsp.services import Services
from pointsman.lsp.status import Status
from pointsman.lsp.transport import FrameReader, FrameWriter
from pointsman.observe.logs import tame_last_resort
from pointsman.observe.recorder import Recorder
from pointsman.session import Session

log = logging.getLogger(__name__)


class Server(LanguageServer):
    """One editor window. Everything here belongs to the event loop's thread."""

    protocol: Protocol

    def __init__(self, make_services: Callable[[], Services]) -> None:
        super().__init__(
            "pointsman",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=Protocol,
            converter_factory=default_converter,
        )
        self._make_services = make_services
        self._services: asyncio.Task[Services] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.session: Session[Lines] = Session()
        self.status = Status(self)
        self.options: dict[str, Any] = {}
        """The client's `initializationOptions`; they choose comfort, never endpoint, model or policy."""
        self.stale: dict[Path, set[str] | None] = {}
        """What of each folder the index has to look at again; None for everything. See indexing.py, as for the next."""
        self.read: dict[Path, asyncio.Event] = {}
        """Set once a folder was read for the first time since this window opened it."""
        self.pace = Pace("")
        self.finished = asyncio.Event()

    @property
    def encoding(self) -> Encoding:
        """What positions count, as negotiated at `initialize`."""
        chosen = self.workspace.position_encoding
        if chosen == types.PositionEncodingKind.Utf8:
            return "utf-8"
        return "utf-32" if chosen == types.PositionEncodingKind.Utf32 else "utf-16"

    async def services(self) -> Services:
        """The pipelines and the host, made at the first call. A failure is told to whoever waits, then forgotten."""
        making = self._services
        if making is None:
            making = self._services = asyncio.create_task(asyncio.to_thread(self._make_services))
        try:
            return await asyncio.shield(making)
        except Exception:
            if self._services is making:
                self._services = None
            raise

    @property
    def made(self) -> Services | None:
        """None before the pipelines are made: there is nothing to observe or to forget then."""
        making = self._services
        if making is None or not making.done() or making.cancelled() or making.exception() is not None:
            return None
        return making.result()

    @property
    def recorder(self) -> Recorder | None:
        return self.made.recorder if self.made else None

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` in the background, kept alive until it ends and cancelled at shutdown."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def is_running(self, name: str) -> bool:
        """Whether background work of that name is under way."""
        return any(task.get_name() == name for task in self._tasks)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._services is not None:
            with contextlib.suppress(Exception):
                await (await self._services).close()
            self._services = None

    def path_of(self, uri: str) -> Path | None:
        """The file that a `file:` URI names; None for a buffer that is not a file of this machine."""
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "\0" in uri or "%00" in uri:
            return None
        return Path(os.path.normpath(unquote(parts.path)))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """pygls would pop up a window with the error's text, which may quote a document."""
        log.error("%s: %s", getattr(source, "__name__", "error"), type(error).__name__)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed: %s", task.get_name(), type(error).__name__, exc_info=error)


def serve(server_of: Callable[[], Server], *, tcp: tuple[str, int] | None = None) -> int:
    """Serve one client to its end; returns the exit code: 0 after `shutdown` and `exit`, else 1.

    Over stdio, the real stdout is kept for frames, and whatever else prints goes to stderr from here on.
    """
    tame_last_resort()
    if tcp is not None:
        return asyncio.run(_run(server_of, *_accept(tcp)))
    frames_in = io.FileIO(os.dup(sys.stdin.fileno()), "rb")
    frames_out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return asyncio.run(_run(server_of, frames_in, frames_out))


def _accept(address: tuple[str, int]) -> tuple[RawIOBase, BinaryIO]:
    if address[0] not in ("127.0.0.1", "localhost", "::1"):
        raise UsageError("--tcp takes a loopback address only", remedy="the protocol has no password")
    try:
        listener = socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    except OSError as error:
        raise PointsmanError(f"cannot listen on port {address[1]}: {error.strerror}") from error
    with listener:
        sys.stderr.write(f"listening on port {listener.getsockname()[1]}\n")
        connection, _ = listener.accept()
    return connection.makefile("rb", buffering=0), connection.makefile("wb")


async def _run(server_of: Callable[[], Server], source: RawIOBase, sink: BinaryIO) -> int:
    server = server_of()
    loop = asyncio.get_running_loop()

    def receive(body: bytes | None) -> None:
        if body is None:
            server.finished.set()
        elif not body:
            server.protocol.refuse(None, PARSE_ERROR, "a frame without a usable Content-Length")
        else:
            server.protocol.receive(body)
            if server.protocol.exit_code is not None:
                server.finished.set()

    def failed() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(server.finished.set)

    writer = FrameWriter(sink, failed)
    server.protocol.set_writer(writer)
    FrameReader(source, loop, receive).start()
    await server.finished.wait()
    await server.protocol.settle()
    await server.close()
    writer.close()
    return 1 if server.protocol.exit_code is None else server.protocol.exit_code
