"""The index's memory: which files it holds, in which version each, and what every version was cut into.

A *version* is one path with one content; parsing it again gives the same, so versions that no file has now are kept
for a while and a branch switch back parses nothing. A file's row is the promise that the store holds its version's
chunks: it is marked dirty before the store is touched and clean after, so a process that dies in between leaves a
dirty row and the next update does the file again. Knows nothing of Qdrant, git or grammars.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from pointsman_indexer.database import Database
from pointsman_indexer.files import FileEntry
from pointsman_indexer.graph import Graph
from pointsman_indexer.parsing import CHUNK_FIELDS, ParsedFile
from pointsman_indexer.reader import Reader, stem
from pointsman_indexer.vectors import Vectors

_SPARE_VERSIONS = 4_000
"""Versions kept that no file has now."""
_BATCH = 500
"""Placeholders in one statement."""


class State(IntEnum):
    CLEAN = 0
    PENDING = 1
    """Has to be looked at; the store holds its version as the row says, or nothing of it when it has none."""
    DIRTY = 2
    """The store may hold anything of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    entry: FileEntry
    settled: bool
    state: State
    version: int
    """0 for a file that was never taken in."""
    blob: str
    language: str
    skipped: str
    """Why its content is not indexed, such as binary; "" when it is."""
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an update has to look at. All but `removed` are entries of the walk."""

    added: tuple[FileEntry, ...]
    changed: tuple[FileEntry, ...]
    """Not as they were, by their facts; their blob id may yet say that they are."""
    unchanged: tuple[FileEntry, ...]
    removed: tuple[str, ...]


class Catalog(Reader):
    """All that an index knows but for the store's copy of it."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file, Graph.SCHEMA)
        super().__init__(self._database.connection)
        self.graph = Graph(self._db)
        self.vectors = Vectors(self._db)
        self.meta, self.set_meta = self._database.meta, self._database.set_meta
        self.settle, self.scrub, self.close = self._database.settle, self._database.scrub, self._database.close

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """All or nothing of what is written inside."""
        return self._database.transaction()

    # files

    def plan(self, entries: Iterable[FileEntry], among: Sequence[str] | None = None) -> Plan:
        """Compare files found with files known (all of them, or those of the paths `among`), by size and times."""
        if among is None:
            rows = self._db.execute("SELECT path, size, mtime_ns, ctime_ns, settled, state FROM files").fetchall()
        else:
            query = "SELECT path, size, mtime_ns, ctime_ns, settled, state FROM files WHERE path = ?"
            rows = [row for path in among for row in self._db.execute(query, (path,))]
        known = {row[0]: row[1:] for row in rows}
        added, changed, unchanged = [], [], []
        for entry in entries:
            row = known.pop(entry.path, None)
            if row is None:
                added.append(entry)
            elif row == (entry.size, entry.mtime_ns, entry.ctime_ns, 1, State.CLEAN):
                unchanged.append(entry)
            else:
                changed.append(entry)
        return Plan(
            added=tuple(added), changed=tuple(changed), unchanged=tuple(unchanged), removed=tuple(sorted(known))
        )

    def below(self, path: str) -> list[str]:
        """The known files at `path` or, when it is a folder, below it."""
        query = "SELECT path FROM files WHERE path = ? OR (path > ? AND path < ?)"
        return [row[0] for row in self._db.execute(query, (path, f"{path}/", f"{path}0"))]

    def file(self, path: str) -> FileRow | None:
        row = self._db.execute(
            "SELECT f.path, f.size, f.mtime_ns, f.ctime_ns, f.settled, f.state, f.version, coalesce(v.blob, ''), "
            "coalesce(v.language, ''), coalesce(v.skipped, ''), coalesce(v.notes, '') "
            "FROM files f LEFT JOIN versions v ON v.id = f.version WHERE f.path = ?",
            (path,),
        ).fetchone()
        if row is None:
            return None
        return FileRow(
            entry=FileEntry(path=row[0], size=row[1], mtime_ns=row[2], ctime_ns=row[3]),
            settled=bool(row[4]),
            state=State(row[5]),
            version=row[6],
            blob=row[7],
            language=row[8],
            skipped=row[9],
            notes=row[10],
        )

    def counts(self) -> tuple[int, int]:
        """Files and chunks."""
        files, chunks = self._db.execute(
            "SELECT count(*) FILTER (WHERE v.skipped = '' AND f.state < 2), coalesce(sum(v.chunks), 0) "
            "FROM files f JOIN versions v ON v.id = f.version"
        ).fetchone()
        return files, chunks

    def tally(self) -> tuple[dict[str, int], dict[str, int]]:
        """Files by reason of being skipped for their content, and files by note."""
        tallies = []
        for column in ("skipped", "notes"):
            query = (
                f"SELECT v.{column}, count(*) FROM files f JOIN versions v ON v.id = f.version "
                f"WHERE v.{column} <> '' GROUP BY 1"
            )
            tallies.append(dict(self._db.execute(query).fetchall()))
        return tallies[0], tallies[1]

    def skipped(self) -> Iterator[tuple[str, str]]:
        """Files that were skipped for their content, as (reason, path)."""
        query = (
            "SELECT v.skipped, f.path FROM files f JOIN versions v ON v.id = f.version "
            "WHERE v.skipped <> '' ORDER BY f.path"
        )
        yield from self._db.execute(query)

    def has_dirty(self) -> bool:
        return self._db.execute(f"SELECT 1 FROM files WHERE state = {State.DIRTY} LIMIT 1").fetchone() is not None

    def unread(self, limit: int = -1) -> list[str]:
        """Files whose content of now is not in the index yet."""
        query = "SELECT path FROM files WHERE state <> 0 ORDER BY path LIMIT ?"
        return [row[0] for row in self._db.execute(query, (limit,))]

    def unread_plan(self) -> Plan:
        """The files that an update found and did not come to take in."""
        query = "SELECT path, size, mtime_ns, ctime_ns FROM files WHERE state <> 0 ORDER BY path"
        rows = self._db.execute(query).fetchall()
        entries = (FileEntry(path=path, size=size, mtime_ns=mtime, ctime_ns=ctime) for path, size, mtime, ctime in rows)
        return Plan(added=(), changed=tuple(entries), unchanged=(), removed=())

    def unread_count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM files WHERE state <> 0").fetchone()[0])

    def mark(self, entries: Iterable[FileEntry], state: State) -> None:
        """Raise the state of these files, known or not; it never falls but by `attach` and `touch`."""
        self._db.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, 0, ?, 0) "
            "ON CONFLICT(path) DO UPDATE SET state = max(state, excluded.state)",
            [(entry.path, entry.size, entry.mtime_ns, entry.ctime_ns, state) for entry in entries],
        )

    def mark_paths_dirty(self, paths: Iterable[str]) -> None:
        self._db.executemany(f"UPDATE files SET state = {State.DIRTY} WHERE path = ?", [(path,) for path in paths])

    def touch(self, entry: FileEntry, settled: bool) -> None:
        """The content is as it was; only the facts are new."""
        self._db.execute(
            "UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, settled = ?, state = 0 WHERE path = ?",
            (entry.size, entry.mtime_ns, entry.ctime_ns, settled, entry.path),
        )

    def attach(self, entry: FileEntry, settled: bool, version: int, waiting: Iterable[str]) -> None:
        """The store holds `version` of the file now, but for the dense vectors of the chunks `waiting`."""
        self.detach([entry.path])
        self._db.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, 0, ?)",
            (entry.path, entry.size, entry.mtime_ns, entry.ctime_ns, settled, version),
        )
        self._db.executemany("INSERT OR REPLACE INTO waiting VALUES (?, ?)", [(id_, version) for id_ in waiting])

    def detach(self, paths: Iterable[str]) -> None:
        """Forget the files; their versions stay as spares."""
        now = time.time()
        for path in paths:
            row = self._db.execute("DELETE FROM files WHERE path = ? RETURNING version", (path,)).fetchone()
            if row is not None and row[0]:
                self._db.execute("UPDATE versions SET used = ? WHERE id = ?", (now, row[0]))
                self._db.execute("DELETE FROM waiting WHERE version = ?", row)

    # versions

    def version(self, path: str, blob: str) -> int:
        """The version's id, 0 when it is not known."""
        row = self._db.execute("SELECT id FROM versions WHERE path = ? AND blob = ?", (path, blob)).fetchone()
        return row[0] if row else 0

    def versions(self) -> list[tuple[str, int]]:
        """The files' paths and versions."""
        return self._db.execute("SELECT path, version FROM files WHERE version <> 0").fetchall()

    def stored(self, version: int) -> set[str]:
        """Ids of the chunks of a file's version that the store holds whole, with their dense vectors."""
        query = "SELECT id FROM chunks WHERE version = ? EXCEPT SELECT id FROM waiting WHERE version = ?"
        return {id_ for (id_,) in self._db.execute(query, (version, version))}

    def put_version(self, path: str, blob: str, parsed: ParsedFile) -> int:
        """Keep what was made of a content that is not known yet; returns the version's id."""
        columns = "path, blob, language, skipped, notes, stem, chunks, used"
        cursor = self._db.execute(
            f"INSERT INTO versions({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (path, blob, parsed.language, parsed.skipped, parsed.notes, stem(path), len(parsed.chunks), time.time()),
        )
        version = cursor.lastrowid
        assert version is not None
        marks = ",".join("?" * (len(CHUNK_FIELDS) + 4))
        self._db.executemany(
            f"INSERT INTO chunks(id, version, {', '.join(CHUNK_FIELDS)}, sha, lexical) VALUES ({marks})",
            [(row.id, version, *row.values, row.sha, row.lexical) for row in parsed.chunks],
        )
        self._db.executemany(
            "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    version,
                    s.name,
                    s.name.casefold(),
                    s.qualified,
                    s.kind,
                    s.start_line,
                    s.end_line,
                    s.depth,
                    s.signature,
                )
                for s in parsed.parsed.symbols
            ],
        )
        self.graph.put(version, parsed.parsed)
        return version

    def drop_spare_versions(self, keep: int = _SPARE_VERSIONS) -> None:
        """Forget the versions that no file has, but for the `keep` that were in use last."""
        query = (
            "SELECT id FROM versions WHERE NOT EXISTS (SELECT 1 FROM files WHERE version = versions.id) "
            "ORDER BY used DESC, id DESC LIMIT -1 OFFSET ?"
        )
        spare = self._db.execute(query, (keep,)).fetchall()
        self.graph.forget(version for (version,) in spare)
        for table, column in (("chunks", "version"), ("symbols", "version"), ("versions", "id")):
            self._db.executemany(f"DELETE FROM {table} WHERE {column} = ?", spare)

    # chunks that wait for their dense vector

    def waiting_count(self) -> tuple[int, int]:
        """Chunks that wait, and the files that they are in."""
        chunks, files = self._db.execute("SELECT count(*), count(DISTINCT version) FROM waiting").fetchone()
        return chunks, files

    def shas(self, ids: Sequence[str]) -> dict[str, str]:
        """The hashes of these chunks."""
        found: dict[str, str] = {}
        for start in range(0, len(ids), _BATCH):
            batch = tuple(ids[start : start + _BATCH])
            found.update(
                self._db.execute(f"SELECT id, sha FROM chunks WHERE id IN ({','.join('?' * len(batch))})", batch)
            )
        return found

    def not_waiting(self, ids: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM waiting WHERE id = ?", [(id_,) for id_ in ids])

    def wait_for_unknown(self, embedder: str) -> None:
        """All chunks whose vector by this embedder is not known wait for it, and no others."""
        self.nothing_waits()
        self._db.execute(
            "INSERT INTO waiting SELECT c.id, c.version FROM chunks c JOIN files f ON f.version = c.version "
            "WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.embedder = ? AND v.sha = c.sha)",
            (embedder,),
        )

    def nothing_waits(self) -> None:
        self._db.execute("DELETE FROM waiting")
