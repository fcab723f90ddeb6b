"""Question → retrieval → route → local or closed model → answer with citations that were checked against the sources.

What streams is the model's draft, of the smallest ones each sentence that held. The returned answer is what stands
after the check, and may be shorter than the draft or replace it: a caller that showed the draft shows the answer in its
place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pointsman.chat import closed
from pointsman.chat.answers import abstained, answer_of, held_of, noted, silent, together, unasked
from pointsman.chat.citations import Grounded, add_places, numbered, refuses
from pointsman.chat.display import harmless
from pointsman.chat.documented import documented
from pointsman.chat.graph import defined, used
from pointsman.chat.kinds import Reading, read
from pointsman.chat.local import LocalModel
from pointsman.chat.markdown import printable
from pointsman.chat.quote import CLOSEST, quoted
from pointsman.chat.recall import recalled
from pointsman.chat.retrieve import Found, retrieve
from pointsman.chat.selected import why_left_out
from pointsman.chat.sources import Source
from pointsman.chat.types import Answer, Question
from pointsman.errors import PointsmanError, PolicyRefusal, UsageError
from pointsman.exclusion import ExclusionsOf
from pointsman.host.api import HostApi, ModelParams
from pointsman.routed import NO_CLOSED, Router, RouteTaken, instead, receipt_of, refusal, route_of
from pointsman.settings import Settings

_SOURCE_TOKENS = 1200
"""Sources take at most this: about 4 s of reading for the smallest model on two CPU cores."""
_WEAK = "The local model could not write an answer that the code supports"
_UNSUPPORTED = "What the closed model wrote is not supported by the code"
_CHANGED = "The files that this answer came from were changed while it was written. Ask again."
_NOTHING = "the search found nothing relevant"
_RECALLED = "the question is about this conversation"
_TOLD = "the symbol graph tells"
_DOCUMENTED = "its documentation says what it does"
_NO_QUESTION = "nothing was asked"
_GREETED = "Ask about the code here: how something works, where it is defined, what calls it, what the whole is for."

BlobOf = Callable[[Path, str], str | None]
"""Git's blob id of a root's file as it is now, by its root-relative path; None when it cannot be read there."""


class ChatService:
    """Answers questions about a repository. Belongs to one event loop."""

    def __init__(
        self, host: HostApi, router: Router, exclusions: ExclusionsOf, settings: Settings, blob_of: BlobOf
    ) -> None:
        self._host = host
        self._router = router
        self._exclusions = exclusions
        self._settings = settings
        self._blob_of = blob_of

    async def ask(self, question: Question, on_delta: Callable[[str], None]) -> Answer:
        """The checked answer; `on_delta` gets what is written on the way.

        Raises `UsageError` for an empty question, `PolicyRefusal` when the closed model was asked for and may not be
        used, and `PointsmanError` when the index or the model that is to write cannot be asked. Cancelling closes the
        stream.
        """
        if not question.text.strip():
            raise UsageError("the question is empty")
        excluded = await asyncio.to_thread(why_left_out, question, self._exclusions)
        if excluded is None:
            return await self._asked(question, on_delta)
        answer = await self._asked(replace(question, selection=None), on_delta)
        return replace(answer, note=f"{answer.note} The selection was not read: {excluded}.".strip())

    async def _asked(self, question: Question, on_delta: Callable[[str], None]) -> Answer:
        reading = read(question)
        if reading.kind == "greeting":
            return answer_of(_GREETED, {}, {}, unasked(_NO_QUESTION))
        if reading.kind == "conversation":
            return answer_of(recalled(question.history), {}, {}, unasked(_RECALLED))
        local = await self._local_model()
        room = local.source_tokens if isinstance(local, LocalModel) else _SOURCE_TOKENS
        found = await retrieve(self._host, self._exclusions, question, reading, budget=min(_SOURCE_TOKENS, room))
        if reading.only and question.target != "closed" and (answer := await self._told(question, reading, found)):
            return answer
        if not found.relevant:
            return abstained(question, found, numbered(found.sources), unasked(_NOTHING))
        route, note = await self._route(question, found), ""
        if route.target == "refused":
            raise refusal(route.reason, route.rule)
        if route.target == "closed":
            shown = False

            def show(delta: str) -> None:
                nonlocal shown
                shown = True
                on_delta(delta)

            try:
                answer = await self._closed(question, found.fitted(question, closed.SOURCE_TOKENS), show)
                # The gateway knows only that the closed model was asked for; why it was is the route's to say.
                return replace(answer, route=replace(answer.route, reason=route.reason))
            except NO_CLOSED as failure:
                if question.target != "auto" or isinstance(local, PointsmanError):
                    raise
                route, note = instead(failure)
                if shown:
                    on_delta("\n\n")
        weak = isinstance(local, PointsmanError) or not local.drafts
        by_documentation = reading.kind == "meaning" and weak and not question.dry_run
        if by_documentation and (answer := await self._documented(question, found, route.reason)):
            return replace(answer, note=note)
        if isinstance(local, PointsmanError):
            raise local
        return replace(await self._local(question, found, local, route.reason, on_delta), note=note)

    async def _told(self, question: Question, reading: Reading, found: Found) -> Answer | None:
        """What the symbol graph answers by itself; None when it knows no such place."""
        sources = await self._still_there(question, numbered(found.sources))
        if found.uses:
            text, places = used(found.name, found.uses, sources)
        else:
            text, places = defined(found.name, found.definitions, sources, unused=reading.kind == "callers")
        if text and found.note and not found.complete:
            text = f"{text}\n\n{noted(found)}"
        return answer_of(text, sources, places, unasked(_TOLD)) if text else None

    async def _documented(self, question: Question, found: Found, why_local: str) -> Answer | None:
        """What a symbol's documentation says of it, and the symbol; None when it says nothing."""
        sources = await self._still_there(question, numbered(found.sources))
        held = await asyncio.to_thread(documented, found.definitions, sources)
        if not held.text:
            return None
        shown, places = defined(found.name, found.definitions, sources)
        add_places(places, held.places)
        return answer_of(f"{held.text}\n\n{shown}", sources, places, unasked(f"{why_local}; {_DOCUMENTED}"))

    async def _local_model(self) -> LocalModel | PointsmanError:
        """Or why there is none: nothing to a user whose policy lets a closed model answer."""
        try:
            facts = await self._host.model(ModelParams(task="chat"))
            return LocalModel(self._host, facts, self._settings.max_answer_tokens)
        except PointsmanError as error:
            return error

    async def _route(self, question: Question, found: Found) -> RouteTaken:
        paths = tuple(dict.fromkeys(source.path for source in found.sources))
        # What policy keeps on this machine is left out later on, and is no reason against all the rest.
        return await asyncio.to_thread(
            self._router.decide, "chat", question.root, closed.lines_of(found.sources), len(paths), question.target
        )

    async def _closed(self, question: Question, found: Found, on_delta: Callable[[str], None]) -> Answer:
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
        draft, route = printable(reply.text), route_of(reply)
        sources = await self._still_there(question, numbered(found.sources))
        grounded = held_of(draft, question, found, sources, strong=True)
        if grounded.text:
            answer = answer_of(grounded.text, sources, grounded.places, route)
        elif not sources:
            answer = replace(answer_of(_CHANGED, {}, {}, route), abstained=True)
        elif refuses(draft):
            answer = abstained(question, found, sources, route)
        else:
            text, places = quoted(question.text, sources, f"{_UNSUPPORTED}. {CLOSEST}")
            answer = answer_of(text, sources, places, route)
        return replace(answer, receipt=receipt_of(reply, closed.TEMPLATE), redactions=reply.redactions, note=note)

    async def _local(
        self, question: Question, found: Found, local: LocalModel, why_local: str, on_delta: Callable[[str], None]
    ) -> Answer:
        sources = numbered(found.sources)

        def route(more: str = "") -> RouteTaken:
            reason = f"{why_local}; {more}" if more else why_local
            return RouteTaken(target="local", model=local.name, reason=reason)

        if question.dry_run:
            return replace(answer_of("", {}, {}, route()), preview="\n\n".join(local.prompts(question, sources)))
        failed, refused = "", False
        if local.drafts:
            draft = await local.draft(question, sources, on_delta)
            sources = await self._still_there(question, sources)
            grounded = held_of(draft, question, found, sources)
            if grounded.text:
                return answer_of(grounded.text, sources, grounded.places, route())
            failed, refused = "the draft did not hold, so ", refuses(draft)
        if sources and not refused:
            # Behind a draft that is to be replaced it would be more of it, and what is doubtful may not stand.
            at_once = not local.drafts and found.standing == "about"
            held: dict[int, Grounded] = {}
            async for number, one in local.sentences(question, sources):
                held[number] = one
                if at_once:
                    on_delta(f"{harmless(one.text)} ")
            sources = await self._still_there(question, sources)
            grounded = together(held, question, found, sources)
            if grounded.text:
                taken = route(f"{failed}each source was asked alone")
                if local.drafts:
                    return answer_of(grounded.text, sources, grounded.places, taken)
                # A sentence that was copied may be beside the point, and the code speaks for itself.
                text, places = quoted(question.text, sources, f"{grounded.text}\n\n{CLOSEST}", most=1)
                add_places(places, grounded.places)
                return answer_of(text, sources, places, taken)
        if not sources:
            return replace(answer_of(_CHANGED, {}, {}, route("the files changed meanwhile")), abstained=True)
        if found.standing == "doubtful" or refused:
            taken = route("nothing that was written is supported by the sources")
            return abstained(question, found, sources, taken)
        weak = f"{_WEAK}, and {silent(found.unsaid)}" if found.unsaid else _WEAK
        text, places = quoted(question.text, sources, f"{weak}. {CLOSEST}")
        return answer_of(text, sources, places, route(f"{failed or 'no sentence held, so '}passages are quoted"))

    async def _still_there(self, question: Question, sources: Mapping[int, Source]) -> dict[int, Source]:
        """The sources whose files still have the text that they are of; a selection is of the editor's text."""
        own = question.selection if question.end > question.start else None

        def unchanged() -> dict[int, Source]:
            now = {path: self._blob_of(question.root, path) for path in {s.path for s in sources.values()}}
            return {
                n: source
                for n, source in sources.items()
                if now[source.path] == source.sha or (own and (own.relative, own.sha) == (source.path, source.sha))
            }

        return await asyncio.to_thread(unchanged)
