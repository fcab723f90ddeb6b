"""Frames in, frames out: the base protocol of LSP over two binary streams, each on a thread of its own.

Threads, because stdin may be a pipe, a socket or a file, and because a client that does not read must not hold up the
event loop. Knows `Content-Length` and nothing of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import re
import threading
from collections.abc import Callable
from io import RawIOBase
from typing import BinaryIO

LARGEST = 128 * 1024 * 1024
"""Bytes of one message. A larger one is skipped and answered as malformed."""
_LONGEST_HEADER = 8192
_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,12})\s*$", re.IGNORECASE)
"""At the end of a line, not only at its start: the body of a frame without a length runs into the next frame's header,
and that frame shall be read again."""


class FrameReader:
    """Hands each body to `receive` on the loop; b"" stands for a frame that cannot be read; None for the end.

    `stream` is unbuffered: a thread that waits inside a buffered one holds its lock, and Python aborts at exit.
    """

    def __init__(
        self, stream: RawIOBase, loop: asyncio.AbstractEventLoop, receive: Callable[[bytes | None], None]
    ) -> None:
        self._stream = stream
        self._loop = loop
        self._receive = receive
        self._pending = bytearray()
        self._thread = threading.Thread(target=self._run, name="lsp reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (body := self._frame()) is not None:
                self._tell(body)
        self._tell(None)

    def _tell(self, body: bytes | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._receive, body)

    def _frame(self) -> bytes | None:
        length: int | None = None
        while (line := self._line()) is not None:
            if not line.strip():
                break
            if found := _LENGTH.search(line):
                length = int(found[1])
        else:
            return None
        if length is None:
            return b""
        if length > LARGEST:
            while length > 0 and (self._pending or self._more()):
                length -= len(self._take(min(length, len(self._pending))))
            return b""
        while len(self._pending) < length:
            if not self._more():
                return None
        return self._take(length)

    def _line(self) -> bytes | None:
        """A header line; None at the end. One without an end in sight is cut, and will not be a header."""
        while (end := self._pending.find(b"\n")) < 0 and len(self._pending) < _LONGEST_HEADER:
            if not self._more():
                return None
        return self._take(end + 1 if end >= 0 else _LONGEST_HEADER)

    def _more(self) -> bool:
        data = self._stream.read(1 << 16)
        self._pending += data or b""
        return bool(data)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._pending[:count])
        del self._pending[:count]
        return taken


class FrameWriter:
    """pygls's writer: takes bytes at once and writes them in order. `failed` is called when nobody reads."""

    def __init__(self, stream: BinaryIO, failed: Callable[[], None]) -> None:
        self._stream = stream
        self._failed = failed
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="lsp writer", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        self._queue.put(data)

    def close(self, seconds: float = 2.0) -> None:
        """Write what is queued, waiting no longer than `seconds` for a client that does not read."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                self._stream.write(data)
                if self._queue.empty():
                    self._stream.flush()
            self._stream.flush()
        except (OSError, ValueError):
            self._failed()
