"""Question → retrieval → prompt → local model → answer with citations that were checked against the sources.

What streams is the model's draft. The returned answer is what stands after the check, and may be shorter than the
draft or replace it: a caller that showed the draft shows the answer in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from pointsman.chat.citations import Grounded, citations, ground, refuses, sentence
from pointsman.chat.display import Streamed, harmless, printable
from pointsman.chat.kinds import read
from pointsman.chat.prompt import build_messages, build_sentence
from pointsman.chat.quote import quoted
from pointsman.chat.recall import recalled
from pointsman.chat.retrieve import Found, retrieve
from pointsman.chat.stream import goes_round
from pointsman.chat.types import Answer, Question, RouteTaken
from pointsman.chat.words import content_words
from pointsman.errors import PointsmanError, UsageError
from pointsman.exclusion import ExclusionsOf
from pointsman.host.api import GenerateParams, HostApi, ModelFacts, ModelParams
from pointsman.models.base import Finish, GenerateRequest, Priority, Sampling
from pointsman.models.prompting import render_chat, without_markers
from pointsman.settings import Settings

_SOURCE_TOKENS = 1200
"""Sources take at most this: about 4 s of reading for the smallest model on two CPU cores."""
_ASKED_ALONE = 3
_SENTENCE_TOKENS = 60
_WEAK = "The local model could not write an answer that the code supports. These places come closest:"
_NOTHING = "the search found nothing relevant"
_RECALLED = "the question is about this conversation"


class ChatService:
    """Answers questions about a repository with the local model. Belongs to one event loop."""

    def __init__(self, host: HostApi, exclusions: ExclusionsOf, settings: Settings) -> None:
        self._host = host
        self._exclusions = exclusions
        self._settings = settings

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
        if read(question).kind == "conversation":
            return Answer(
                answer=harmless(recalled(question.history)),
                citations=(),
                abstained=False,
                route=_unasked(facts, _RECALLED),
            )
        budget = min(_SOURCE_TOKENS, facts.context_length // 3)
        found = await retrieve(self._host, self._exclusions, question, budget=budget)
        if not found.relevant:
            return _abstained(question, found, _unasked(facts, _NOTHING))
        draft = await self._draft(question, found, facts, on_delta)
        reason = "chat is answered on this machine"
        grounded = _held(draft, question, found)
        if not grounded.text and (found.standing == "doubtful" or refuses(draft)):
            reason = f"{reason}; nothing that it wrote is supported by the sources"
            return _abstained(question, found, RouteTaken(target="local", model=facts.name, reason=reason))
        if not grounded.text:
            grounded = await self._source_by_source(question, found, facts)
            reason = "chat is answered on this machine; the draft did not hold, so each source was asked alone"
        if grounded.text:
            text, used = grounded.text, grounded.used
        else:
            reason = "chat is answered on this machine; the draft did not hold, so passages are quoted"
            text, used = quoted(question.text, found.sources, _WEAK)
        return Answer(
            answer=harmless(text),
            citations=citations(found.sources, used),
            abstained=False,
            route=RouteTaken(target="local", model=facts.name, reason=reason),
        )

    async def _draft(self, question: Question, found: Found, facts: ModelFacts, on_delta: Callable[[str], None]) -> str:
        assert facts.chat is not None
        prompt = render_chat(
            facts.chat, build_messages(question.text, found.sources, question.history), facts.special_tokens
        )
        return await self._written(
            prompt, Sampling(max_tokens=self._settings.max_answer_tokens), facts, on_delta, str(question.root)
        )

    async def _source_by_source(self, question: Question, found: Found, facts: ModelFacts) -> Grounded:
        """What the first sources say, one sentence each: a model too small for many sources can often read one."""
        assert facts.chat is not None
        sampling = Sampling(max_tokens=_SENTENCE_TOKENS)
        sentences: list[str] = []
        used: list[int] = []
        for number, source in enumerate(found.sources[:_ASKED_ALONE], start=1):
            messages, start = build_sentence(question.text, source)
            prompt = render_chat(facts.chat, messages, facts.special_tokens, answer_start=start)
            written = await self._written(prompt, sampling, facts, lambda delta: None, str(question.root))
            if held := sentence(written, source, number):
                sentences.append(held)
                used.append(number)
        return Grounded(text=" ".join(sentences), used=tuple(used))

    async def _written(
        self, prompt: str, sampling: Sampling, facts: ModelFacts, on_delta: Callable[[str], None], workspace: str
    ) -> str:
        request = GenerateRequest(prompt=prompt, sampling=sampling, priority=Priority.CHAT)
        written, shown = "", Streamed()
        async with aclosing(
            self._host.generate(GenerateParams(task="chat", request=request, workspace=workspace))
        ) as stream:
            async for item in stream:
                if isinstance(item, Finish):
                    break
                written += item.text
                if without_markers(written, facts.special_tokens) != written or goes_round(written):
                    break
                if delta := shown.feed(item.text):
                    on_delta(delta)
        if rest := shown.end():
            on_delta(rest)
        return printable(without_markers(written, facts.special_tokens))


def _held(draft: str, question: Question, found: Found) -> Grounded:
    """What the sources support; where they may be about something else, it must speak of what is asked as well."""
    grounded = ground(draft, found.sources)
    asked = content_words(question.text, about_code=False)
    if found.standing == "doubtful" and not asked & content_words(grounded.text):
        return Grounded(text="", used=())
    return grounded


def _unasked(facts: ModelFacts, reason: str) -> RouteTaken:
    return RouteTaken(target="local", model=facts.name, reason=f"{reason}; no model was asked")


def _abstained(question: Question, found: Found, route: RouteTaken) -> Answer:
    """Nothing is claimed; places that are near the question are quoted, for a person may see what words do not show."""
    silent = f"nothing in it speaks of {found.unknown}" if found.unknown else "nothing in its index is about it"
    text = f"This repository does not seem to answer that: {silent}."
    used: tuple[int, ...] = ()
    if found.sources:
        near, used = quoted(question.text, found.sources, "These places come closest:")
        text = f"{text if found.unknown else 'This repository does not seem to answer that.'} {near}"
    return Answer(
        answer=harmless(f"{text} {found.note}".strip()),
        citations=citations(found.sources, used),
        abstained=True,
        route=route,
    )
