"""Compacting an embedded store in a child process, on a copy, while the store goes on answering.

Building a graph over many points takes seconds of all cores inside one call of the store's library, which would hold
this process's interpreter all the while. What is written meanwhile is noted and repeated on the copy before it takes
over. Knows nothing of catalogues.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from pointsman_indexer.children import environment
from pointsman_indexer.niceness import give_way
from pointsman_indexer.store import Point, Store
from pointsman_indexer.store_edge import EdgeStore

_NICENESS = 15


class Compaction:
    """One child at work on a copy of the store in `source`, which must have been flushed. `end` it."""

    def __init__(self, source: Path, copy: Path, dimension: int) -> None:
        shutil.copytree(source, copy)
        self.copy = copy
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "pointsman_indexer.compaction", str(copy), str(dimension)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    @property
    def succeeded(self) -> bool:
        return self._child.poll() == 0

    def wait(self) -> None:
        self._child.wait()

    def end(self, *, keep: bool = False) -> None:
        """Stop the child if it still runs; without `keep` its copy is removed."""
        self._child.kill()
        self._child.wait()
        if not keep:
            shutil.rmtree(self.copy, ignore_errors=True)


class Noting:
    """A store that notes what is written to it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.files: set[str] = set()
        """Keys of files whose points were deleted or put."""
        self.embedded: set[str] = set()
        """Ids of points that got their dense vector."""
        self.dense, self.cosines, self.lexical, self.count = store.dense, store.cosines, store.lexical, store.count
        self.flush, self.compact, self.reset, self.close = store.flush, store.compact, store.reset, store.close

    def upsert(self, points: Sequence[Point]) -> None:
        self.files.update(point.file for point in points)
        self.store.upsert(points)

    def delete_files(self, files: Sequence[str], keep: Collection[str] = ()) -> None:
        self.files.update(files)
        self.store.delete_files(files, keep)

    def set_dense(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        self.embedded.update(id_ for id_, _ in vectors)
        self.store.set_dense(vectors)


def main(folder: str, dimension: str) -> None:
    give_way(_NICENESS)
    store = EdgeStore(Path(folder), int(dimension))
    store.compact()
    store.flush()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
