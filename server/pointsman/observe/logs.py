"""Logs that cannot hold source text, prompts or secrets above debug level.

Our own messages are written with that in mind. A library's message is not ours to trust (pygls logs whole documents at
INFO), so of those only the place in the library's code is kept; of an exception only its type.
"""

from __future__ import annotations

import fcntl
import logging
import logging.handlers
import os
import sys
from io import TextIOWrapper
from pathlib import Path


class SafeFormatter(logging.Formatter):
    """Our own messages whole; of a library's record the place only; of an exception the type only."""

    def format(self, record: logging.LogRecord) -> str:
        own = record.name.split(".")[0] in ("pointsman", "pointsman_indexer")
        text = record.getMessage() if own else f"({Path(record.pathname).name}:{record.lineno})"
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        when = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        return f"{when} {record.levelname} {record.name}: {text}{f' [{kind}]' if kind else ''}"


def tame_last_resort() -> None:
    """Where no handler is installed, Python prints warnings to stderr whole, with tracebacks: make those safe."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(SafeFormatter())


def log_to_stderr(level: int = logging.INFO) -> None:
    _install(logging.StreamHandler(sys.stderr), level)


def log_to_file(path: Path, level: int = logging.INFO) -> None:
    """Append to `path`, 0600, kept below 2 MB in two files. A log that cannot be written is done without."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = _SharedFile(path, maxBytes=1 << 20, backupCount=1, encoding="utf-8")
    except OSError:
        return
    _install(handler, level)


class _SharedFile(logging.handlers.RotatingFileHandler):
    """0600, and written to by several processes: each file is moved away once, by one of them, and left by all."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=_own)

    def shouldRollover(self, record: logging.LogRecord) -> int:
        self._followed()
        return super().shouldRollover(record)

    def doRollover(self) -> None:
        folder = os.open(Path(self.baseFilename).parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not self._followed():
                super().doRollover()
        finally:
            os.close(folder)

    def _followed(self) -> bool:
        """Whether another process had moved the file away, which is left then."""
        if self.stream is None:
            return False
        try:
            if os.path.samestat(Path(self.baseFilename).stat(), os.fstat(self.stream.fileno())):
                return False
        except FileNotFoundError:
            pass
        self.stream.close()
        self.stream = None  # what writes next opens the new one
        return True


def _own(path: str, flags: int) -> int:
    opened = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    os.fchmod(opened, 0o600)  # one that an older version made may be open to others
    return opened


def _install(handler: logging.Handler, level: int) -> None:
    handler.setFormatter(SafeFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in ("pygls", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.raiseExceptions = False
