"""Keeps one repository's index up to date, in rounds.

A first embedding takes minutes on a CPU. So an update gives way whenever a search waits, a file was saved or work is
to pause, and goes on where it stopped; what is stored stays stored. Files are watched from the first update on.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import AsyncGenerator, Callable, Sequence

from pointsman.errors import PointsmanError
from pointsman.host.api import IndexProgress, IndexReport
from pointsman.host.index_thread import IndexThread, fields_of, index_closed
from pointsman.host.watch import changes
from pointsman_indexer import Progress, Report
from pointsman_indexer.snapshot import Import

log = logging.getLogger(__name__)
NOTHING_HERE = (
    "there is nothing to index here: files that git does not ignore are looked at, but for excluded, generated, binary "
    "and very large ones"
)
_PAUSE_SECONDS = 2.0
"""Between two looks at whether a pause is over."""
_NOT_WATCHED = "files are not watched: changes are found at the next request"


class Updates:
    """Belongs to one event loop. `close` it once."""

    def __init__(self, thread: IndexThread) -> None:
        self._thread = thread
        self.remark = ""
        """What the user should know of what it is opened with, such as an adaptation that was removed."""
        self.message = ""
        """Why the last update failed, or why this one pauses."""
        self.unwatched = ""
        self._callers: set[asyncio.Queue[IndexProgress | IndexReport | PointsmanError]] = set()
        self._updating: asyncio.Task[None] | None = None
        self._wanted: set[str] | None = set()
        """What the next round has to look at, relative paths; None for everything."""
        self._own_accord = False
        """The update under way was asked for by a change of files, and goes on without a caller."""
        self._watching: asyncio.Task[None] | None = None
        self._snapshot: Import | None = None

    @property
    def busy(self) -> bool:
        return self._updating is not None

    async def join(self, paths: Sequence[str] | None) -> AsyncGenerator[IndexProgress | IndexReport, None]:
        """Join the update under way or start one, of `paths` alone (relative to the root) or of everything.

        When the last caller leaves, it stops at the next batch.
        """
        if self._thread.closing:
            raise index_closed()
        inbox: asyncio.Queue[IndexProgress | IndexReport | PointsmanError] = asyncio.Queue()
        self._callers.add(inbox)
        self._want(None if self.unwatched else paths)
        try:
            while True:
                item = await inbox.get()
                if isinstance(item, PointsmanError):
                    raise item
                yield item
                if isinstance(item, IndexReport):
                    return
        finally:
            self._callers.discard(inbox)

    async def take_vectors_of(self, snapshot: Import) -> None:
        """The next update may find vectors in it, and closes it."""
        await self._drop_snapshot()
        self._snapshot = snapshot

    async def close(self) -> None:
        """Whoever waits for an update is told. The thread must be closing."""
        self._tell(index_closed())
        self._callers.clear()
        self._own_accord = False
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._updating is not None:
            await asyncio.gather(self._updating, return_exceptions=True)
        await self._drop_snapshot()

    def _want(self, paths: Sequence[str] | None) -> None:
        """Look at these paths, or at everything, in the next round; it starts now if none is under way."""
        self._wanted = _joined(self._wanted, None if paths is None else set(paths))
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name=f"watch {self._thread.root.name}")
        if self._updating is None:
            self._updating = asyncio.create_task(self._update(), name=f"index {self._thread.root.name}")

    async def _watch(self) -> None:
        async with contextlib.aclosing(changes(self._thread.root)) as bursts:
            async for paths in bursts:
                self._own_accord = True
                self._want(paths)
        self.unwatched = _NOT_WATCHED

    async def _update(self) -> None:
        outcome: IndexReport | PointsmanError
        try:
            outcome = await self._rounds()
            self.message = ""
        except PointsmanError as error:
            outcome, self.message = error, error.message
        except Exception as error:
            # The callers must hear of every end. The type is logged, never the text, which may quote source.
            log.error("internal error while indexing: %s", type(error).__name__)
            outcome = PointsmanError("internal error while indexing", remedy="the host's log names the kind")
        await self._drop_snapshot()
        self._updating = None
        self._own_accord = False
        self._tell(outcome)

    async def _rounds(self) -> IndexReport:
        """First read what is wanted, so that it is found by words; then go on with what waits, until all is done."""
        seconds, embedded, reused = 0.0, 0, 0
        skipped_paths: dict[str, tuple[str, ...]] = {}
        behind = False
        """Files were left when reading gave way."""
        while True:
            reading = behind or self._is_wanted()
            wanted, self._wanted = self._wanted, set()
            if not reading:
                await self._pause()
            try:
                report, gave_way = await self._round(None if wanted is None else sorted(wanted), reading)
            except Exception:
                self._wanted = _joined(wanted, self._wanted)  # for the next update
                raise
            seconds, embedded, reused = seconds + report.seconds, embedded + report.embedded, reused + report.reused
            skipped_paths |= report.skipped_paths
            self._thread.counts = (report.files, report.chunks)
            if self._alone() or not (reading or gave_way or self._is_wanted()):
                total = dataclasses.replace(report, seconds=round(seconds, 3), embedded=embedded, reused=reused)
                note = self.remark or ("" if report.files else NOTHING_HERE)
                return IndexReport(**{**fields_of(total), "skipped_paths": skipped_paths}, note=note)
            if reading:
                # A round of some paths does not look at what an earlier one left.
                behind = gave_way or (behind and bool(wanted))
                if not behind:
                    self._tell(IndexProgress(stage="read", done=report.files, total=report.files))

    async def _round(self, paths: Sequence[str] | None, reading: bool) -> tuple[Report, bool]:
        """One slice of work, and whether it ended early."""
        loop = asyncio.get_running_loop()
        gave_way = False

        def must_stop() -> bool:
            nonlocal gave_way
            paused = not reading and bool(self._thread.around.pause())
            gave_way = gave_way or paused or self._thread.waiting > 0 or self._is_wanted() or self._alone()
            return gave_way

        def progress(step: Progress) -> None:
            item = IndexProgress(stage=step.stage, done=step.done, total=step.total)
            loop.call_soon_threadsafe(self._tell, item)

        work = functools.partial(self._update_index, paths, not reading, progress, must_stop)
        return await self._thread.run(work), gave_way

    async def _pause(self) -> None:
        """Wait while indexing is to pause; a saved file, or being left alone, ends the wait."""
        while (reason := self._thread.around.pause()) and not (self._is_wanted() or self._alone()):
            self.message = f"indexing pauses {reason}"
            await asyncio.sleep(_PAUSE_SECONDS)
        self.message = ""

    async def _drop_snapshot(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            await self._thread.at_last(snapshot.close)  # where it is read

    def _is_wanted(self) -> bool:
        return self._wanted is None or bool(self._wanted)

    def _alone(self) -> bool:
        return not (self._callers or self._own_accord)

    def _tell(self, item: IndexProgress | IndexReport | PointsmanError) -> None:
        for caller in self._callers:
            caller.put_nowait(item)

    def _update_index(
        self,
        paths: Sequence[str] | None,
        embed: bool,
        progress: Callable[[Progress], None],
        must_stop: Callable[[], bool],
    ) -> Report:
        return self._thread.opened().update(
            paths, embed=embed, progress=progress, should_stop=must_stop, snapshot=self._snapshot
        )


def _joined(one: set[str] | None, other: set[str] | None) -> set[str] | None:
    """What both want looked at; None is everything."""
    return None if one is None or other is None else one | other
