"""The index of one repository: open, update, search, close. Puts the parts together and holds the lock.

All calls of one `Index` come from one thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pointsman_indexer.catalog import Catalog
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.dense import model_of
from pointsman_indexer.embed import Embedder, check_vector, embed_checked
from pointsman_indexer.errors import IndexerError, IndexLocked
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.git import revision
from pointsman_indexer.hits import Hit
from pointsman_indexer.languages import languages_called
from pointsman_indexer.outline import outline
from pointsman_indexer.outline import text as map_text
from pointsman_indexer.pool import shared
from pointsman_indexer.scan import scan
from pointsman_indexer.scope import Definition
from pointsman_indexer.search import Mode, Search
from pointsman_indexer.snapshot import Export, Import
from pointsman_indexer.stores import Stores
from pointsman_indexer.terms import content_terms, telling_words
from pointsman_indexer.update import Progress, Report, Update
from pointsman_indexer.uses import Use

_MOST_SCANNED, _SCAN_SECONDS = 20_000, 0.5
"""Of the files that are not in the index yet, for one search."""


class Index:
    """Made by `open`. A context manager."""

    def __init__(
        self,
        root: Path,
        data_dir: Path,
        lock: int,
        catalog: Catalog,
        stores: Stores,
        embedder: Embedder,
        patterns: tuple[str, ...],
    ) -> None:
        self._root = root
        self._data_dir = data_dir
        self._lock = lock
        self._catalog = catalog
        self._stores = stores
        self._embedder = embedder
        self._patterns = patterns

    @classmethod
    def open(
        cls,
        root: Path,
        data_dir: Path,
        embedder: Embedder,
        *,
        exclude: Sequence[str] = (),
        store_url: str = "",
        store_key: str = "",
    ) -> Index:
        """Open the index of `root`, kept in `data_dir`, which is this index's own folder and made when missing.

        Args:
            root: the repository's root, as `find_root` gives it.
            exclude: gitignore patterns on top of the built-in list and `.pointsmanignore`.
            store_url: a Qdrant server; "" keeps the vectors in `data_dir`.
            store_key: the server's API key.

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
                    stores = Stores(data_dir, catalog, store_url, model_of(embedder), store_key)
                except BaseException:
                    catalog.close()
                    raise
        except BaseException:
            os.close(lock)
            raise
        inside = data_dir.resolve()
        own = (f"/{inside.relative_to(root).as_posix()}/",) if inside.is_relative_to(root) and inside != root else ()
        return cls(root, data_dir, lock, catalog, stores, embedder, (*exclude, *own))

    def update(
        self,
        paths: Sequence[str] | None = None,
        *,
        embed: bool = True,
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        snapshot: Import | None = None,
    ) -> Report:
        """Bring the index up to date. When `should_stop` says so it returns early, with what was done kept.

        Args:
            paths: what may have changed, relative to the root with `/`: files or folders, there or gone. Only these
                are looked at, unless one of them decides which files there are. Without, everything is.
            embed: whether to go on to the second phase; without it, what is new is found by words alone.
            snapshot: where vectors may be found for what was moved or changed a little.
        """
        with _translated():
            self._stores.adopt()
            return Update(
                root=self._root,
                data_dir=self._data_dir,
                catalog=self._catalog,
                stores=self._stores,
                embedder=self._embedder,
                exclusions=self._exclusions(),
                parsers=shared(),
                progress=progress or (lambda _: None),
                should_stop=should_stop or (lambda: False),
                brought=snapshot.vector if snapshot is not None else (lambda _: None),
            ).run(paths, embed=embed)

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        language: str = "",
        query_vector: Sequence[float] | None = None,
        mode: Mode = "hybrid",
    ) -> list[Hit]:
        """The best `k` hits at most, best first. Files that are not in the index yet are searched as text, for a while.

        Args:
            language: only hits in this language, by any name that `languages_called` knows; none for another.
            query_vector: the query's embedding when the caller has it; else it is made here.
            mode: `lexical` and `dense` are one search alone, to measure the ranking against, and `exact` is `dense`
                without a graph.
        """
        if k < 1:
            raise IndexerError("k must be at least 1")
        with _translated():
            languages = languages_called(language)
            if not query.strip() or (language and not languages):
                return []
            self._stores.adopt()
            exclusions = self._exclusions()
            unread = self._catalog.unread(_MOST_SCANNED) if mode in ("hybrid", "lexical") else []
            pending = scan(self._root, unread, content_terms(query), k, _SCAN_SECONDS, exclusions) if unread else []
            vector = query_vector
            if vector is not None:
                check_vector(self._embedder, vector)
            elif self._comparable():
                vector = embed_checked(self._embedder, [query], "query")[0]
            search = Search(self._root, self._catalog, self._stores.live, exclusions)
            known = vector if self._comparable() else None
            return search.hits(query, known, k, languages, mode=mode, pending=pending)

    def outline(self, paths: Sequence[str], budget: int, query: str = "") -> str:
        """The symbols of these files under a budget of tokens; excluded and unknown files have none."""
        with _translated():
            allowed = self._allowed(dict.fromkeys(paths))
            return outline({path: self._catalog.symbols(path) for path in allowed}, budget, query)

    def repository_map(self, budget: int, focus: Sequence[str] = (), query: str = "") -> str:
        """The definitions that the repository leans on most, and then others, under a budget of tokens: seen from the
        files `focus`, which are at hand and left out, and from the names in `query`."""
        with _translated():
            ranked = self._catalog.graph.repository_map(budget, focus, telling_words(query))
            allowed = set(self._allowed(path for path, _ in ranked))
            return map_text((path, symbols) for path, symbols in ranked if path in allowed)

    def definitions(self, path: str, line: int, names: Sequence[str] = ()) -> list[Definition]:
        """What is in scope at a line, best first: what `names` mean, members of the class around, what imports bring
        in, then the file's other outer definitions."""
        with _translated():
            found = self._catalog.graph.definitions(path, line, names) if list(self._allowed([path])) else []
            allowed = set(self._allowed({one.path for one in found}))
            return [one for one in found if one.path in allowed]

    def find_symbol(self, symbol: str) -> list[Definition]:
        """Definitions of this name, or of this end of a qualified name; outer ones first."""
        with _translated():
            found = self._catalog.graph.find(symbol)
            allowed = set(self._allowed({one.path for one in found}))
            return [one for one in found if one.path in allowed]

    def uses(self, path: str, symbol: str, limit: int = 500) -> list[Use]:
        """Where the definition `symbol`, by qualified name, of `path` is used: what resolves to it comes first."""
        with _translated():
            found = self._catalog.graph.uses(path, symbol, limit)
            allowed = set(self._allowed({one.path for one in found}))
            return [one for one in found if one.path in allowed]

    def _allowed(self, paths: Iterable[str]) -> Iterator[str]:
        exclusions = self._exclusions()
        return (path for path in paths if exclusions.excludes(path) is None)

    def export(self, target: Path) -> Export:
        """Begin to write what is indexed to a file for others. `export_step` until it is done, then `close` it."""
        return Export(target, model_of(self._embedder), revision(self._root))

    def export_step(self, export: Export) -> bool:
        """Write some; False when the file is in place. Between two steps the index may be searched and updated."""
        with _translated():
            return export.step(self._catalog, self._exclusions())

    def import_step(self, snapshot: Import) -> bool:
        """Take over some of a snapshot that was checked; False when there is no more. The next update uses it."""
        with _translated():
            return snapshot.step(self._root, self._catalog, self._exclusions())

    def settle(self) -> None:
        """Wait for the store's compacting, and for the graph that it builds, when an update has begun that."""
        with _translated():
            self._stores.adopt(wait=True)

    def chunks(self) -> Iterator[Chunk]:
        """All chunks that the index holds, by path and line."""
        with _translated():
            for _, one in self._catalog.all_chunks():
                yield one

    def missing(self) -> tuple[int, int]:
        """Files whose content of now was not read yet, and chunks that are found by their words only."""
        with _translated():
            waits = self._catalog.counts()[1] if not self._comparable() else self._catalog.waiting_count()[0]
            return self._catalog.unread_count(), waits

    def walked(self) -> bool:
        """Whether all files were looked for at some time, so that none is here where the index has none."""
        with _translated():
            return bool(self._catalog.meta("walked"))

    def counts(self) -> tuple[int, int]:
        """Files and chunks that the index holds."""
        with _translated():
            return self._catalog.counts()

    def notes(self) -> dict[str, int]:
        """Files that were indexed, but not as they stand, by kind: `invalid_utf8` was read with replacements, `as_text`
        was too much for its grammar."""
        with _translated():
            return self._catalog.tally()[1]

    def close(self) -> None:
        """Idempotent."""
        if self._lock < 0:
            return
        try:
            self._stores.close()
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

    @property
    def serving(self) -> str:
        """Name of the embedder whose vectors answer; after a change it is the old one until all is embedded anew."""
        return self._stores.serving.rpartition("/")[0]

    def _comparable(self) -> bool:
        """Whether the vectors that answer are this embedder's."""
        return self._stores.serving == model_of(self._embedder)


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


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise IndexerError(
            f"the index's catalogue failed ({error.sqlite_errorname})", remedy="see whether the disk is full"
        ) from error
