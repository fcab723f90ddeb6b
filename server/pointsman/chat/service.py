"""Question → retrieval → prompt → local model → answer with citations that were checked against the sources.

What streams is the model's draft. The returned answer is what stands after the check, and may be shorter than the
draft or replace it: a caller that showed the draft shows the answer in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from pointsman.chat.citations import Grounded, citations, ground, sentence
from pointsman.chat.display import Streamed, harmless, printable
from pointsman.chat.prompt import build_messages, build_sentence
from pointsman.chat.quote import quoted
from pointsman.chat.retrieve import Found, retrieve
from pointsman.chat.stream import goes_round
from pointsman.chat.types import Answer, Question, RouteTaken
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
        budget = min(_SOURCE_TOKENS, facts.context_length // 3)
        found = await retrieve(self._host, self._exclusions, question, budget=budget)
        if not found.relevant:
            return _abstained(question, facts, found)
        draft = await self._draft(question, found, facts, on_delta)
        grounded = ground(draft, found.sources)
        reason = "chat is answered on this machine"
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


def _abstained(question: Question, facts: ModelFacts, found: Found) -> Answer:
    """Nothing is claimed; places that are near the question are quoted, for a person may see what words do not show."""
    text = "This repository does not seem to answer that: nothing in its index is about it."
    used: tuple[int, ...] = ()
    if found.sources:
        near, used = quoted(question.text, found.sources, "These places come closest:")
        text = f"This repository does not seem to answer that. {near}"
    return Answer(
        answer=harmless(f"{text} {found.note}".strip()),
        citations=citations(found.sources, used),
        abstained=True,
        route=RouteTaken(
            target="local", model=facts.name, reason="the search found nothing relevant; no model was asked"
        ),
    )
