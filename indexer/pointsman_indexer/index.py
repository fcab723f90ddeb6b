"""The index of one repository: open, update, search, close. Puts the parts together and holds the lock.

All calls of one `Index` come from one thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pointsman_indexer.catalog import Catalog
from pointsman_indexer.embed import Embedder, check_vector, embed_checked
from pointsman_indexer.errors import IndexerError, IndexLocked
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.outline import outline
from pointsman_indexer.search import Hit, Search
from pointsman_indexer.store import EdgeStore, ServerStore, Store
from pointsman_indexer.update import Progress, Report, Update


class Index:
    """Made by `open`. A context manager."""

    def __init__(
        self, root: Path, lock: int, catalog: Catalog, store: Store, embedder: Embedder, patterns: tuple[str, ...]
    ) -> None:
        self._root = root
        self._lock = lock
        self._catalog = catalog
        self._store = store
        self._embedder = embedder
        self._patterns = patterns

    @classmethod
    def open(
        cls, root: Path, data_dir: Path, embedder: Embedder, *, exclude: Sequence[str] = (), store_url: str = ""
    ) -> Index:
        """Open the index of `root`, kept in `data_dir`, which is this index's own folder and made when missing.

        Args:
            root: the repository's root, as `find_root` gives it.
            exclude: gitignore patterns on top of the built-in list and `.pointsmanignore`.
            store_url: a Qdrant server; "" keeps the vectors in `data_dir`.

        Raises `IndexLocked` when it is open elsewhere, `IndexerError` when a folder cannot be used, `StoreError`.
        """
        root = root.resolve()
        if not root.is_dir():
            raise IndexerError(f"{root} is not a folder")
        _own_folder(data_dir)
        lock = _lock(data_dir / "lock")
        try:
            with _translated():
                catalog = Catalog(data_dir / "catalog.sqlite")
                try:
                    store = _store(data_dir, catalog, embedder, store_url)
                except BaseException:
                    catalog.close()
                    raise
        except BaseException:
            os.close(lock)
            raise
        inside = data_dir.resolve()
        own = (f"/{inside.relative_to(root).as_posix()}/",) if inside.is_relative_to(root) and inside != root else ()
        return cls(root, lock, catalog, store, embedder, (*exclude, *own))

    def update(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Report:
        """Bring the index up to date. When `should_stop` says so it returns early, with what was done kept."""
        with _translated():
            return Update(
                root=self._root,
                catalog=self._catalog,
                store=self._store,
                embedder=self._embedder,
                exclusions=self._exclusions(),
                progress=progress or (lambda _: None),
                should_stop=should_stop or (lambda: False),
            ).run()

    def search(
        self, query: str, k: int = 10, *, language: str = "", query_vector: Sequence[float] | None = None
    ) -> list[Hit]:
        """The best `k` hits at most, best first.

        Args:
            language: only hits in this language, as `language_of` names it.
            query_vector: the query's embedding when the caller has it; else it is made here.
        """
        if k < 1:
            raise IndexerError("k must be at least 1")
        with _translated():
            if not query.strip() or self._catalog.counts()[1] == 0:
                return []
            vector = query_vector
            if vector is not None:
                check_vector(self._embedder, vector)
            elif self._comparable():
                vector = embed_checked(self._embedder, [query], "query")[0]
            search = Search(self._root, self._catalog, self._store, self._exclusions())
            return search.hits(query, vector if self._comparable() else None, k, language)

    def outline(self, paths: Sequence[str], budget: int, query: str = "") -> str:
        """The symbols of these files under a budget of tokens; excluded and unknown files have none."""
        exclusions = self._exclusions()
        with _translated():
            allowed = [path for path in dict.fromkeys(paths) if exclusions.excludes(path) is None]
            return outline({path: self._catalog.symbols(path) for path in allowed}, budget, query)

    def counts(self) -> tuple[int, int]:
        """Files and chunks that the index holds."""
        with _translated():
            return self._catalog.counts()

    def notes(self) -> dict[str, int]:
        """Files that were indexed, but not as they stand, by kind: `invalid_utf8` was read with replacements."""
        with _translated():
            return self._catalog.tally()[1]

    def close(self) -> None:
        """Idempotent."""
        if self._lock < 0:
            return
        try:
            self._store.close()
        finally:
            self._catalog.close()
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exclusions(self) -> Exclusions:
        """As they are now: `.pointsmanignore` may have changed since."""
        return Exclusions(self._root, self._patterns)

    def _comparable(self) -> bool:
        """Whether the stored vectors are this embedder's; after a change of embedder the next update makes them so."""
        return self._catalog.meta("embedder") == f"{self._embedder.name}/{self._embedder.dimension}"


def _own_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise IndexerError(f"{folder} is a link or another user's", remedy="choose another data folder")
        folder.chmod(0o700)
    except OSError as error:
        raise IndexerError(f"cannot use {folder}: {error.strerror}") from error


def _lock(file: Path) -> int:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise IndexerError(f"cannot use {file}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise IndexLocked(
            "the index is open in another process", remedy="close it, or ask the process that has it"
        ) from error
    return descriptor


def _store(data_dir: Path, catalog: Catalog, embedder: Embedder, url: str) -> Store:
    if not url:
        return EdgeStore(data_dir / "vectors", embedder.dimension)
    name = catalog.meta("collection")
    if not name:
        name = f"pointsman-{uuid.uuid4().hex}"
        catalog.set_meta("collection", name)
    return ServerStore(url, name, embedder.dimension)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise IndexerError(
            f"the index's catalogue failed ({error.sqlite_errorname})", remedy="see whether the disk is full"
        ) from error
