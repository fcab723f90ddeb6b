"""The inline-completion pipeline: filter, cache, candidates, gate, fit; each stage leaves a record.

Sees the host and nothing behind it. A newer request for the same document is the caller's reason to cancel this one.
"""

from __future__ import annotations

import asyncio
import functools
import time
from pathlib import Path
from uuid import uuid4

from pointsman.complete.cache import Suggestion, SuggestionCache
from pointsman.complete.candidates import Candidates
from pointsman.complete.cursor import Cursor, cursor_of
from pointsman.complete.fit import fit
from pointsman.complete.forward import Forward
from pointsman.complete.gate import Gate
from pointsman.complete.memory import Memory, Remembered
from pointsman.complete.prefilter import exclusion, pointless, too_large
from pointsman.complete.trail import Trail
from pointsman.complete.types import Completion, CompletionQuery, Item
from pointsman.errors import PointsmanError
from pointsman.exclusion import ExclusionsOf
from pointsman.finding import FindSecrets
from pointsman.host.api import HostApi, ModelFacts, ModelParams
from pointsman.session import Snapshot
from pointsman.settings import Settings


class CompletionService:
    """Completes at a cursor. Belongs to one event loop; requests for different documents may overlap."""

    def __init__(
        self, host: HostApi, exclusions: ExclusionsOf, settings: Settings, gate: Gate, find_secrets: FindSecrets
    ) -> None:
        self._host = host
        self._exclusions = exclusions
        self._candidates = Candidates(host, exclusions, settings, find_secrets)
        self._gate = gate
        self._cache = SuggestionCache()
        self._forward = Forward(self._ahead)
        self._model = ""
        self._memory = Memory()
        self._rules: dict[Path | None, str] = {}
        """Fingerprint of each repository's exclusions, as of its last completion."""

    async def complete(self, query: CompletionQuery) -> Completion:
        """Items, or the reason why there is none. Raises `PointsmanError` when the model cannot be asked."""
        trail = Trail()
        self._forward.stop()
        try:
            completion = await self._completed(query, trail)
        except PointsmanError as error:
            self._memory.note(query, trail.end((), model=self._model, reason=f"the request failed: {error}"))
            raise
        except asyncio.CancelledError:
            reason = "the request was cancelled: by a newer one or by the editor"
            self._memory.note(query, trail.end((), model=self._model, reason=reason))
            raise
        self._memory.note(query, completion)
        return completion

    def explain(self, uri: str, line: int | None = None) -> Remembered | None:
        """The record of the last completion on a line of this document, else anywhere in it."""
        return self._memory.find(uri, line)

    def withheld(self, uri: str, why: str) -> None:
        """Note that the last completion in this document did not go to the editor."""
        self._memory.withheld(uri, why)

    def accepted(self, item_id: str) -> bool:
        """Note that the user took an item; False when no remembered completion holds it."""
        return self._memory.accepted(item_id)

    def closed(self, snapshot: Snapshot) -> None:
        """The document was closed, or is excluded now: what it held is offered nowhere else."""
        self._candidates.forget(snapshot)

    async def close(self) -> None:
        """Stop what is done ahead."""
        await self._forward.close()

    async def _completed(self, query: CompletionQuery, trail: Trail) -> Completion:
        begun = time.perf_counter()
        cursor, reason = await self._admitted(query)
        trail.note("prefilter", reason or "passed", (time.perf_counter() - begun) * 1000)
        if cursor is None:
            return trail.end((), model=self._model, reason=reason)
        uri = query.snapshot.uri
        if hit := self._cache.get(uri, cursor, query.count):
            trail.note("cache", hit.kind)
            suggestions, reason = hit.suggestions[: query.count], hit.reason
        else:
            trail.note("cache", "miss")
            facts = await self._facts()
            suggestions, reason = await self._candidates.gather(query, cursor, facts, trail)
            self._candidates.noted(query)
            self._cache.put(uri, cursor, query.count, suggestions, reason=reason)
        if query.automatic and suggestions and (why := self._gate.closed_for(suggestions[0], cursor)):
            trail.note("gate", why)
            return trail.end((), model=self._model, reason=why)
        completion = self._finished(cursor, suggestions, trail, reason)
        if completion.items and query.automatic:
            self._forward.after(query, suggestions[0], completion.items[0])
        return completion

    async def _ahead(self, query: CompletionQuery) -> None:
        """Make what comes after an accepted suggestion, before it is asked for."""
        cursor = cursor_of(query)
        if pointless(cursor) or self._cache.get(query.snapshot.uri, cursor, 1):
            return
        facts = await self._facts()
        suggestions, reason = await self._candidates.gather(query, cursor, facts, Trail())
        self._cache.put(query.snapshot.uri, cursor, 1, suggestions, reason=reason, ahead=True)

    async def _admitted(self, query: CompletionQuery) -> tuple[Cursor | None, str]:
        """The cursor when the request deserves an answer, else the reason why not."""
        reason, rules = await asyncio.to_thread(self._judged, query)
        if self._rules.setdefault(query.snapshot.root, rules) != rules:
            self._rules[query.snapshot.root] = rules
            self._cache.clear()  # what is excluded now may have been behind a suggestion
        if reason:
            self.closed(query.snapshot)
            return None, reason
        if reason := too_large(query.snapshot.text):
            return None, reason
        cursor = cursor_of(query)
        reason = pointless(cursor)
        return (None, reason) if reason else (cursor, "")

    def _judged(self, query: CompletionQuery) -> tuple[str | None, str]:
        """Why the document is excluded, and which rules of its repository say so."""
        root, rules = query.snapshot.root, functools.cache(self._exclusions)  # read once, for both
        return exclusion(query, rules), rules(root).fingerprint if root else ""

    async def _facts(self) -> ModelFacts:
        facts = await self._host.model(ModelParams(task="completion"))
        if facts.name != self._model:
            self._cache.clear()
            self._model = facts.name
        return facts

    def _finished(self, cursor: Cursor, suggestions: tuple[Suggestion, ...], trail: Trail, reason: str) -> Completion:
        with trail.timed("clean"):
            items = tuple(item for suggestion in suggestions if (item := _item(suggestion, cursor)))
        if suggestions:
            covered = max((item.end - cursor.end for item in items), default=0)
            trail.note("fit", f"{len(items)} items, {covered} characters covered to the right")
        if not items:
            reason = reason or "the text is already there"
        return trail.end(items, model=self._model, reason=None if items else reason)


def _item(suggestion: Suggestion, cursor: Cursor) -> Item | None:
    fitted = fit(suggestion.text, cursor.line_before, cursor.line_after)
    if not fitted.text.strip():
        return None
    text = fitted.text.replace("\n", cursor.newline)
    return Item(
        id=uuid4().hex,
        text=cursor.lead + text,
        score=round(suggestion.score, 4),
        confidence=round(suggestion.confidence, 3),
        start=cursor.start,
        end=cursor.end + fitted.covered,
    )
