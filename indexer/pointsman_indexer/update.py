"""Bring the index up to date with the files: look, take in what is new, then embed what has no vector.

After the first phase everything is found by words, after the second by meaning as well. What is out of bounds by now
is purged: it leaves the catalogue first, then the store is made anew, since Qdrant only marks points as deleted, and
then the catalogue's file. Knows nothing of searching.
"""

from __future__ import annotations

import json
import logging
import os
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointsman_indexer import listing
from pointsman_indexer.catalog import Catalog, Plan
from pointsman_indexer.dense import Dense, fill, model_of
from pointsman_indexer.embed import Embedder
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.git import revision
from pointsman_indexer.intake import Intake
from pointsman_indexer.pool import Parsers
from pointsman_indexer.purge import check_gone, needles
from pointsman_indexer.store import file_key
from pointsman_indexer.stores import Stores

log = logging.getLogger(__name__)

_MOST_PATHS = 1000
"""With more changed paths than this, a walk is cheaper than looking at each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`scan` and `parse` count files, `store` and `embed` chunks; the total of `store` is an estimate."""

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
    skipped_paths: dict[str, tuple[str, ...]]
    """The first paths of those, by reason: none of what is excluded, and of an update of some paths alone those that
    were skipped for their content."""
    notes: dict[str, int]
    """Files indexed, but not as they stand: `as_text`, which were too much for their grammar, and `invalid_utf8`."""
    seconds: float
    embedded: int
    """Chunks that went through the embedder."""
    reused: int
    """Chunks that needed a vector which was known."""
    model: str
    """Name of the embedder."""
    revision: str
    """The commit that HEAD names, or ""."""


@dataclass(slots=True)
class Update:
    """One update. `run` once."""

    root: Path
    data_dir: Path
    catalog: Catalog
    stores: Stores
    embedder: Embedder
    exclusions: Exclusions
    parsers: Parsers
    progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    brought: Callable[[str], array[float] | None]
    """As `Dense` has it."""
    _written: bool = False
    _stored: int = 0
    _rebuilt: int = 0
    _unreadable: list[str] = field(default_factory=list)
    _left_out: dict[str, list[str]] = field(default_factory=dict)
    _reused: int = 0
    _embedded: int = 0

    def run(self, paths: Sequence[str] | None = None, *, embed: bool = True) -> Report:
        """Look at everything, or at `paths` alone (relative to the root; files or folders, there or gone), or with no
        path at what an update that was stopped has left."""
        started = time.monotonic()
        everything = paths is None or self._needs_a_walk(paths)
        done = self._whole() if everything else self._some(paths or ())
        if done and embed:
            done = self._embed()
        if self._written:
            self._tidy(done and embed, done and everything)
        return self._report(started)

    def _needs_a_walk(self, paths: Sequence[str]) -> bool:
        """Whether looking at these paths alone would miss something."""
        return (
            len(paths) > _MOST_PATHS
            or not self.catalog.meta("walked")
            or bool(self.catalog.meta("rebuild"))
            or self.catalog.meta("exclusions") != self.exclusions.fingerprint
            or any(listing.decides(path) for path in paths)
        )

    def _whole(self) -> bool:
        self._adopt()
        walk = listing.walk(self.root, self.exclusions)
        self._left_out = walk.places
        self.progress(Progress(stage="scan", done=len(walk.files), total=len(walk.files)))
        plan = self.catalog.plan(walk.files)
        gone = self._remove(plan)
        if self.catalog.meta("rebuild"):
            self._rebuild(gone)
        self.catalog.set_meta("walked", json.dumps(walk.skipped))
        done = self._take_in(plan)
        if done and self.stores.live.count() != self.catalog.counts()[1]:
            log.warning("the vector store does not hold what the catalogue says and is made anew")
            self._rebuild([])
        return done

    def _some(self, paths: Sequence[str]) -> bool:
        if not paths:
            return self._take_in(self.catalog.unread_plan())
        known = dict.fromkeys(known for path in paths for known in self.catalog.below(path))
        found = listing.look(self.root, paths, known, self.exclusions)
        plan = self.catalog.plan(found.files, [*known, *(entry.path for entry in found.files)])
        gone = self._remove(plan)
        if self.catalog.meta("rebuild"):
            self._rebuild(gone)
        return self._take_in(plan)

    def _adopt(self) -> None:
        """Note what this update works with; other exclusions and a store that is not whole mean a new store."""
        excluded = self.catalog.meta("exclusions")
        whole = self.catalog.has_dirty() or self.stores.live.count() == self.catalog.counts()[1]
        with self.catalog.transaction():
            if excluded not in ("", self.exclusions.fingerprint):
                # What was deleted before it was excluded left spares behind, and marks in the store.
                self._drop_spares(keep=0)
                self.catalog.set_meta("rebuild", "purge")
            elif not whole and not self.catalog.meta("rebuild"):
                self.catalog.set_meta("rebuild", "damage")
            self.catalog.set_meta("exclusions", self.exclusions.fingerprint)

    def _remove(self, plan: Plan) -> list[bytes]:
        """Drop files that are gone; those that are merely out of bounds now are purged. Returns what must be gone."""
        if not plan.removed:
            return []
        self._written = True
        purged = [
            path
            for path in plan.removed
            if self.exclusions.excludes(path) is not None or os.path.lexists(self.root / path)
        ]
        marks = needles(self.catalog, purged)
        with self.catalog.transaction():
            self.catalog.mark_paths_dirty(plan.removed)
            if purged:
                self.catalog.detach(purged)
                self._drop_spares(keep=0)
                self.catalog.set_meta("rebuild", "purge")
        if not purged:
            self.stores.live.delete_files([file_key(path) for path in plan.removed])
            self.stores.live.flush()
        with self.catalog.transaction():
            self.catalog.detach(plan.removed)
        return marks

    def _rebuild(self, gone: Sequence[bytes]) -> None:
        """Make the store anew from the catalogue, and after a purge the catalogue's file as well."""
        self._written = True
        purge = self.catalog.meta("rebuild") == "purge"
        self.stores.stop_compacting()  # its copy holds what is to be gone
        fill(self.stores.live, self.catalog, self.stores.serving)
        self._rebuilt = self.catalog.counts()[1]
        with self.catalog.transaction():
            self.catalog.wait_for_unknown(self.stores.serving)
        if purge:
            self.catalog.scrub()
            check_gone(self.data_dir, self.catalog, gone)
        self.catalog.set_meta("rebuild", "")

    def _take_in(self, plan: Plan) -> bool:
        """The first phase; False when it was told to stop."""
        todo = [*plan.changed, *plan.added]
        if not todo:
            return not self.should_stop()
        read = 0

        def parsed(count: int) -> None:
            nonlocal read
            read = count
            self.progress(Progress(stage="parse", done=count, total=len(todo)))

        def stored(count: int) -> None:
            self._written = True
            self._stored = count
            self.progress(Progress(stage="store", done=count, total=max(count, round(count * len(todo) / read))))

        intake = Intake(
            root=self.root,
            catalog=self.catalog,
            store=self.stores.live,
            model=self.stores.serving,
            parsers=self.parsers,
            should_stop=self.should_stop,
            parsed=parsed,
            stored=stored,
        )
        done = intake.run(todo)
        self._reused, self._unreadable = intake.reused, intake.unreadable
        return done

    def _embed(self) -> bool:
        """The second phase; False when it was told to stop."""

        def advanced(count: int, total: int) -> None:
            self._written = True
            self.progress(Progress(stage="embed", done=count, total=total))

        dense = Dense(
            catalog=self.catalog,
            stores=self.stores,
            embedder=self.embedder,
            should_stop=self.should_stop,
            done=advanced,
            brought=self.brought,
        )
        done = dense.run()
        self._embedded = dense.embedded
        self._reused += dense.reused
        return done

    def _tidy(self, embedded: bool, everything: bool) -> None:
        """Give room back, but for what takes longer than a few files do, and for spares that are needed when an update
        that was stopped goes on."""
        self.stores.wrote(self._rebuilt + self._stored + self._embedded)
        if embedded:
            self.stores.compact()
        if everything:
            with self.catalog.transaction():
                self._drop_spares()
            self.catalog.settle()

    def _drop_spares(self, keep: int | None = None) -> None:
        """Versions, then vectors, that nothing needs; all but `keep` of each, or but a good many."""
        models = {self.stores.serving, model_of(self.embedder)}
        self.catalog.drop_spare_versions(*(() if keep is None else (keep,)))
        self.catalog.vectors.drop_spare(sorted(models), *(() if keep is None else (keep,)))

    def _report(self, started: float) -> Report:
        content, notes = self.catalog.tally()
        walked = Counter(json.loads(self.catalog.meta("walked") or "{}"))
        skipped = walked + Counter(content) + Counter(unreadable=len(self._unreadable))
        count, chunks = self.catalog.counts()
        return Report(
            root=str(self.root),
            files=count,
            chunks=chunks,
            skipped=dict(sorted(skipped.items())),
            skipped_paths=self._skipped_paths(),
            notes=dict(sorted(notes.items())),
            seconds=round(time.monotonic() - started, 3),
            embedded=self._embedded,
            reused=self._reused,
            model=self.embedder.name,
            revision=revision(self.root),
        )

    def _skipped_paths(self) -> dict[str, tuple[str, ...]]:
        found = {reason: list(paths) for reason, paths in self._left_out.items()}
        for reason, path in self.catalog.skipped():
            if self.exclusions.excludes(path) is None:
                found.setdefault(reason, []).append(path)
        found.setdefault("unreadable", []).extend(self._unreadable)
        return {reason: tuple(paths[: listing.MOST_TOLD]) for reason, paths in sorted(found.items()) if paths}
