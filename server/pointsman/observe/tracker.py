"""What becomes of suggestions in one document: what was offered and how the document changed, to what the user did.

Everything is an estimate from edits; what a client reports outweighs it. Typing a suggestion and taking it look alike
in small steps, so up to three characters at once count as typed. Pure: the clock is the caller's, offsets are code
points, and it knows no protocol.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pointsman.observe.ghost import Alternative, Ghost
from pointsman.observe.retention import Kept
from pointsman.session import Edit

Outcome = Literal["accepted", "partly", "typed", "rejected", "missed"]
"""missed: it was gone before one could read it. typed: the user wrote all of it, key by key."""

SHOWN_AFTER = 0.2
"""Seconds that a suggestion stands before it counts as shown: about the time it takes to notice one."""
IGNORED_AFTER = 600.0
TYPED_AT_ONCE = 3
"""Editors gather keystrokes for up to 150 ms before they tell them."""
_MOST_KEPT = 100
_MOST_KNOWN = 200


@dataclass(frozen=True, slots=True)
class Offered:
    """A suggestion that is not the rest of an earlier one."""

    id: str


@dataclass(frozen=True, slots=True)
class Shown:
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How things stand with a suggestion. Later ones replace earlier ones; no outcome means that it is still open."""

    id: str
    outcome: Outcome | None
    accepted: int
    """Code points that came in at once."""
    typed: int
    """Code points that the user typed as suggested."""
    reported: bool = False
    """The client said so."""


@dataclass(frozen=True, slots=True)
class Retained:
    id: str
    seconds: int
    share: float


Event = Offered | Shown | Taken | Retained


@dataclass(frozen=True, slots=True)
class _Given:
    """The suggestion that an item's id stands for, and how far that was when the id was given out."""

    suggestion: str = ""
    done: int = 0


class _Open:
    """The suggestion that may be on the screen."""

    def __init__(self, ghost: Ghost, now: float) -> None:
        self.id = ghost.chosen.id
        self.ghost = ghost
        self.since = now
        self.shown = False
        self.accepted = 0
        self.step = 0
        """Where the last edit began, when it counted as typed: all that a report after it can still claim."""
        self.reported_to = 0
        """As far as the client said that it was accepted."""
        self.reported = False

    def piece(self, now: float) -> Kept:
        """What stands there of it."""
        ghost = self.ghost
        return Kept(self.id, ghost.chosen.text[ghost.base : ghost.done], ghost.start + ghost.base, now)

    def length_of(self, id: str) -> int:
        """Code points of the alternative with that id; of the chosen one for the rest of a suggestion."""
        found = (a for a in self.ghost.alternatives if a.id == id)
        return len(next(found, self.ghost.chosen).text)

    def report(self, reaching: int) -> None:
        """Note that the client said it is accepted so far, which an edit just before or after may show as well.

        What was typed by then stays typed.
        """
        ghost = self.ghost
        since = max(self.step if reaching <= ghost.done else ghost.done, self.reported_to, ghost.base)
        self.accepted += max(reaching - since, 0)
        self.reported_to = max(self.reported_to, reaching)

    def taken(self, outcome: Outcome | None) -> Taken:
        typed = max(max(self.ghost.done, self.reported_to) - self.ghost.base - self.accepted, 0)
        return Taken(id=self.id, outcome=outcome, accepted=self.accepted, typed=typed, reported=self.reported)


class Tracker:
    """One open document."""

    def __init__(self) -> None:
        self._open: _Open | None = None
        self._kept: list[Kept] = []
        self._known: OrderedDict[str, _Given] = OrderedDict()
        self._settled: OrderedDict[str, tuple[_Open, Kept]] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing left to find out."""
        return self._open is None and not self._kept

    def offer(self, alternatives: Sequence[Alternative], document: str, now: float) -> list[Event]:
        """A new answer for this document, which replaces what was on the screen; none clears it."""
        events = self._looked(now)
        current = self._open
        if current is not None and alternatives and current.ghost.continued_by(alternatives):
            current.ghost.join(alternatives)
        else:
            events += self._dismissed(now)
            if not alternatives:
                return events
            current = self._open = _Open(Ghost(alternatives, document), now)
            events.append(Offered(current.id))
        for alternative in alternatives:
            self._known[alternative.id] = _Given(current.id, current.ghost.done)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return events

    def edit(self, edits: Sequence[Edit], now: float) -> list[Event]:
        """Edits that came together, each in code points of the text after the one before."""
        events = self._looked(now)
        for kept in self._kept:
            for edit in edits:
                kept.apply(edit)
        current = self._open
        if current is None:
            return events
        done, accepted, piece = current.ghost.done, current.accepted, current.piece(now)
        if not current.ghost.apply(edits):
            for edit in edits:
                piece.apply(edit)
            return events + self._dismissed(now, piece)
        self._count(current, done)
        if current.accepted > accepted and not current.shown:
            current.shown = True
            events.append(Shown(current.id))
        if current.ghost.is_whole:
            return events + self._ended(current, "accepted" if current.accepted else "typed", current.piece(now))
        if current.accepted != accepted:
            events.append(current.taken("partly" if current.accepted else None))
        return events

    def look(self, now: float) -> list[Event]:
        """What time alone brings: call it about every second."""
        events = self._looked(now)
        if self._open is not None and now - self._open.since >= IGNORED_AFTER:
            events += self._dismissed(now)
        return events

    def dismiss(self, now: float) -> list[Event]:
        """The user looks elsewhere, or the document is closed."""
        return self._looked(now) + self._dismissed(now)

    def client_shown(self, id: str) -> list[Event]:
        """The client showed the item."""
        current = self._open
        if current is None or current.shown or self._known.get(id, _Given()).suggestion != current.id:
            return []
        current.shown = True
        return [Shown(current.id)]

    def client_accepted(self, id: str) -> list[Event]:
        """The client says that the user took the item. Before or after the edit that puts it in."""
        suggestion, current = self._known.get(id, _Given()).suggestion, self._open
        shown: list[Event] = [Shown(suggestion)]
        if current is not None and current.id == suggestion:
            shown = self.client_shown(id)
            current.report(current.length_of(id))
        elif suggestion in self._settled and not self._settled[suggestion][0].reported:
            current, piece = self._settled[suggestion]
            before = current.accepted
            current.report(current.length_of(id))
            if current.accepted and not before:
                self._keep(piece)
        else:
            return []
        current.reported = True
        return [*shown, current.taken("accepted")] if current.accepted else []

    def client_partly(self, id: str, length: int) -> list[Event]:
        """The client says that the first `length` code points of the item are taken."""
        given, current = self._known.get(id, _Given()), self._open
        if current is None or current.id != given.suggestion:
            return []
        length = min(length, current.length_of(id) - given.done)
        if length <= 0 or given.done + length <= current.reported_to:
            return []
        current.report(given.done + length)
        return [current.taken("partly")] if current.accepted else []

    def _count(self, current: _Open, before: int) -> None:
        """Tell typing from taking."""
        ghost = current.ghost
        came = ghost.done - max(before, current.reported_to)
        if ghost.done == before:
            return
        current.step = ghost.done - max(came, 0)
        if ghost.done < before:
            current.accepted = max(min(current.accepted, ghost.done - ghost.base), 0)
            current.reported_to = min(current.reported_to, ghost.done)
            return
        written = ghost.chosen.text[before : ghost.done]
        at_once = ghost.is_whole and before <= ghost.base and len(written) > 1
        if came > 0 and written.strip() and (came > TYPED_AT_ONCE or at_once):
            current.accepted += came
            current.step = ghost.done

    def _looked(self, now: float) -> list[Event]:
        events: list[Event] = []
        current = self._open
        if current is not None and not current.shown and now - current.since >= SHOWN_AFTER:
            current.shown = True
            events.append(Shown(current.id))
        for kept in self._kept:
            events += [Retained(kept.id, seconds, share) for seconds, share in kept.due(now)]
        self._kept = [kept for kept in self._kept if not kept.is_over]
        return events

    def _dismissed(self, now: float, piece: Kept | None = None) -> list[Event]:
        """`piece` is what stands of the suggestion, when an edit has just broken it up."""
        current = self._open
        if current is None:
            return []
        outcome: Outcome = "rejected" if current.shown else "missed"
        if current.accepted:
            outcome = "accepted" if current.reported else "partly"
        return self._ended(current, outcome, piece or current.piece(now))

    def _ended(self, current: _Open, outcome: Outcome, piece: Kept) -> list[Event]:
        self._open = None
        self._settled[current.id] = current, piece
        if len(self._settled) > _MOST_KNOWN:
            self._settled.popitem(last=False)
        if current.accepted:
            self._keep(piece)
        return [current.taken(outcome)]

    def _keep(self, piece: Kept) -> None:
        if piece.text:
            self._kept = [*self._kept, piece][-_MOST_KEPT:]
