"""Question → retrieval → prompt → local model → answer with citations that were checked against the sources.

What streams is the model's draft. The returned answer is what stands after the check, and may be shorter than the
draft or replace it: a caller that showed the draft shows the answer in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path

from pointsman.chat.citations import Grounded, add_places, citations, ground, numbered, refuses, sentence
from pointsman.chat.display import Streamed, harmless, printable
from pointsman.chat.kinds import read
from pointsman.chat.prompt import build_messages, build_sentence
from pointsman.chat.quote import quoted
from pointsman.chat.recall import recalled
from pointsman.chat.retrieve import Found, retrieve
from pointsman.chat.sources import Source
from pointsman.chat.stream import goes_round
from pointsman.chat.types import Answer, Question, RouteTaken
from pointsman.chat.words import content_words, coverage
from pointsman.errors import PointsmanError, UsageError
from pointsman.exclusion import ExclusionsOf
from pointsman.host.api import GenerateParams, HostApi, ModelFacts, ModelParams
from pointsman.models.base import Finish, GenerateRequest, Priority, Sampling
from pointsman.models.prompting import render_chat, without_markers
from pointsman.settings import Settings

_SOURCE_TOKENS = 1200
"""Sources take at most this: about 4 s of reading for the smallest model on two CPU cores."""
_ASKED_ALONE = 3
_SPOKEN_OF = 0.5
"""Share of the question's content words that a doubtful answer must have more than."""
_SENTENCE_TOKENS = 48
_SENTENCE_ENDS = ('"\n', "\n\n", "```")
_WEAK = "The local model could not write an answer that the code supports. These places come closest:"
_CHANGED = "The files that this answer came from were changed while it was written. Ask again."
_NOTHING = "the search found nothing relevant"
_RECALLED = "the question is about this conversation"


BlobOf = Callable[[Path, str], str | None]
"""Git's blob id of a root's file as it is now, by its root-relative path; None when it cannot be read there."""


class ChatService:
    """Answers questions about a repository with the local model. Belongs to one event loop."""

    def __init__(self, host: HostApi, exclusions: ExclusionsOf, settings: Settings, blob_of: BlobOf) -> None:
        self._host = host
        self._exclusions = exclusions
        self._settings = settings
        self._blob_of = blob_of

    async def ask(self, question: Question, on_delta: Callable[[str], None]) -> Answer:
        """The checked answer; `on_delta` gets the draft as it is written.

        Raises `UsageError` for an empty question and `PointsmanError` when model or index cannot be asked.
        Cancelling closes the stream.
        """
        if not question.text.strip():
            raise UsageError("the question is empty")
        facts = await self._host.model(ModelParams(task="chat"))
        if facts.chat is None:
            raise PointsmanError(
                f"{facts.name} cannot chat: it has no chat format", remedy="set chat_model to a model that has one"
            )
        reading = read(question)
        if reading.kind == "conversation":
            return Answer(
                answer=harmless(recalled(question.history)),
                citations=(),
                abstained=False,
                route=_unasked(facts, _RECALLED),
            )
        budget = min(_SOURCE_TOKENS, facts.context_length // 3)
        found = await retrieve(self._host, self._exclusions, question, reading, budget=budget)
        sources = numbered(found.sources)
        if not found.relevant:
            return _abstained(question, found, sources, _unasked(facts, _NOTHING))
        draft = await self._draft(question, found, facts, on_delta)
        sources = await self._still_there(question, sources)
        reason = "chat is answered on this machine"
        grounded = _held(draft, question, found, sources)
        if sources and not grounded.text and not refuses(draft):
            grounded, sources = await self._source_by_source(question, found, sources, facts)
            reason = "chat is answered on this machine; the draft did not hold, so each source was asked alone"
        if sources and not grounded.text and (found.standing == "doubtful" or refuses(draft)):
            reason = "chat is answered on this machine; nothing that was written is supported by the sources"
            return _abstained(question, found, sources, RouteTaken(target="local", model=facts.name, reason=reason))
        text, places = grounded.text, grounded.places
        if not sources:
            reason = "chat is answered on this machine; the files changed meanwhile"
            text = _CHANGED
        elif not text:
            reason = "chat is answered on this machine; the draft did not hold, so passages are quoted"
            text, places = quoted(question.text, sources, _WEAK)
        return Answer(
            answer=harmless(text),
            citations=citations(sources, places),
            abstained=not sources,
            route=RouteTaken(target="local", model=facts.name, reason=reason),
        )

    async def _still_there(self, question: Question, sources: Mapping[int, Source]) -> dict[int, Source]:
        """The sources whose files still have the text that they are of; a selection is of the editor's text."""
        own = question.selection

        def unchanged() -> dict[int, Source]:
            now = {path: self._blob_of(question.root, path) for path in {s.path for s in sources.values()}}
            return {
                n: source
                for n, source in sources.items()
                if now[source.path] == source.sha or (own and (own.relative, own.sha) == (source.path, source.sha))
            }

        return await asyncio.to_thread(unchanged)

    async def _draft(self, question: Question, found: Found, facts: ModelFacts, on_delta: Callable[[str], None]) -> str:
        assert facts.chat is not None
        prompt = render_chat(
            facts.chat, build_messages(question.text, found.sources, question.history), facts.special_tokens
        )
        sampling = Sampling(max_tokens=self._settings.max_answer_tokens)
        return (await self._written(prompt, sampling, facts, on_delta, str(question.root)))[0]

    async def _source_by_source(
        self, question: Question, found: Found, sources: Mapping[int, Source], facts: ModelFacts
    ) -> tuple[Grounded, dict[int, Source]]:
        """What the first sources say, one sentence each, and the sources that are still there by then.

        A model too small for many sources can often copy from one.
        """
        assert facts.chat is not None
        sampling = Sampling(max_tokens=_SENTENCE_TOKENS, stop=_SENTENCE_ENDS)
        asked = content_words(question.text, about_code=False)
        held: dict[int, Grounded] = {}
        for number, source in sorted(sources.items())[:_ASKED_ALONE]:
            messages, start = build_sentence(question.text, source)
            prompt = render_chat(facts.chat, messages, facts.special_tokens, answer_start=start)
            written, cut = await self._written(prompt, sampling, facts, lambda delta: None, str(question.root))
            held[number] = sentence(written, source, number, asked, cut=cut)
        there = await self._still_there(question, sources)
        texts: list[str] = []
        places: dict[int, tuple[int, int]] = {}
        for number, one in held.items():
            if number in there and one.text and (not asked or asked & content_words(one.text)):
                texts.append(one.text)
                add_places(places, one.places)
        return _on_subject(Grounded(text=" ".join(texts), places=places), asked, found), there

    async def _written(
        self, prompt: str, sampling: Sampling, facts: ModelFacts, on_delta: Callable[[str], None], workspace: str
    ) -> tuple[str, bool]:
        """The text, and whether it ends where its tokens did and not where the model would have ended it."""
        request = GenerateRequest(prompt=prompt, sampling=sampling, priority=Priority.CHAT)
        written, shown, cut = "", Streamed(), False
        async with aclosing(
            self._host.generate(GenerateParams(task="chat", request=request, workspace=workspace))
        ) as stream:
            async for item in stream:
                if isinstance(item, Finish):
                    cut = item.reason == "length"
                    break
                written += item.text
                if without_markers(written, facts.special_tokens) != written or goes_round(written):
                    break
                if delta := shown.feed(item.text):
                    on_delta(delta)
        if rest := shown.end():
            on_delta(rest)
        return printable(without_markers(written, facts.special_tokens)), cut


def _held(draft: str, question: Question, found: Found, sources: Mapping[int, Source]) -> Grounded:
    asked = content_words(question.text, about_code=False)
    return _on_subject(ground(draft, sources, asked), asked, found)


def _on_subject(grounded: Grounded, asked: frozenset[str], found: Found) -> Grounded:
    """Where the sources may be about something else, what is kept has to speak of most of what is asked."""
    if found.standing == "doubtful" and coverage(asked, content_words(grounded.text)) <= _SPOKEN_OF:
        return Grounded()
    return grounded


def _unasked(facts: ModelFacts, reason: str) -> RouteTaken:
    return RouteTaken(target="local", model=facts.name, reason=f"{reason}; no model was asked")


def _abstained(question: Question, found: Found, sources: Mapping[int, Source], route: RouteTaken) -> Answer:
    """Nothing is claimed; places that are near the question are quoted, for a person may see what words do not show."""
    silent = f"nothing in it speaks of {found.unknown}" if found.unknown else "nothing in its index is about it"
    text = f"This repository does not seem to answer that: {silent}."
    places: Mapping[int, tuple[int, int]] = {}
    if sources:
        near, places = quoted(question.text, sources, "These places come closest:")
        text = f"{text if found.unknown else 'This repository does not seem to answer that.'} {near}"
    return Answer(
        answer=harmless(f"{text} {found.note}".strip()),
        citations=citations(sources, places),
        abstained=True,
        route=route,
    )
