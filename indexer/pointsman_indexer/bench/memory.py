"""Memory of this process and its children while something runs, seen by looking ten times a second."""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import Self

import psutil

_SECONDS = 0.1
_MB = 1 << 20


class Peak:
    """A context manager; `megabytes` is the most that was seen at once. A shorter peak than a tenth of a second may be
    missed."""

    def __init__(self) -> None:
        self.megabytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while True:
            total = 0
            for process in (me, *me.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
            self.megabytes = max(self.megabytes, total // _MB)
            if self._ended.wait(_SECONDS):
                return


def resident() -> dict[str, int]:
    """Megabytes of this process alone: all that is resident, and of it what is no file's page, which the system cannot
    take back when memory is short."""
    info = psutil.Process().memory_info()
    return {"resident_mb": info.rss // _MB, "private_mb": (info.rss - getattr(info, "shared", 0)) // _MB}
