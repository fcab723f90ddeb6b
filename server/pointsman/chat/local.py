"""The local model's way with a question: a draft from all sources and, where that does not hold, a sentence of each.

The smallest models only copy sentences. What they draft from several sources hardly ever holds, so it would be shown
for seconds and then taken back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from pointsman.chat.citations import Grounded, sentence
from pointsman.chat.display import Streamed
from pointsman.chat.markdown import printable
from pointsman.chat.prompt import build_messages, build_sentence, shortened
from pointsman.chat.sources import Source
from pointsman.chat.stream import goes_round
from pointsman.chat.types import Question
from pointsman.chat.words import content_words
from pointsman.errors import PointsmanError
from pointsman.host.api import GenerateParams, HostApi, ModelFacts
from pointsman.models.base import Finish, GenerateRequest, Priority, Sampling
from pointsman.models.card import ChatTemplate
from pointsman.models.prompting import render_chat, without_markers

_NO_DRAFTS_BELOW_M = 300
"""Millions of weights. With 135 one draft of 141 held, and of its sentences from one source fifteen (bench/README.md);
nothing larger was measured."""
_ASKED_ALONE = 3
_SENTENCE_TOKENS = 48
_SENTENCE_ENDS = ('"\n', "\n\n", "```")


class LocalModel:
    """Writes about sources. Raises `PointsmanError` for a model that has no chat format."""

    def __init__(self, host: HostApi, facts: ModelFacts, max_tokens: int) -> None:
        if facts.chat is None:
            raise PointsmanError(
                f"{facts.name} cannot chat: it has no chat format", remedy="set chat_model to a model that has one"
            )
        self._host = host
        self._facts = facts
        self._chat: ChatTemplate = facts.chat
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        return self._facts.name

    @property
    def source_tokens(self) -> int:
        """The rest of its context is for the conversation, the question and the answer."""
        return self._facts.context_length // 3

    @property
    def drafts(self) -> bool:
        """Whether it can be asked for more than a sentence of one source."""
        return not 0 < self._facts.parameters_m < _NO_DRAFTS_BELOW_M

    def prompts(self, question: Question, sources: Mapping[int, Source]) -> list[str]:
        """What it is asked first."""
        if self.drafts:
            return [self._draft_prompt(question, sources)]
        return [self._sentence_prompt(question, source) for _, source in _first(sources)]

    async def draft(self, question: Question, sources: Mapping[int, Source], on_delta: Callable[[str], None]) -> str:
        """Fit to be shown; so is what `on_delta` gets of it."""
        sampling = Sampling(max_tokens=self._max_tokens)
        return (await self._written(self._draft_prompt(question, sources), sampling, on_delta, str(question.root)))[0]

    async def sentences(
        self, question: Question, sources: Mapping[int, Source]
    ) -> AsyncGenerator[tuple[int, Grounded], None]:
        """What the first sources say of the question, one sentence of each that says any, with the source's number: a
        model too small for many sources can often copy from one."""
        sampling = Sampling(max_tokens=_SENTENCE_TOKENS, stop=_SENTENCE_ENDS)
        asked = content_words(question.text, about_code=False)
        for number, source in _first(sources):
            prompt = self._sentence_prompt(question, source)
            written, cut = await self._written(prompt, sampling, lambda delta: None, str(question.root))
            held = sentence(written, source, number, asked, cut=cut)
            if held.text and (not asked or asked & content_words(held.text)):
                yield number, held

    def _draft_prompt(self, question: Question, sources: Mapping[int, Source]) -> str:
        messages = build_messages(shortened(question.text), tuple(sources.values()), question.history)
        return render_chat(self._chat, messages, self._facts.special_tokens)

    def _sentence_prompt(self, question: Question, source: Source) -> str:
        messages, start = build_sentence(shortened(question.text), source)
        return render_chat(self._chat, messages, self._facts.special_tokens, answer_start=start)

    async def _written(
        self, prompt: str, sampling: Sampling, on_delta: Callable[[str], None], workspace: str
    ) -> tuple[str, bool]:
        """The text, and whether it ends where its tokens did and not where the model would have ended it."""
        special = self._facts.special_tokens
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
                if without_markers(written, special) != written or goes_round(written):
                    break
                if delta := shown.feed(item.text):
                    on_delta(delta)
        if rest := shown.end():
            on_delta(rest)
        return printable(without_markers(written, special)), cut


def _first(sources: Mapping[int, Source]) -> list[tuple[int, Source]]:
    return sorted(sources.items())[:_ASKED_ALONE]
