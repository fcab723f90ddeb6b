"""Question → retrieval → route → local or closed model → answer with citations that were checked against the sources.

What streams is the model's draft. The returned answer is what stands after the check, and may be shorter than the
draft or replace it: a caller that showed the draft shows the answer in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from pointsman.chat import closed
from pointsman.chat.citations import Grounded, citations, ground, refuses, sentence
from pointsman.chat.display import Streamed, harmless, printable
from pointsman.chat.kinds import read
from pointsman.chat.prompt import build_messages, build_sentence
from pointsman.chat.quote import quoted
from pointsman.chat.recall import recalled
from pointsman.chat.retrieve import Found, retrieve
from pointsman.chat.stream import goes_round
from pointsman.chat.types import Answer, Question
from pointsman.chat.words import content_words
from pointsman.errors import GatewayError, PointsmanError, PolicyRefusal, UsageError
from pointsman.exclusion import ExclusionsOf
from pointsman.host.api import GenerateParams, HostApi, ModelFacts, ModelParams
from pointsman.models.base import Finish, GenerateRequest, Priority, Sampling
from pointsman.models.prompting import render_chat, without_markers
from pointsman.routed import Router, RouteTaken, not_sent, receipt_of, route_of
from pointsman.settings import Settings

_SOURCE_TOKENS = 1200
"""Sources take at most this: about 4 s of reading for the smallest model on two CPU cores."""
_ASKED_ALONE = 3
_SENTENCE_TOKENS = 60
_WEAK = "The local model could not write an answer that the code supports. These places come closest:"
_UNSUPPORTED = "What the closed model wrote is not supported by the code. These places come closest:"
_NOTHING = "the search found nothing relevant"
_RECALLED = "the question is about this conversation"


class ChatService:
    """Answers questions about a repository. Belongs to one event loop."""

    def __init__(self, host: HostApi, router: Router, exclusions: ExclusionsOf, settings: Settings) -> None:
        self._host = host
        self._router = router
        self._exclusions = exclusions
        self._settings = settings

    async def ask(self, question: Question, on_delta: Callable[[str], None]) -> Answer:
        """The checked answer; `on_delta` gets the draft as it is written.

        Raises `UsageError` for an empty question, `PolicyRefusal` when the closed model was asked for and may not be
        used, and `PointsmanError` when model or index cannot be asked. Cancelling closes the stream.
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
        route, note = await self._route(question, found), ""
        if route.target == "refused":
            raise PolicyRefusal(route.reason, rule=route.rule)
        if route.target == "closed":
            try:
                return await self._closed(question, on_delta)
            except (PolicyRefusal, GatewayError) as refusal:
                if question.target != "auto":
                    raise
                route, note = not_sent(refusal), f"The closed model was not used: {refusal.message}."
        return replace(await self._local(question, found, facts, route.reason, on_delta), note=note)

    async def _route(self, question: Question, found: Found) -> RouteTaken:
        paths = tuple(dict.fromkeys(source.path for source in found.sources))
        # What policy keeps on this machine is left out later on, and is no reason against all the rest.
        return await asyncio.to_thread(
            self._router.decide, "chat", question.root, closed.lines_of(found.sources), len(paths), question.target
        )

    async def _closed(self, question: Question, on_delta: Callable[[str], None]) -> Answer:
        found = await retrieve(self._host, self._exclusions, question, budget=closed.SOURCE_TOKENS)
        paths = frozenset(source.path for source in found.sources)
        allowed = await asyncio.to_thread(self._router.may_leave, question.root, paths)
        note = f"{len(paths - allowed)} files of the sources stay on this machine by policy." if paths - allowed else ""
        found = replace(found, sources=tuple(source for source in found.sources if source.path in allowed))
        if not found.sources:
            raise PolicyRefusal("policy keeps all sources for the local model", rule="route.local_paths")
        request = closed.request_of(question, found.sources, self._settings.max_answer_tokens)
        preview = await self._host.closed_preview(request)
        if question.dry_run:
            return closed.shown(preview, note)
        if preview.needs_approval and question.approved_sha256 != preview.sha256:
            return closed.shown(preview, f"Policy wants the outgoing body approved before it is sent. {note}".strip())
        reply = await closed.written(self._host, request, on_delta)
        draft = printable(reply.text)
        grounded = _held(draft, question, found)
        if grounded.text:
            answer = _answer(grounded.text, found, grounded.used, route_of(reply))
        elif refuses(draft):
            answer = _abstained(question, found, route_of(reply))
        else:
            text, used = quoted(question.text, found.sources, _UNSUPPORTED)
            answer = _answer(text, found, used, route_of(reply))
        return replace(answer, receipt=receipt_of(reply, closed.TEMPLATE), redactions=reply.redactions, note=note)

    async def _local(
        self, question: Question, found: Found, facts: ModelFacts, why_local: str, on_delta: Callable[[str], None]
    ) -> Answer:
        if question.dry_run:
            route = RouteTaken(target="local", model=facts.name, reason=why_local)
            return replace(_answer("", found, (), route), preview=self._prompt(question, found, facts))
        draft = await self._draft(question, found, facts, on_delta)
        reason = why_local
        grounded = _held(draft, question, found)
        if not grounded.text and (found.standing == "doubtful" or refuses(draft)):
            reason = f"{reason}; nothing that it wrote is supported by the sources"
            return _abstained(question, found, RouteTaken(target="local", model=facts.name, reason=reason))
        if not grounded.text:
            grounded = await self._source_by_source(question, found, facts)
            reason = f"{why_local}; the draft did not hold, so each source was asked alone"
        if grounded.text:
            text, used = grounded.text, grounded.used
        else:
            reason = f"{why_local}; the draft did not hold, so passages are quoted"
            text, used = quoted(question.text, found.sources, _WEAK)
        return _answer(text, found, used, RouteTaken(target="local", model=facts.name, reason=reason))

    async def _draft(self, question: Question, found: Found, facts: ModelFacts, on_delta: Callable[[str], None]) -> str:
        prompt = self._prompt(question, found, facts)
        return await self._written(
            prompt, Sampling(max_tokens=self._settings.max_answer_tokens), facts, on_delta, str(question.root)
        )

    def _prompt(self, question: Question, found: Found, facts: ModelFacts) -> str:
        assert facts.chat is not None
        messages = build_messages(question.text, found.sources, question.history)
        return render_chat(facts.chat, messages, facts.special_tokens)

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


def _answer(text: str, found: Found, used: tuple[int, ...], route: RouteTaken) -> Answer:
    return Answer(answer=harmless(text), citations=citations(found.sources, used), abstained=False, route=route)


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
