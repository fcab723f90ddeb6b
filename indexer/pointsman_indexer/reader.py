"""What the catalogue knows of the files of now: their chunks and symbols, by id, by name and by place.

Reads only. Knows nothing of how it came there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from pointsman_indexer.chunk import Chunk
from pointsman_indexer.parsing import CHUNK_FIELDS, ChunkRow, chunk_of
from pointsman_indexer.symbols import Symbol

_BATCH = 500
"""Placeholders in one statement."""
_MOST_OF_A_NAME = 200
_OWN = ", ".join(f"c.{name}" for name in CHUNK_FIELDS)
_CURRENT = (
    f"SELECT c.rowid, f.path, c.version, c.id, c.sha, c.lexical, {_OWN} "
    "FROM chunks c JOIN files f ON f.version = c.version"
)


class Reader:
    """Reads of a catalogue's connection. But for `rows`, only versions that files have now are seen."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def rows(self, version: int) -> list[ChunkRow]:
        """A version's chunks as they were parsed."""
        query = f"SELECT c.id, c.sha, c.lexical, {_OWN} FROM chunks c WHERE c.version = ? ORDER BY c.rowid"
        return [
            ChunkRow(id_, tuple(own), sha, lexical) for id_, sha, lexical, *own in self._db.execute(query, (version,))
        ]

    def current_rows(self, after: int, limit: int) -> list[tuple[int, str, ChunkRow]]:
        """The files' chunks page by page: (place, path, row), of places greater than `after`."""
        query = f"{_CURRENT} WHERE c.rowid > ? ORDER BY c.rowid LIMIT ?"
        return [
            (place, path, ChunkRow(id_, tuple(own), sha, lexical))
            for place, path, _, id_, sha, lexical, *own in self._db.execute(query, (after, limit))
        ]

    def current_chunks(self, after: int, limit: int) -> list[tuple[int, str, str, Chunk]]:
        """As `current_rows`: (place, id, hash, chunk)."""
        query = f"{_CURRENT} WHERE c.rowid > ? ORDER BY c.rowid LIMIT ?"
        return [
            (place, id_, sha, chunk_of(path, own))
            for place, path, _, id_, sha, _, *own in self._db.execute(query, (after, limit))
        ]

    def chunks(self, ids: Sequence[str]) -> dict[str, Chunk]:
        """The chunks with these ids; ids that no file has now are left out."""
        found: dict[str, Chunk] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            found.update(self._chunks(f"WHERE c.id IN ({','.join('?' * len(batch))})", batch))
        return found

    def all_chunks(self) -> Iterator[tuple[str, Chunk]]:
        return self._chunks("ORDER BY f.path, c.start_line", ())

    def _chunks(self, where: str, values: Sequence[str]) -> Iterator[tuple[str, Chunk]]:
        for _, path, _, id_, _, _, *own in self._db.execute(f"{_CURRENT} {where}", values):
            yield id_, chunk_of(path, own)

    def symbols(self, path: str) -> list[Symbol]:
        rows = self._db.execute(
            "SELECT name, qualified, kind, start_line, end_line, depth, signature FROM symbols "
            "WHERE version = (SELECT version FROM files WHERE path = ?) ORDER BY start_line, depth",
            (path,),
        )
        return [
            Symbol(name=n, qualified=q, kind=k, start_line=s, end_line=e, depth=d, signature=g)
            for n, q, k, s, e, d, g in rows
        ]

    def named(self, names: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """Chunks of symbols whose last name is one of `names` (casefolded): (chunk id, qualified name).

        Of a name that hundreds of symbols share, some of the outermost: it tells little, and all would take long.
        """
        if not names:
            return []
        each = (
            "SELECT * FROM (SELECT version, qualified, kind, depth, start_line, end_line FROM symbols "
            "WHERE folded = ? AND EXISTS (SELECT 1 FROM files f WHERE f.version = symbols.version) "
            f"ORDER BY depth LIMIT {_MOST_OF_A_NAME})"
        )
        order = "s.kind IN ('section', 'key', 'variable')"
        return self._db.execute(
            f"SELECT c.id, s.qualified FROM (SELECT s.*, f.path FROM ({' UNION ALL '.join([each] * len(names))}) s "
            f"JOIN files f ON f.version = s.version ORDER BY {order}, s.depth, f.path, s.start_line LIMIT ?) s "
            "JOIN chunks c ON c.version = s.version AND c.start_line <= s.end_line AND c.end_line >= s.start_line "
            f"ORDER BY {order}, c.symbol <> s.qualified, s.depth, s.path, c.start_line LIMIT ?",
            (*names, 2 * limit, limit),
        ).fetchall()

    def in_files_named(self, names: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """Chunks of files whose `stem` is one of `names`: (chunk id, path)."""
        if not names:
            return []
        return self._db.execute(
            "SELECT c.id, f.path FROM versions v JOIN files f ON f.version = v.id JOIN chunks c ON c.version = v.id "
            f"WHERE v.stem IN ({','.join('?' * len(names))}) ORDER BY f.path, c.start_line LIMIT ?",
            (*names, limit),
        ).fetchall()

    def at_line(self, name: str, line: int) -> list[tuple[str, str]]:
        """Chunks that hold this line, of files whose `stem` is `name`: (chunk id, path), some ten at most."""
        return self._db.execute(
            "SELECT c.id, f.path FROM versions v JOIN files f ON f.version = v.id JOIN chunks c ON c.version = v.id "
            "WHERE v.stem = ? AND c.start_line <= ? AND c.end_line >= ? ORDER BY f.path LIMIT 10",
            (name, line, line),
        ).fetchall()

    def mentions(self, text: str) -> bool:
        """Whether a file, a symbol or a chunk that is known holds this text. Reads everything."""
        places = ("files.path", "versions.path", "symbols.qualified", "symbols.signature", "chunks.text")
        return any(
            self._db.execute(f"SELECT 1 FROM {table} WHERE instr({column}, ?) LIMIT 1", (text,)).fetchone()
            for table, _, column in (place.partition(".") for place in places)
        )

    def waiting(self, limit: int) -> list[tuple[str, str, Chunk]]:
        """(id, hash, chunk) of the points that lack their dense vector, the longest waiting first."""
        query = f"{_CURRENT} WHERE c.id IN (SELECT id FROM waiting ORDER BY rowid LIMIT ?)"
        return [(id_, sha, chunk_of(path, own)) for _, path, _, id_, sha, _, *own in self._db.execute(query, (limit,))]


def stem(path: str) -> str:
    """A file's name without extension, casefolded."""
    name = path.rpartition("/")[2]
    return (name.rpartition(".")[0] or name).casefold()
