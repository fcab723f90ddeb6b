"""The inline-completion pipeline: filter, cache, context, prompt, generate, clean, fit; each stage leaves a record.

Sees the host and nothing behind it. A newer request for the same document is the caller's reason to cancel this one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from uuid import uuid4

from pointsman.complete.cache import Suggestion, SuggestionCache
from pointsman.complete.clean import clean
from pointsman.complete.context import Context, budget_for, related, window
from pointsman.complete.cursor import Cursor, cursor_of
from pointsman.complete.fit import fit
from pointsman.complete.generate import Draft, draft
from pointsman.complete.memory import Memory, Remembered
from pointsman.complete.prefilter import exclusion, pointless, too_large
from pointsman.complete.prompt import build_prompt
from pointsman.complete.scope import scope_at
from pointsman.complete.trail import Trail
from pointsman.complete.types import Completion, CompletionQuery, Item
from pointsman.errors import PointsmanError
from pointsman.exclusion import ExclusionsOf
from pointsman.host.api import HostApi, ModelFacts, ModelParams
from pointsman.settings import Settings


class CompletionService:
    """Completes at a cursor. Belongs to one event loop; requests for different documents may overlap."""

    def __init__(self, host: HostApi, exclusions: ExclusionsOf, settings: Settings) -> None:
        self._host = host
        self._exclusions = exclusions
        self._settings = settings
        self._cache = SuggestionCache()
        self._model = ""
        self._memory = Memory()

    async def complete(self, query: CompletionQuery) -> Completion:
        """Items, or the reason why there is none. Raises `PointsmanError` when the model cannot be asked."""
        trail = Trail()
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

    async def _completed(self, query: CompletionQuery, trail: Trail) -> Completion:
        begun = time.perf_counter()
        cursor, reason = await self._admitted(query)
        trail.note("prefilter", reason or "passed", (time.perf_counter() - begun) * 1000)
        if cursor is None:
            return trail.end((), model=self._model, reason=reason)
        if hit := self._cache.get(query.snapshot.uri, cursor, query.count):
            trail.note("cache", hit.kind)
            return self._finished(cursor, hit.suggestions[: query.count], trail, "")
        trail.note("cache", "miss")
        facts = await self._facts()
        suggestions, reason = await self._generated(query, cursor, facts, trail)
        if suggestions:
            self._cache.put(query.snapshot.uri, cursor, query.count, suggestions)
        return self._finished(cursor, suggestions, trail, reason)

    async def _admitted(self, query: CompletionQuery) -> tuple[Cursor | None, str]:
        """The cursor when the request deserves an answer, else the reason why not."""
        if reason := await asyncio.to_thread(exclusion, query, self._exclusions):
            return None, reason
        if reason := too_large(query.snapshot.text):
            return None, reason
        cursor = cursor_of(query)
        reason = pointless(cursor)
        return (None, reason) if reason else (cursor, "")

    async def _facts(self) -> ModelFacts:
        facts = await self._host.model(ModelParams(task="completion"))
        if facts.name != self._model:
            self._cache.clear()
            self._model = facts.name
        return facts

    async def _generated(
        self, query: CompletionQuery, cursor: Cursor, facts: ModelFacts, trail: Trail
    ) -> tuple[tuple[Suggestion, ...], str]:
        with trail.timed("context"):
            context = await self._context(query, cursor, facts, trail)
            prompt = build_prompt(
                context,
                path=query.snapshot.relative,
                language=query.snapshot.language,
                fim=facts.fim,
                special_tokens=facts.special_tokens,
                begin=facts.begin,
            )
        scope = scope_at(cursor)
        extent = "the block" if scope.multi_line else "one line"
        trail.note(
            "prompt", f"{len(prompt.text)} characters, {facts.fim.order if facts.fim else 'prefix only'}, {extent}"
        )
        found: list[Suggestion] = []
        reason = ""
        for alternative in range(query.count):
            made = await draft(
                self._host,
                prompt,
                scope,
                max_tokens=self._settings.max_completion_tokens,
                alternative=alternative,
                workspace=str(query.snapshot.root or ""),
            )
            _note_draft(trail, made)
            begun = time.perf_counter()
            if made.mismatch:
                text, why = "", "the model would not go on from this white space"
            else:
                text, why = clean(made.text, cursor, scope, facts.special_tokens)
            ms = (time.perf_counter() - begun) * 1000
            trail.add_ms("clean", ms)
            trail.note("clean", why or f"{len(text)} characters kept", ms)
            reason = reason or why
            if text and text not in {suggestion.text for suggestion in found}:
                found.append(Suggestion(text, made.score))
        return tuple(sorted(found, key=lambda suggestion: -suggestion.score)), reason

    async def _context(self, query: CompletionQuery, cursor: Cursor, facts: ModelFacts, trail: Trail) -> Context:
        budget = budget_for(facts, self._settings.max_completion_tokens)
        context = window(cursor, budget)
        snapshot = query.snapshot
        begun = time.perf_counter()
        if budget.chunks and snapshot.root is not None:
            chunks, outcome = await related(
                self._host,
                self._exclusions,
                snapshot.root,
                snapshot.relative,
                snapshot.language,
                cursor,
                budget.chunks,
            )
            context = replace(context, chunks=chunks)
        else:
            outcome = "no search: the model cannot use other files" if not budget.chunks else "no search: no repository"
        size = f"{len(context.before)} characters before, {len(context.after)} after"
        trail.note("context", f"{size}; {outcome}", (time.perf_counter() - begun) * 1000)
        return context

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
    fitted = fit(suggestion.text, cursor.line_after)
    if not fitted.text.strip():
        return None
    text = fitted.text.replace("\n", cursor.newline)
    return Item(
        id=uuid4().hex,
        text=cursor.lead + text,
        score=round(suggestion.score, 4),
        start=cursor.start,
        end=cursor.end + fitted.covered,
    )


def _note_draft(trail: Trail, made: Draft) -> None:
    trail.add_ms("queue", made.queue_ms)
    trail.add_ms("prefill", made.prefill_ms)
    trail.add_ms("decode", made.decode_ms)
    reused = "" if made.reused_tokens is None else f", {made.reused_tokens} prompt tokens reused"
    trail.note("generate", f"{made.tokens} tokens, ended by {made.ended_by}{reused}", made.decode_ms)
