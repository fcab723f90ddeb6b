"""The index's memory in SQLite: which files it holds, their chunks and symbols, and every vector worth keeping.

A file's row is the promise that the store holds its chunks: it is marked dirty before the store is touched and clean
after, so a process that dies in between leaves a dirty row and the next update does the file again. Deleted rows are
overwritten (`secure_delete`), and `settle` empties the write-ahead log. Knows nothing of Qdrant, git or grammars.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointsman_indexer.chunk import VERSION as CHUNK_VERSION
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.files import FileEntry
from pointsman_indexer.symbols import Symbol

log = logging.getLogger(__name__)

_SCHEMA_VERSION = f"1.{CHUNK_VERSION}"
_SCHEMA = """
CREATE TABLE files(
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    settled INTEGER NOT NULL, blob TEXT NOT NULL, language TEXT NOT NULL, skipped TEXT NOT NULL, notes TEXT NOT NULL,
    dirty INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE chunks(
    id TEXT PRIMARY KEY, path TEXT NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    symbol TEXT NOT NULL, kind TEXT NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, header TEXT NOT NULL,
    sha TEXT NOT NULL);
CREATE INDEX chunks_by_path ON chunks(path);
CREATE INDEX chunks_by_sha ON chunks(sha);
CREATE TABLE symbols(
    path TEXT NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL, qualified TEXT NOT NULL, kind TEXT NOT NULL,
    start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, depth INTEGER NOT NULL, signature TEXT NOT NULL);
CREATE INDEX symbols_by_path ON symbols(path);
CREATE INDEX symbols_by_name ON symbols(folded);
CREATE TABLE stems(path TEXT PRIMARY KEY, folded TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX stems_by_name ON stems(folded);
CREATE TABLE vectors(
    embedder TEXT NOT NULL, sha TEXT NOT NULL, used REAL NOT NULL, vector BLOB NOT NULL, PRIMARY KEY(embedder, sha));
"""
_SPARE_VECTORS = 20_000
"""Vectors kept of chunks that are in no file now, for the way back to another branch."""
_BATCH = 500
"""Placeholders in one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    entry: FileEntry
    settled: bool
    blob: str
    language: str
    skipped: str
    """Why its content is not indexed, such as binary; "" when it is."""
    notes: str
    dirty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an update has to look at. All but `removed` are entries of the walk."""

    added: tuple[FileEntry, ...]
    changed: tuple[FileEntry, ...]
    """Not as they were, by their facts; their blob id may yet say that they are."""
    unchanged: tuple[FileEntry, ...]
    removed: tuple[str, ...]


class Catalog:
    """One SQLite file. Opening one that is damaged or of another version starts anew: all in it can be made again."""

    def __init__(self, file: Path) -> None:
        try:
            self._db = _connect(file)
            if self.meta("schema") == _SCHEMA_VERSION:
                return
            self._db.close()
        except sqlite3.DatabaseError:
            log.warning("the catalogue does not open and is made anew")
        for leftover in file.parent.glob(file.name + "*"):
            leftover.unlink()
        self._db = _connect(file)
        self._db.executescript(_SCHEMA)
        self.set_meta("schema", _SCHEMA_VERSION)

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def meta(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else ""

    def set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # files

    def plan(self, entries: Iterable[FileEntry]) -> Plan:
        """Compare a walk with what is known, by size and times alone."""
        known = {row.entry.path: row for row in self._files("")}
        added, changed, unchanged = [], [], []
        for entry in entries:
            row = known.pop(entry.path, None)
            if row is None:
                added.append(entry)
            elif row.dirty or not row.settled or row.entry != entry:
                changed.append(entry)
            else:
                unchanged.append(entry)
        return Plan(
            added=tuple(added), changed=tuple(changed), unchanged=tuple(unchanged), removed=tuple(sorted(known))
        )

    def file(self, path: str) -> FileRow | None:
        return next(iter(self._files("WHERE path = ?", path)), None)

    def _files(self, where: str, *values: str) -> Iterator[FileRow]:
        columns = "path, size, mtime_ns, ctime_ns, settled, blob, language, skipped, notes, dirty"
        for path, size, mtime, ctime, settled, blob, language, skipped, notes, dirty in self._db.execute(
            f"SELECT {columns} FROM files {where}", values
        ):
            yield FileRow(
                entry=FileEntry(path=path, size=size, mtime_ns=mtime, ctime_ns=ctime),
                settled=bool(settled),
                blob=blob,
                language=language,
                skipped=skipped,
                notes=notes,
                dirty=bool(dirty),
            )

    def counts(self) -> tuple[int, int]:
        """Files and chunks."""
        files = self._db.execute("SELECT count(*) FROM files WHERE skipped = '' AND dirty = 0").fetchone()[0]
        return files, self._db.execute("SELECT count(*) FROM chunks").fetchone()[0]

    def tally(self) -> tuple[dict[str, int], dict[str, int]]:
        """Files by reason of being skipped for their content, and files by note."""
        tallies = []
        for column in ("skipped", "notes"):
            query = f"SELECT {column}, count(*) FROM files WHERE {column} <> '' GROUP BY {column}"
            tallies.append(dict(self._db.execute(query).fetchall()))
        return tallies[0], tallies[1]

    def has_dirty(self) -> bool:
        return self._db.execute("SELECT 1 FROM files WHERE dirty = 1 LIMIT 1").fetchone() is not None

    def mark_dirty(self, entries: Iterable[FileEntry]) -> None:
        self._db.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, 0, '', '', '', '', 1) ON CONFLICT(path) DO UPDATE SET dirty = 1",
            [(entry.path, entry.size, entry.mtime_ns, entry.ctime_ns) for entry in entries],
        )

    def mark_paths_dirty(self, paths: Iterable[str]) -> None:
        self._db.executemany("UPDATE files SET dirty = 1 WHERE path = ?", [(path,) for path in paths])

    def put_file(self, row: FileRow, chunks: Mapping[str, Chunk], symbols: Sequence[Symbol]) -> None:
        """Replace all that is known of a file. `chunks` maps ids to chunks."""
        path = row.entry.path
        self.forget([path])
        self._db.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(path, row.entry.size, row.entry.mtime_ns, row.entry.ctime_ns, row.settled, row.blob),
                *(row.language, row.skipped, row.notes, row.dirty),
            ),
        )
        if row.skipped:
            return
        self._db.execute("INSERT INTO stems VALUES (?, ?)", (path, stem(path)))
        self._db.executemany(
            "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (id_, path, c.start_line, c.end_line, c.symbol, c.kind, c.language, c.text, c.header, c.sha256)
                for id_, c in chunks.items()
            ],
        )
        self._db.executemany(
            "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (path, s.name, s.name.casefold(), s.qualified, s.kind, s.start_line, s.end_line, s.depth, s.signature)
                for s in symbols
            ],
        )

    def touch(self, entry: FileEntry, settled: bool) -> None:
        """The content is as it was; only the facts are new."""
        self._db.execute(
            "UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, settled = ? WHERE path = ?",
            (entry.size, entry.mtime_ns, entry.ctime_ns, settled, entry.path),
        )

    def forget(self, paths: Iterable[str]) -> None:
        for table in ("files", "chunks", "symbols", "stems"):
            self._db.executemany(f"DELETE FROM {table} WHERE path = ?", [(path,) for path in paths])

    # chunks and symbols

    def chunks(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """The chunks with these ids; ids that the catalogue does not know are left out."""
        found: dict[str, Chunk] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            found.update(self._chunks(f"WHERE id IN ({','.join('?' * len(batch))})", batch))
        return found

    def all_chunks(self) -> Iterator[tuple[str, Chunk]]:
        return self._chunks("ORDER BY path, start_line", ())

    def _chunks(self, where: str, values: Sequence[str]) -> Iterator[tuple[str, Chunk]]:
        columns = "id, path, start_line, end_line, symbol, kind, language, text, header"
        for id_, path, start, end, symbol, kind, language, text, header in self._db.execute(
            f"SELECT {columns} FROM chunks {where}", values
        ):
            yield (
                id_,
                Chunk(
                    path=path,
                    start_line=start,
                    end_line=end,
                    symbol=symbol,
                    kind=kind,
                    language=language,
                    text=text,
                    header=header,
                ),
            )

    def symbols(self, path: str) -> list[Symbol]:
        rows = self._db.execute(
            "SELECT name, qualified, kind, start_line, end_line, depth, signature FROM symbols WHERE path = ? "
            "ORDER BY start_line, depth",
            (path,),
        )
        return [
            Symbol(name=n, qualified=q, kind=k, start_line=s, end_line=e, depth=d, signature=g)
            for n, q, k, s, e, d, g in rows
        ]

    def named(self, names: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """Chunks of symbols whose last name is one of `names` (casefolded): (chunk id, qualified name)."""
        if not names:
            return []
        return self._db.execute(
            "SELECT c.id, s.qualified FROM symbols s JOIN chunks c ON c.path = s.path AND "
            "c.start_line <= s.end_line AND c.end_line >= s.start_line "
            f"WHERE s.folded IN ({','.join('?' * len(names))}) "
            "ORDER BY s.kind IN ('section', 'key', 'variable'), c.symbol <> s.qualified, s.depth, c.path, c.start_line "
            "LIMIT ?",
            (*names, limit),
        ).fetchall()

    def in_files_named(self, names: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """Chunks of files whose `stem` is one of `names`: (chunk id, path)."""
        if not names:
            return []
        return self._db.execute(
            "SELECT c.id, c.path FROM stems f JOIN chunks c ON c.path = f.path "
            f"WHERE f.folded IN ({','.join('?' * len(names))}) ORDER BY c.path, c.start_line LIMIT ?",
            (*names, limit),
        ).fetchall()

    # vectors

    def vectors(self, embedder: str, shas: Sequence[str]) -> dict[str, array[float]]:
        """The known vectors, float32, by the hash of the chunk."""
        found: dict[str, array[float]] = {}
        for start in range(0, len(shas), _BATCH):
            batch = shas[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            for sha, blob in self._db.execute(
                f"SELECT sha, vector FROM vectors WHERE embedder = ? AND sha IN ({marks})", (embedder, *batch)
            ):
                found[sha] = array("f", blob)
        return found

    def put_vectors(self, embedder: str, vectors: Mapping[str, array[float]]) -> None:
        now = time.time()
        self._db.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
            [(embedder, sha, now, vector.tobytes()) for sha, vector in vectors.items()],
        )

    def drop_spare_vectors(self, embedder: str, keep: int = _SPARE_VECTORS) -> None:
        """Delete vectors that no chunk needs now, but for the `keep` newest."""
        self._db.execute(
            "DELETE FROM vectors WHERE rowid IN (SELECT v.rowid FROM vectors v WHERE v.embedder <> ? OR NOT EXISTS "
            "(SELECT 1 FROM chunks c WHERE c.sha = v.sha) ORDER BY v.used DESC LIMIT -1 OFFSET ?)",
            (embedder, keep),
        )

    def settle(self) -> None:
        """Move all into the database file and empty the log, which may still hold what was deleted."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def stem(path: str) -> str:
    """A file's name without extension, casefolded."""
    name = path.rpartition("/")[2]
    return (name.rpartition(".")[0] or name).casefold()


def _connect(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
