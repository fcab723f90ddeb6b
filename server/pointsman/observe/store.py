"""The local record of usage, in one SQLite file of the user's, 0600, bounded in age and size.

Writes go through a thread of their own and are on disk within half a second, so that the event loop never waits and
a killed process loses at most that. Several windows write the same file. A file that cannot be written is done without.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pointsman.observe.records import Answer, Suggestion
from pointsman.observe.tracker import Event, Retained, Shown, Taken
from pointsman_indexer.transaction import transaction

log = logging.getLogger(__name__)

KEEP_DAYS = 90
MOST_ROWS = {"answer": 100_000, "suggestion": 50_000}
_MOST_PAGES = 16_384
"""Of 4 kB: 64 MB, more than the most rows take."""
_MOST_WAITING = 10_000
_GATHER_SECONDS = 0.25
_TIDY_SECONDS = 3_600
_BUSY_SECONDS = 5.0
VERSION = 1
TABLES = ("answer", "suggestion", "kept")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS answer (
    at REAL NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL, automatic INTEGER NOT NULL, items INTEGER NOT NULL,
    cache TEXT NOT NULL, reason TEXT NOT NULL, timings TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS answer_at ON answer (at);
CREATE TABLE IF NOT EXISTS suggestion (
    id TEXT PRIMARY KEY, at REAL NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL, digest TEXT NOT NULL,
    features TEXT NOT NULL, shown INTEGER NOT NULL DEFAULT 0, outcome TEXT, accepted INTEGER NOT NULL DEFAULT 0,
    typed INTEGER NOT NULL DEFAULT 0, reported INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS suggestion_at ON suggestion (at);
CREATE TABLE IF NOT EXISTS kept (
    id TEXT NOT NULL, seconds INTEGER NOT NULL, share REAL NOT NULL, PRIMARY KEY (id, seconds)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""

_Write = tuple[str, tuple[Any, ...]]


class Store:
    """Takes notes. No method blocks but `close`, and none raises; nothing is opened before the first note."""

    def __init__(self, file: Path, *, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self._queue: queue.Queue[_Write | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._tidied = 0.0

    def answered(self, answer: Answer) -> None:
        self._put(
            "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            answer.at,
            answer.language,
            answer.model,
            answer.automatic,
            answer.items,
            answer.cache,
            answer.reason,
            json.dumps(answer.timings_ms),
        )

    def suggested(self, suggestion: Suggestion) -> None:
        self._put(
            "INSERT OR IGNORE INTO suggestion (id, at, language, model, digest, features) VALUES (?, ?, ?, ?, ?, ?)",
            suggestion.id,
            suggestion.at,
            suggestion.language,
            suggestion.model,
            suggestion.digest,
            json.dumps(suggestion.features),
        )

    def happened(self, event: Event) -> None:
        """What became of a suggestion that was noted before."""
        if isinstance(event, Shown):
            self._put("UPDATE suggestion SET shown = 1 WHERE id = ?", event.id)
        elif isinstance(event, Taken):
            self._put(
                "UPDATE suggestion SET outcome = ?, accepted = ?, typed = ?, reported = ? WHERE id = ?",
                event.outcome,
                event.accepted,
                event.typed,
                event.reported,
                event.id,
            )
        elif isinstance(event, Retained):
            # Only of one that is still known: the user may have had everything forgotten meanwhile.
            self._put(
                "INSERT OR REPLACE INTO kept SELECT id, ?, ? FROM suggestion WHERE id = ?",
                event.seconds,
                event.share,
                event.id,
            )

    def close(self) -> None:
        """Write what waits, and end."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=_BUSY_SECONDS)
                self._thread.join(2 * _BUSY_SECONDS)
            self._thread = None

    def _put(self, statement: str, *values: Any) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
            self._thread.start()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait((statement, values))

    def _run(self) -> None:
        going = True
        while going:
            writes: list[_Write | None] = [self._queue.get()]
            until = time.monotonic() + _GATHER_SECONDS
            while writes[-1] is not None and len(writes) < _MOST_WAITING:
                try:
                    writes.append(self._queue.get(timeout=max(until - time.monotonic(), 0)))
                except queue.Empty:
                    break
            going = writes[-1] is not None
            self._write([write for write in writes if write is not None])
        self._disconnect()

    def _write(self, writes: list[_Write]) -> None:
        try:
            connection = self._connected()
            with transaction(connection):
                for statement, values in writes:
                    connection.execute(statement, values)
            if self._now() - self._tidied >= _TIDY_SECONDS:
                self._tidied = self._now()
                with transaction(connection):
                    tidy(connection, self._now())
                connection.execute("PRAGMA incremental_vacuum").fetchall()
        except (OSError, sqlite3.Error) as error:
            log.warning("usage is not recorded: %s", type(error).__name__)
            self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        """The connection; a new one when the file was removed or replaced."""
        try:
            inode = self._file.lstat().st_ino
        except FileNotFoundError:
            inode = 0
        if self._connection is None or inode != self._inode:
            self._disconnect()
            self._connection = connect(self._file)
            self._inode = self._file.lstat().st_ino
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def connect(file: Path) -> sqlite3.Connection:
    """Open the file for writing, made for this user alone. Raises `OSError` and `sqlite3.Error`."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # SQLite gives its two files beside this one the same mode.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    connection = sqlite3.connect(file, isolation_level=None, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")
        connection.execute("PRAGMA journal_size_limit = 1048576")
        with transaction(connection):
            if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                # Of a version that is not known: usage is not worth carrying over.
                for table in TABLES:
                    connection.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
        return connection
    except BaseException:
        connection.close()
        raise


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for another window that makes this very change: it would hold the lock that the other needs.
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def tidy(connection: sqlite3.Connection, now: float) -> None:
    """Drop what is too old, and the oldest of what is too much."""
    for table, most in MOST_ROWS.items():
        connection.execute(f"DELETE FROM {table} WHERE at < ?", (now - KEEP_DAYS * 86_400,))
        connection.execute(
            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY at DESC LIMIT -1 OFFSET ?)",
            (most,),
        )
    connection.execute("DELETE FROM kept WHERE id NOT IN (SELECT id FROM suggestion)")


def forget(file: Path) -> int:
    """Delete everything, also from the file's free pages and its journal; how many rows there were.

    Emptied in place, since other windows may have it open; one that is damaged is removed. Raises `OSError`, and
    `sqlite3.OperationalError` when another process keeps it locked.
    """
    if not file.exists():
        return 0
    try:
        with closing(connect(file)) as connection:
            with transaction(connection):
                rows = sum(connection.execute(f"DELETE FROM {table}").rowcount for table in TABLES)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return rows
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        return 0
