"""What might come next, from two sources: the repository's own text and the model; the likelier one first.

The repository is asked first, for it answers in milliseconds: what it is sure of needs no model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from pointsman.complete.cache import Suggestion
from pointsman.complete.clean import clean
from pointsman.complete.confidence import Evidence
from pointsman.complete.context import Chunk, Context, budget_for, window
from pointsman.complete.corpus import Corpus
from pointsman.complete.cursor import Cursor
from pointsman.complete.generate import Draft, draft
from pointsman.complete.inscope import InScope
from pointsman.complete.lookup import Found, look_up
from pointsman.complete.prompt import build_prompt
from pointsman.complete.ranking import Candidate, by_confidence, evidence_of
from pointsman.complete.recent import Recent
from pointsman.complete.related import Related
from pointsman.complete.scope import Scope, scope_at, within
from pointsman.complete.secrets import new_secret
from pointsman.complete.trail import Trail
from pointsman.complete.types import CompletionQuery
from pointsman.exclusion import ExclusionsOf
from pointsman.finding import FindSecrets
from pointsman.host.api import HostApi, ModelFacts, SearchHit
from pointsman.models.prompting import estimate_tokens
from pointsman.session import Snapshot
from pointsman.settings import Settings

SURE = 0.6
"""Confidence in what was found from which the model is not asked."""

_IN_SCOPE, _RECENT = 0.2, 0.2
"""Shares of the tokens for other text, at most."""
_LINE_SECONDS = 0.3
"""While someone types, a slow model's further lines are not waited for: they would come too late to be read."""


class Candidates:
    """Gathers suggestions for a cursor. Belongs to one event loop."""

    def __init__(self, host: HostApi, exclusions: ExclusionsOf, settings: Settings, find_secrets: FindSecrets) -> None:
        self._host = host
        self._settings = settings
        self._find_secrets = find_secrets
        self._exclusions = exclusions
        self._corpus = Corpus(exclusions)
        self._related = Related(host, exclusions)
        self._in_scope = InScope(host, exclusions)
        self._recent = Recent()

    def noted(self, query: CompletionQuery) -> None:
        """Remember the document as one that is worked on."""
        self._recent.noted(self._corpus.noted(query), query.snapshot)

    def forget(self, snapshot: Snapshot) -> None:
        """The document was closed, or is excluded now."""
        self._corpus.forget(snapshot.uri)
        self._recent.forget(snapshot)

    async def gather(
        self, query: CompletionQuery, cursor: Cursor, facts: ModelFacts, trail: Trail
    ) -> tuple[tuple[Suggestion, ...], str]:
        """As many suggestions as are asked for, likeliest first, or the reason why there is none."""
        suggestions, reason = await self.ranked(query, cursor, facts, trail)
        return tuple(suggestions[: query.count]), reason

    async def ranked(
        self,
        query: CompletionQuery,
        cursor: Cursor,
        facts: ModelFacts,
        trail: Trail,
        *,
        sure: float = SURE,
    ) -> tuple[list[Suggestion], str]:
        """All of them. The model is not asked when the repository is at least `sure`."""
        scope = scope_at(cursor)
        with trail.timed("context"):
            found, context = await self._looked_up(query, cursor, scope, facts, trail)
        reason = ""
        candidates: list[Candidate] = []
        if found is not None:
            inside, _ = within(found.text, scope, finished=True)
            reason = await self._add(candidates, inside, evidence_of(found), cursor, scope, facts, trail)
            first = by_confidence(candidates, cursor)
            if query.count == 1 and first and first[0].confidence >= sure:
                trail.note("generate", "not asked: the repository is sure")
                return first, ""
        if query.patience_ms:
            await asyncio.sleep(query.patience_ms / 1000)
        prompt = build_prompt(
            context,
            path=query.snapshot.relative,
            language=query.snapshot.language,
            repository=query.snapshot.root.name if query.snapshot.root else "",
            fim=facts.fim,
            special_tokens=facts.special_tokens,
            begin=facts.begin,
        )
        order = facts.fim.order if facts.fim else "prefix only"
        extent = "the block" if scope.multi_line else "one line"
        trail.note("prompt", f"{len(prompt.text)} characters, {order}, {extent}, {len(prompt.held_back)} held back")
        for alternative in range(query.count):
            made = await draft(
                self._host,
                prompt,
                scope,
                max_tokens=self._settings.max_completion_tokens,
                stop_line=cursor.next_line if scope.multi_line else "",
                alternative=alternative,
                patience=_LINE_SECONDS if query.automatic else None,
                instead=bool(candidates),
                workspace=str(query.snapshot.root or ""),
            )
            _note_draft(trail, made)
            if made.mismatch:
                reason = reason or "the model would not go on from this word"
                continue
            evidence = Evidence(origin="model", logprob=made.logprob, units=made.line_tokens)
            why = await self._add(candidates, made.text, evidence, cursor, scope, facts, trail)
            reason = reason or why
        return by_confidence(candidates, cursor), reason

    async def _looked_up(
        self, query: CompletionQuery, cursor: Cursor, scope: Scope, facts: ModelFacts, trail: Trail
    ) -> tuple[Found | None, Context]:
        budget = budget_for(facts, self._settings.max_completion_tokens)
        context = window(cursor, budget)
        begun = time.perf_counter()
        hits, outcome = await self._related.hits(query, cursor)
        chunks = await self._chunks(query, cursor, hits, budget.chunks)
        size = f"{len(context.before)} characters before, {len(context.after)} after"
        used = f"{len(chunks)} chunks in the prompt" if budget.chunks else "none in the prompt of this model"
        trail.note("context", f"{size}; {outcome}, {used}", (time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        paths = tuple(dict.fromkeys(hit.path for hit in hits))
        found, outcome = await asyncio.to_thread(self._look_up, query, cursor, scope, paths)
        trail.note("lookup", outcome, (time.perf_counter() - begun) * 1000)
        return found, replace(context, chunks=chunks)

    async def _chunks(
        self, query: CompletionQuery, cursor: Cursor, hits: Sequence[SearchHit], budget: int
    ) -> tuple[Chunk, ...]:
        """What seldom changes first: what imports bring in, what is found for the place, what was edited just now."""
        if not budget:
            return ()
        brought = await self._in_scope.chunks(query, cursor, int(budget * _IN_SCOPE))
        recent = await asyncio.to_thread(self._recent.chunks, query.snapshot, int(budget * _RECENT), self._exclusions)
        left = budget - sum(estimate_tokens(chunk.text) for chunk in (*brought, *recent))
        return (*brought, *self._related.chunks(hits, left), *recent)

    async def _add(
        self,
        candidates: list[Candidate],
        text: str,
        evidence: Evidence,
        cursor: Cursor,
        scope: Scope,
        facts: ModelFacts,
        trail: Trail,
    ) -> str:
        """Clean a text and keep it; why not, else ""."""
        begun = time.perf_counter()
        text, why = await asyncio.to_thread(self._cleaned, text, cursor, scope, facts)
        ms = (time.perf_counter() - begun) * 1000
        trail.add_ms("clean", ms)
        trail.note("clean", f"{evidence.origin}: {why or f'{len(text)} characters kept'}", ms)
        if text and text not in {one.text for one in candidates}:
            candidates.append(Candidate(text, evidence))
        return why

    def _cleaned(self, text: str, cursor: Cursor, scope: Scope, facts: ModelFacts) -> tuple[str, str]:
        text, why = clean(text, cursor, scope, facts.special_tokens)
        if text and (rule := new_secret(text, cursor, self._find_secrets)):
            return "", f"it holds what looks like a secret: {rule}"
        return text, why

    def _look_up(
        self, query: CompletionQuery, cursor: Cursor, scope: Scope, paths: Sequence[str]
    ) -> tuple[Found | None, str]:
        sources = self._corpus.sources(query, cursor, paths)
        found = look_up(cursor.before, cursor.after, sources, several=scope.multi_line)
        size = f"{sum(source.text.characters for source in sources)} characters of {len(sources)} texts"
        if found is None:
            return None, f"nothing like it in {size}"
        return found, f"{len(found.text)} characters, a match of {found.match} lexemes in {size}"


def _note_draft(trail: Trail, made: Draft) -> None:
    trail.add_ms("queue", made.queue_ms)
    trail.add_ms("prefill", made.prefill_ms)
    trail.add_ms("decode", made.decode_ms)
    reused = "" if made.reused_tokens is None else f", {made.reused_tokens} prompt tokens reused"
    trail.note("generate", f"{made.tokens} tokens, ended by {made.ended_by}{reused}", made.decode_ms)
