"""Which vector store answers: the one of the embedder that made its vectors, until another embedder's is complete.

The catalogue says which folder serves and whose vectors it holds; those two words are what changes when a new store
takes over, so a process that dies in between finds either the old store or the new one, whole. Knows nothing of files.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from pointsman_indexer.catalog import Catalog
from pointsman_indexer.compaction import Compaction, Noting
from pointsman_indexer.intake import point
from pointsman_indexer.store import Store, file_key
from pointsman_indexer.store_edge import EdgeStore
from pointsman_indexer.store_server import ServerStore

log = logging.getLogger(__name__)

_FEW = 5_000
"""Points that are compacted in place: it takes a moment."""
_CHURN = 0.2
"""Points written since the last time, of all, that make compacting worth its while."""
_BATCH = 512


class Stores:
    """The live store of one index. `model` names an embedder and its dimension: `name/384`."""

    def __init__(self, data_dir: Path, catalog: Catalog, url: str, model: str, key: str = "") -> None:
        self._data_dir = data_dir
        self._catalog = catalog
        self._url, self._key = url, key
        self._compaction: Compaction | None = None
        self.serving = catalog.meta("serving") or model
        """Whose vectors the live store holds."""
        name = catalog.meta("store") or _new_name()
        with catalog.transaction():
            catalog.set_meta("serving", self.serving)
            catalog.set_meta("store", name)
        self._remove_others()
        self.live = self._open(name, self.serving)

    def replace(self, model: str, fill: Callable[[Store], None]) -> None:
        """Build the store of `model` by `fill`, let it serve, and remove the one before."""
        self.stop_compacting()
        name = _new_name()
        new = self._open(name, model)
        try:
            fill(new)
            new.flush()
        except BaseException:
            new.close()
            raise
        with self._catalog.transaction():
            self._catalog.set_meta("serving", model)
            self._catalog.nothing_waits()
            self._catalog.set_meta("store", name)
            self._catalog.set_meta("churn", str(self._catalog.counts()[1]))
        self.serving = model
        self._succeed(new)

    def wrote(self, points: int) -> None:
        """Count what makes the store worth compacting."""
        self._catalog.set_meta("churn", str(int(self._catalog.meta("churn") or 0) + points))

    def compact(self) -> None:
        """Take back room and make searches quick, when enough was written since the last time: in a child process,
        whose work `adopt` takes over."""
        points = self._catalog.counts()[1]
        if self._compaction is not None or int(self._catalog.meta("churn") or 0) <= points * _CHURN:
            return
        if self._url or points <= _FEW:
            self._catalog.set_meta("churn", "0")
            self.live.compact()
            return
        self.live.flush()
        source, copy = self._data_dir / self._catalog.meta("store"), self._data_dir / _new_name()
        try:
            self._compaction = Compaction(source, copy, _dimension(self.serving))
        except OSError as error:  # no room for a copy, most likely: the store serves on as it is
            log.warning("the store is not compacted: %s", error.strerror or type(error).__name__)
            shutil.rmtree(copy, ignore_errors=True)
            return
        self.live = Noting(self.live)
        self._catalog.set_meta("churn", "0")

    def adopt(self, *, wait: bool = False) -> None:
        """Let a compacted copy serve, once it is ready and up to date. Not while an update is under way."""
        compaction = self._compaction
        if compaction is None or (compaction.is_running and not wait):
            return
        compaction.wait()
        noted = self.live
        assert isinstance(noted, Noting)
        if not compaction.succeeded:
            self.stop_compacting()
            return
        new = self._open(compaction.copy.name, self.serving)
        self._repeat(noted, new)
        if new.count() != noted.count():
            new.close()
            self.stop_compacting()
            return
        self._compaction = None
        compaction.end(keep=True)
        self._catalog.set_meta("store", compaction.copy.name)
        self._succeed(new)

    def stop_compacting(self) -> None:
        if self._compaction is not None:
            self._compaction.end()
            self._compaction = None
            assert isinstance(self.live, Noting)
            self.live = self.live.store

    def close(self) -> None:
        self.stop_compacting()
        self.live.close()

    def _repeat(self, noted: Noting, new: Store) -> None:
        """Write to `new` what was written to the live store since the copy was made."""
        if noted.files:
            new.delete_files(sorted(noted.files))
        for path, version in self._catalog.versions():
            if file_key(path) in noted.files:
                rows = self._catalog.rows(version)
                vectors = self._catalog.vectors.get(self.serving, [row.sha for row in rows])
                if rows:
                    new.upsert([point(path, row, vectors) for row in rows])
        ids = sorted(noted.embedded)
        for start in range(0, len(ids), _BATCH):
            shas = self._catalog.shas(ids[start : start + _BATCH])
            vectors = self._catalog.vectors.get(self.serving, list(shas.values()))
            new.set_dense([(id_, vectors[sha]) for id_, sha in shas.items() if sha in vectors])
        new.flush()

    def _succeed(self, new: Store) -> None:
        old, self.live = self.live, new
        if self._url:
            old.reset()  # a collection without points stays behind
        old.close()
        self._remove_others()

    def _open(self, name: str, model: str) -> Store:
        if not self._url:
            return EdgeStore(self._data_dir / name, _dimension(model))
        return ServerStore(self._url, f"pointsman-{name}", _dimension(model), self._key)

    def _remove_others(self) -> None:
        """Stores that a process left half built, or did not come to remove."""
        for folder in self._data_dir.glob("vectors*"):
            if folder.name != self._catalog.meta("store") and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)


def _new_name() -> str:
    return f"vectors-{uuid.uuid4().hex}"


def _dimension(model: str) -> int:
    return int(model.rpartition("/")[2])
