"""Follows the suggestions of one editor window and has them noted. Belongs to the event loop's thread.

Cheap enough for every keystroke: only documents with an open or freshly accepted suggestion are looked at.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence

from pointsman.complete.types import Completion, CompletionQuery
from pointsman.observe.ghost import Alternative
from pointsman.observe.records import answer_of, suggestion_of
from pointsman.observe.store import Store
from pointsman.observe.tracker import Event, Offered, Tracker
from pointsman.session import Edit

_LOOK_SECONDS = 0.5


class Recorder:
    """`enabled` is asked at each answer, so that the setting takes effect at once."""

    def __init__(
        self,
        store: Store,
        enabled: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._enabled = enabled
        self._clock = clock
        self._now = now
        self._key = secrets.token_bytes(16)
        self._trackers: dict[str, Tracker] = {}
        self._looking: asyncio.TimerHandle | None = None

    def answered(self, query: CompletionQuery, completion: Completion | None, withheld: str = "") -> None:
        """A request is answered: by a completion which the document still fits, or by nothing, for a reason."""
        if not self._enabled():
            self._trackers.clear()
            return
        now = self._now()
        self._store.answered(answer_of(query, completion, withheld, now))
        if completion is None or withheld:
            return
        uri = query.snapshot.uri
        tracker = self._trackers.setdefault(uri, Tracker())
        alternatives = [Alternative(item.id, item.text, item.start, item.end) for item in completion.items]
        for event in tracker.offer(alternatives, query.snapshot.text, self._clock()):
            if isinstance(event, Offered):
                item = next(item for item in completion.items if item.id == event.id)
                self._store.suggested(suggestion_of(query, completion, item, self._key, now))
            else:
                self._store.happened(event)
        self._look_later()

    def is_watching(self, uri: str) -> bool:
        """Whether edits of that document matter now."""
        return uri in self._trackers and not self._trackers[uri].is_idle

    def edited(self, uri: str, edits: Sequence[Edit]) -> None:
        if (tracker := self._trackers.get(uri)) is not None:
            self._note(tracker.edit(edits, self._clock()))

    def left(self, uri: str) -> None:
        """The document is closed: nothing more can be seen of it."""
        if (tracker := self._trackers.pop(uri, None)) is not None:
            self._note(tracker.dismiss(self._clock()))

    def focused(self, uri: str) -> None:
        """The user looks at that document, and so at no suggestion in another."""
        for other, tracker in self._trackers.items():
            if other != uri:
                self._note(tracker.dismiss(self._clock()))

    def shown(self, item: str) -> None:
        self._report(lambda tracker: tracker.client_shown(item))

    def accepted(self, item: str) -> None:
        self._report(lambda tracker: tracker.client_accepted(item))

    def partly_accepted(self, item: str, length: int) -> None:
        """`length` is in code points from the item's start."""
        self._report(lambda tracker: tracker.client_partly(item, length))

    def close(self) -> None:
        """The window closes."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        for uri in list(self._trackers):
            self.left(uri)

    def _report(self, of: Callable[[Tracker], list[Event]]) -> None:
        for tracker in self._trackers.values():
            self._note(of(tracker))
        self._look_later()

    def _note(self, events: list[Event]) -> None:
        for event in events:
            self._store.happened(event)

    def _look_later(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = None
        for tracker in self._trackers.values():
            self._note(tracker.look(self._clock()))
        if not all(tracker.is_idle for tracker in self._trackers.values()):
            self._look_later()
