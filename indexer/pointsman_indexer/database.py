"""The catalogue's SQLite file: its tables, how it is opened and how it is emptied of what was deleted.

Opening one that is damaged or of another version starts anew: all in it can be made again. Deleted rows are
overwritten (`secure_delete`); `settle` empties the write-ahead log and `scrub` writes the file anew. Knows nothing of
what the rows mean.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pointsman_indexer.chunk import VERSION as CHUNK_VERSION
from pointsman_indexer.errors import StoreError
from pointsman_indexer.parsing import CHUNK_FIELDS, weighing
from pointsman_indexer.transaction import transaction

log = logging.getLogger(__name__)

_CHUNK_COLUMNS = ", ".join(
    f"{name} {'INTEGER' if type_ == 'int' else 'TEXT'} NOT NULL" for name, type_ in CHUNK_FIELDS.items()
)

TABLES = f"""
CREATE TABLE files(
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    settled INTEGER NOT NULL, state INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX files_by_version ON files(version);
CREATE INDEX files_by_state ON files(state) WHERE state <> 0;
CREATE TABLE versions(
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, blob TEXT NOT NULL, language TEXT NOT NULL, skipped TEXT NOT NULL,
    notes TEXT NOT NULL, stem TEXT NOT NULL, chunks INTEGER NOT NULL, used REAL NOT NULL, UNIQUE(path, blob));
CREATE INDEX versions_by_stem ON versions(stem);
CREATE TABLE chunks(
    id TEXT NOT NULL, version INTEGER NOT NULL, {_CHUNK_COLUMNS}, sha TEXT NOT NULL, lexical BLOB NOT NULL,
    UNIQUE(id, version));
CREATE INDEX chunks_by_version ON chunks(version);
CREATE INDEX chunks_by_sha ON chunks(sha);
CREATE TABLE waiting(id TEXT PRIMARY KEY, version INTEGER NOT NULL);
CREATE INDEX waiting_by_version ON waiting(version);
CREATE TABLE symbols(
    version INTEGER NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL, qualified TEXT NOT NULL, kind TEXT NOT NULL,
    start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, depth INTEGER NOT NULL, signature TEXT NOT NULL);
CREATE INDEX symbols_by_version ON symbols(version);
CREATE INDEX symbols_by_name ON symbols(folded, depth);
CREATE TABLE vectors(
    embedder TEXT NOT NULL, sha TEXT NOT NULL, used REAL NOT NULL, vector BLOB NOT NULL, PRIMARY KEY(embedder, sha));
"""
_META = "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class Database:
    """One SQLite file with `TABLES` and the tables of `more`, a script of `CREATE` statements.

    One that is damaged, or of another schema, is made anew. Raises `StoreError` for one that cannot be opened now.
    """

    def __init__(self, file: Path, more: str = "") -> None:
        schema = hashlib.sha256(f"{CHUNK_VERSION}\0{TABLES}\0{more}".encode() + weighing()).hexdigest()[:16]
        try:
            self.connection = _connect(file)
            if self.meta("schema") == schema:
                return
            self.connection.close()
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0)  # none where it is text that does not decode
            # A full disk, a lock or too many open files are no reason to lose hours of embedding.
            if code & 0xFF not in (0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise StoreError(f"the index's catalogue cannot be opened: {error.sqlite_errorname}") from error
            log.warning("the catalogue does not open and is made anew")
        for leftover in file.parent.glob(file.name + "*"):
            leftover.unlink()
        self.connection = _connect(file)
        self.connection.executescript(TABLES + more)
        self.set_meta("schema", schema)

    def close(self) -> None:
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside."""
        with transaction(self.connection):
            yield

    def meta(self, key: str) -> str:
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else ""

    def set_meta(self, key: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def settle(self) -> None:
        """Move all into the database file and empty the log, which may still hold what was deleted."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def scrub(self) -> None:
        """Write the file anew: pages that were split may hold copies of rows that were deleted elsewhere since."""
        self.connection.execute("PRAGMA temp_store = FILE")
        self.connection.execute("VACUUM")
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self.settle()


def _connect(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(_META)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
