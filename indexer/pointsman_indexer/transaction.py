"""All or nothing of what is written to an SQLite database, for whoever keeps one."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Takes the write lock first, so that nothing that was read before it is out of date. The connection must be in
    autocommit mode (`isolation_level=None`)."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # of what went wrong the first error tells
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
