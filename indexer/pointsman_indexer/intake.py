"""The first phase of an update: files to points that are searched by words.

Order is what makes it safe to die at any moment: a file's row is marked dirty, then its points are replaced, but for
those that the new content has as well, then its row is written clean. A content that was seen before at its path is
taken from the catalogue and not parsed. Points get the dense vectors that are known already; the others wait for the
second phase (`dense`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointsman_indexer import files
from pointsman_indexer.catalog import Catalog, State
from pointsman_indexer.files import FileEntry
from pointsman_indexer.parse_worker import Source
from pointsman_indexer.parsing import CHUNK_FIELDS, ChunkRow, ParsedFile, unpacked
from pointsman_indexer.pool import Parsers
from pointsman_indexer.store import Point, Store, file_key

_GROUP_FILES, _GROUP_CHUNKS = 256, 1024
"""Written at once: after each group an update may be told to stop."""
_FLUSH_CHUNKS = 4096
"""Made durable at once: a flush costs a tenth of a second, whatever was written."""
_LANGUAGE = tuple(CHUNK_FIELDS).index("language")


@dataclass(slots=True)
class _Taken:
    """A file on its way into the store. Without version and parse it is gone."""

    entry: FileEntry
    settled: bool = False
    blob: str = ""
    version: int = 0
    parsed: ParsedFile | None = None
    rows: Sequence[ChunkRow] = ()


@dataclass(slots=True)
class Intake:
    """Takes files in, group by group. `run` once."""

    root: Path
    catalog: Catalog
    store: Store
    model: str
    """Of the vectors that the store holds."""
    parsers: Parsers
    should_stop: Callable[[], bool]
    parsed: Callable[[int], None]
    """Told the number of files read so far."""
    stored: Callable[[int], None]
    """Told the number of chunks stored so far."""
    reused: int = 0
    """Chunks whose dense vectors were known."""
    unreadable: list[str] = field(default_factory=list)
    """Paths of files that could not be read."""
    _seen: int = 0
    _chunks: int = 0
    _unflushed: list[tuple[_Taken, Sequence[str]]] = field(default_factory=list)
    """Files that are in the store but not on disk yet, each with its chunks that wait for vectors."""
    _unflushed_chunks: int = 0
    _read: dict[str, _Taken] = field(default_factory=dict)
    """Files that are being parsed."""
    _known: deque[_Taken] = field(default_factory=deque)
    """Files that need no parsing, on their way to the next group."""

    def run(self, todo: Sequence[FileEntry]) -> bool:
        """False when it was told to stop; whole groups are kept."""
        with self.catalog.transaction():
            self.catalog.mark(todo, State.PENDING)
        group: list[_Taken] = []
        chunks = 0
        for taken in self._taken(todo):
            group.append(taken)
            chunks += len(taken.rows)
            if len(group) >= _GROUP_FILES or chunks >= _GROUP_CHUNKS:
                if self.should_stop():
                    break
                self._put(group)
                group, chunks = [], 0
        stopped = self.should_stop()
        if not stopped:
            self._put(group)
        self._flush()
        return not stopped

    def _taken(self, todo: Sequence[FileEntry]) -> Iterator[_Taken]:
        for source, parsed in self.parsers.parse(self._sources(todo)):
            taken = self._read.pop(source.path)
            taken.parsed, taken.rows = parsed, parsed.chunks
            yield taken
            yield from self._drained()
        yield from self._drained()

    def _drained(self) -> Iterator[_Taken]:
        while self._known:
            taken = self._known.popleft()
            taken.rows = self.catalog.rows(taken.version) if taken.version else ()
            yield taken

    def _sources(self, todo: Sequence[FileEntry]) -> Iterator[Source]:
        """Read the files; those whose content is new are for parsing."""
        for entry in todo:
            if self.should_stop():
                return
            self._seen += 1
            self.parsed(self._seen)
            row = self.catalog.file(entry.path)
            assert row is not None  # it was marked
            try:
                found = files.read(self.root, entry.path)
            except OSError:
                self.unreadable.append(entry.path)
                found = None
            if found is None:
                self._known.append(_Taken(entry))
            elif row.version and row.state != State.DIRTY and row.blob == found.blob:
                self.catalog.touch(found.entry, found.settled)
            else:
                taken = _Taken(found.entry, found.settled, found.blob, self.catalog.version(entry.path, found.blob))
                if taken.version:
                    self._known.append(taken)
                else:
                    self._read[entry.path] = taken
                    yield Source(entry.path, found.data)

    def _put(self, group: Sequence[_Taken]) -> None:
        """Write a group to the store, and to disk when that is worth a flush."""
        if not group:
            return
        held = [row for row in map(self.catalog.file, (taken.entry.path for taken in group)) if row is not None]
        replaced = [file_key(row.entry.path) for row in held if row.version or row.state == State.DIRTY]
        with self.catalog.transaction():
            self.catalog.mark((taken.entry for taken in group), State.DIRTY)
        stored = set().union(*(self.catalog.stored(row.version) for row in held if row.state != State.DIRTY))
        kept = stored.intersection(row.id for taken in group for row in taken.rows)
        shas = [row.sha for taken in group for row in taken.rows]
        vectors = self.catalog.vectors.get(self.model, shas)
        points = [point(taken.entry.path, row, vectors) for taken in group for row in taken.rows if row.id not in kept]
        if replaced:
            self.store.delete_files(replaced, kept)
        if points:
            self.store.upsert(points)
        self._unflushed += [(taken, [row.id for row in taken.rows if row.sha not in vectors]) for taken in group]
        self._unflushed_chunks += len(shas)
        self.reused += sum(sha in vectors for sha in shas)
        if self._unflushed_chunks >= _FLUSH_CHUNKS:
            self._flush()

    def _flush(self) -> None:
        """Make durable what was written; only then does the catalogue say that it is there."""
        if not self._unflushed:
            return
        self.store.flush()
        with self.catalog.transaction():
            for taken, waiting in self._unflushed:
                self._keep(taken, waiting)
        self._chunks += self._unflushed_chunks
        self._unflushed, self._unflushed_chunks = [], 0
        self.stored(self._chunks)

    def _keep(self, taken: _Taken, waiting: Sequence[str]) -> None:
        path = taken.entry.path
        if taken.parsed is not None:
            taken.version = self.catalog.put_version(path, taken.blob, taken.parsed)
        if taken.version:
            self.catalog.attach(taken.entry, taken.settled, taken.version, waiting)
        else:
            self.catalog.detach([path])


def point(path: str, row: ChunkRow, vectors: Mapping[str, Sequence[float]]) -> Point:
    """The chunk's point, with its dense vector when that is among `vectors` (by hash)."""
    return Point(
        id=row.id,
        file=file_key(path),
        language=str(row.values[_LANGUAGE]),
        dense=vectors.get(row.sha),
        lexical=unpacked(row.lexical),
    )
