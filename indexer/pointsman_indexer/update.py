"""Bring the index up to date with the files: plan, parse, embed what is new, store, and last the catalogue.

Order is what makes it safe to die at any moment: a file's row is marked dirty, then its points are replaced, then its
row is written clean. Vectors are kept by the hash of their chunk as soon as they are made, so that work done before a
halt is not done again. Excluding a file that was indexed rebuilds the store, since Qdrant only marks points as deleted.
Knows nothing of searching.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointsman_indexer import files
from pointsman_indexer.catalog import Catalog, FileRow, Plan
from pointsman_indexer.chunk import Chunk, chunk
from pointsman_indexer.embed import Embedder, embed_checked
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.files import FileEntry
from pointsman_indexer.languages import language_of
from pointsman_indexer.lines import Lines
from pointsman_indexer.parse import parse
from pointsman_indexer.store import Point, Store, file_key
from pointsman_indexer.symbols import Parsed, Symbol
from pointsman_indexer.terms import Sparse, document_vector

log = logging.getLogger(__name__)

_GROUP = 256
"""Chunks that are embedded and stored together."""
_NAMESPACE = uuid.UUID("5d9f6c1e-3a52-5f0b-9a55-0c9a3c6f1d27")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`scan` and `parse` count files, `embed` and `store` count chunks; their total is an estimate until all files
    are parsed."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an update did and what the index holds now."""

    root: str
    files: int
    chunks: int
    skipped: dict[str, int]
    """Files not indexed, by reason."""
    seconds: float
    embedded: int
    """Chunks that went through the embedder."""
    reused: int
    """Chunks of new or changed files whose vectors were known."""
    model: str
    """Name of the embedder."""
    revision: str
    """The commit that HEAD names, or ""."""


@dataclass(slots=True)
class _Work:
    """A file that was read and parsed, on its way into the store."""

    row: FileRow
    chunks: dict[str, Chunk]
    symbols: Sequence[Symbol]


@dataclass(slots=True)
class Update:
    """One update. `run` once."""

    root: Path
    catalog: Catalog
    store: Store
    embedder: Embedder
    exclusions: Exclusions
    progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    embedded: int = 0
    reused: int = 0
    unreadable: int = 0
    _parsed: int = 0
    _to_parse: int = 0
    _stored: int = 0
    _written: bool = field(default=False)

    def run(self) -> Report:
        started = time.monotonic()
        self._adopt()
        walk = files.walk(self.root, self.exclusions)
        self.progress(Progress(stage="scan", done=len(walk.files), total=len(walk.files)))
        plan = self.catalog.plan(walk.files)
        self._remove(plan)
        if self.catalog.meta("rebuild"):
            self._rebuild()
            plan = self.catalog.plan(walk.files)
        done = self._take_in(plan)
        if done and self.store.count() != self.catalog.counts()[1]:
            log.warning("the vector store does not hold what the catalogue says and is made anew")
            self.catalog.set_meta("rebuild", "1")
            self._rebuild()
        return self._report(walk, started, done)

    def _adopt(self) -> None:
        """Note what this update works with; another embedder or other exclusions mean a new store."""
        known, excluded = self.catalog.meta("embedder"), self.catalog.meta("exclusions")
        whole = self.catalog.has_dirty() or self.store.count() == self.catalog.counts()[1]
        with self.catalog.transaction():
            if known and (known != self._model or excluded != self.exclusions.fingerprint or not whole):
                self.catalog.set_meta("rebuild", "1")
            if excluded not in ("", self.exclusions.fingerprint):
                # What was deleted before it was excluded left vectors behind.
                self.catalog.drop_spare_vectors(self._model, keep=0)
            self.catalog.set_meta("embedder", self._model)
            self.catalog.set_meta("exclusions", self.exclusions.fingerprint)

    def _remove(self, plan: Plan) -> None:
        """Drop files that are gone; those that are merely out of bounds now are purged."""
        if not plan.removed:
            return
        self._written = True
        purged = [
            path
            for path in plan.removed
            if self.exclusions.excludes(path) is not None or os.path.lexists(self.root / path)
        ]
        with self.catalog.transaction():
            self.catalog.mark_paths_dirty(plan.removed)
            if purged:
                self.catalog.forget(purged)
                self.catalog.drop_spare_vectors(self._model, keep=0)
                self.catalog.set_meta("rebuild", "1")
        if purged:
            self.catalog.settle()
        self.store.delete_files([file_key(path) for path in plan.removed])
        self.store.flush()
        with self.catalog.transaction():
            self.catalog.forget(plan.removed)

    def _rebuild(self) -> None:
        """Make the store anew from the catalogue. Not interrupted: half a store would have to start over."""
        self._written = True
        self.store.reset()
        homeless: set[str] = set()
        batch: dict[str, Chunk] = {}
        for id_, one in self.catalog.all_chunks():
            batch[id_] = one
            if len(batch) == _GROUP:
                homeless |= self._restore(batch)
                batch = {}
        homeless |= self._restore(batch)
        self.store.flush()
        with self.catalog.transaction():
            # Their chunks have no vector by this embedder: they are taken in like changed files.
            self.catalog.mark_paths_dirty(homeless)
            self.catalog.set_meta("rebuild", "")

    def _restore(self, batch: dict[str, Chunk]) -> set[str]:
        vectors = self.catalog.vectors(self._model, [one.sha256 for one in batch.values()])
        points = [_point(id_, one, vectors[one.sha256]) for id_, one in batch.items() if one.sha256 in vectors]
        if points:
            self.store.upsert(points)
        return {one.path for one in batch.values() if one.sha256 not in vectors}

    def _take_in(self, plan: Plan) -> bool:
        """Read, embed and store; False when it was told to stop."""
        todo = [*plan.changed, *plan.added]
        self._to_parse = len(todo)
        for group in self._groups(todo):
            if self.should_stop() or not self._finish(group):
                return False
        return not self.should_stop()

    def _groups(self, todo: Sequence[FileEntry]) -> Iterator[list[_Work]]:
        group: list[_Work] = []
        for entry in todo:
            work = self._read(entry)
            self._parsed += 1
            self.progress(Progress(stage="parse", done=self._parsed, total=self._to_parse))
            if work is not None:
                group.append(work)
            if sum(len(one.chunks) for one in group) >= _GROUP or len(group) >= _GROUP:
                yield group
                group = []
        if group:
            yield group

    def _read(self, entry: FileEntry) -> _Work | None:
        """None when there is nothing to store: unchanged after all, gone, or unreadable."""
        known = self.catalog.file(entry.path)
        try:
            found = files.read(self.root, entry.path)
        except OSError:
            self.unreadable += 1
            found = None
        if found is None:
            return _nothing(entry) if known is not None else None
        if known is not None and not known.dirty and known.blob == found.blob:
            self.catalog.touch(found.entry, found.settled)
            return None
        return _parse(found)

    def _finish(self, group: list[_Work]) -> bool:
        """Embed and store a group of files; False when it was told to stop, with the vectors made so far kept."""
        self._written = True
        with self.catalog.transaction():
            self.catalog.mark_dirty(work.row.entry for work in group)
        chunks = {id_: one for work in group for id_, one in work.chunks.items()}
        vectors = self.catalog.vectors(self._model, [one.sha256 for one in chunks.values()])
        missing = {one.sha256: one.embedding_text for one in chunks.values() if one.sha256 not in vectors}
        known = len(chunks) - len(missing)
        if not self._embed(missing, vectors, len(chunks)):
            return False
        self.reused += known
        self.store.delete_files([file_key(work.row.entry.path) for work in group])
        if chunks:
            self.store.upsert([_point(id_, one, vectors[one.sha256]) for id_, one in chunks.items()])
        self.store.flush()
        with self.catalog.transaction():
            for work in group:
                if work.row.dirty:  # gone since the walk
                    self.catalog.forget([work.row.entry.path])
                else:
                    self.catalog.put_file(work.row, work.chunks, work.symbols)
        self._stored += len(chunks)
        self.progress(Progress(stage="store", done=self._stored, total=self._estimate(0)))
        return True

    def _embed(self, missing: dict[str, str], vectors: dict[str, array[float]], pending: int) -> bool:
        # Texts of like length share a batch: the model then pads little.
        order = sorted(missing, key=lambda sha: len(missing[sha]))
        size = max(1, self.embedder.max_batch)
        for start in range(0, len(order), size):
            if self.should_stop():
                return False
            batch = order[start : start + size]
            made = embed_checked(self.embedder, [missing[sha] for sha in batch], "document")
            fresh = dict(zip(batch, made, strict=True))
            with self.catalog.transaction():
                self.catalog.put_vectors(self._model, fresh)
            vectors.update(fresh)
            self.embedded += len(batch)
            done = self._stored + pending - len(missing) + start + len(batch)
            self.progress(Progress(stage="embed", done=done, total=self._estimate(pending)))
        return True

    def _estimate(self, pending: int) -> int:
        """Chunks in all, as far as the files parsed so far tell."""
        seen = self._stored + pending
        return max(seen, round(seen * self._to_parse / self._parsed)) if self._parsed else seen

    def _report(self, walk: files.Walk, started: float, done: bool) -> Report:
        if self._written:
            if done:
                self.store.compact()
                with self.catalog.transaction():
                    self.catalog.drop_spare_vectors(self._model)
            self.catalog.settle()
        content, _ = self.catalog.tally()
        skipped = walk.skipped + Counter(content) + Counter(unreadable=self.unreadable)
        count, chunks = self.catalog.counts()
        return Report(
            root=str(self.root),
            files=count,
            chunks=chunks,
            skipped=dict(sorted(skipped.items())),
            seconds=round(time.monotonic() - started, 3),
            embedded=self.embedded,
            reused=self.reused,
            model=self.embedder.name,
            revision=files.revision(self.root),
        )

    @property
    def _model(self) -> str:
        """Vectors of another length are another model's, whatever its name."""
        return f"{self.embedder.name}/{self.embedder.dimension}"


def lexical_of(one: Chunk) -> Sparse:
    """What a chunk is found by: its text, and the names that it does not hold itself."""
    return document_vector("\n".join((one.path, one.symbol, one.header, one.text)))


def _point(id_: str, one: Chunk, vector: Sequence[float]) -> Point:
    return Point(id=id_, file=file_key(one.path), language=one.language, dense=vector, lexical=lexical_of(one))


def _nothing(entry: FileEntry) -> _Work:
    """A file that is gone: its row stays dirty until it is forgotten."""
    row = FileRow(entry=entry, settled=False, blob="", language="", skipped="", notes="", dirty=True)
    return _Work(row, {}, ())


def _parse(found: files.FileData) -> _Work:
    path = found.entry.path
    language = language_of(path, found.data[:65536]) or ""
    skipped = "binary" if b"\0" in found.data else ""
    parsed = Parsed(complete=False) if skipped else parse(found.data, language)
    ids: dict[str, Chunk] = {}
    seen: Counter[str] = Counter()
    for one in () if skipped else chunk(path, language, Lines(found.data), parsed):
        seen[one.sha256] += 1
        ids[str(uuid.uuid5(_NAMESPACE, f"{path}\0{one.sha256}\0{seen[one.sha256]}"))] = one
    row = FileRow(
        entry=found.entry,
        settled=found.settled,
        blob=found.blob,
        language=language,
        skipped=skipped,
        notes="" if skipped or _is_utf8(found.data) else "invalid_utf8",
        dirty=False,
    )
    return _Work(row, ids, parsed.symbols)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
