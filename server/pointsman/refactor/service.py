"""The refactor pipeline: gather → route → local or closed → edits that were checked. It writes nothing.

The route is decided by a `Router` from the user's action and trusted configuration; the gateway decides again from
its own facts. Nothing that a file or a model wrote reaches either.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from pointsman.chat.types import RouteTaken
from pointsman.errors import GatewayError, PointsmanError, PolicyRefusal, UsageError
from pointsman.exclusion import ExclusionsOf, why_excluded
from pointsman.host.api import (
    ClosedPreview,
    ClosedReply,
    ClosedRequest,
    HostApi,
    Message,
    ModelFacts,
    ModelParams,
    Span,
)
from pointsman.refactor.answer import NOTHING_TO_DO, new_document
from pointsman.refactor.checks import check, parses_alone
from pointsman.refactor.edits import file_edit
from pointsman.refactor.lines import Selection, select
from pointsman.refactor.local import change_locally, local_task
from pointsman.refactor.prompt import NEIGHBOURS, TEMPLATE, closed_messages, lines_shown, retry_message
from pointsman.refactor.types import Checks, Receipt, Refactoring, RefactorQuery, Target
from pointsman.settings import Settings
from pointsman_indexer.effort import measure

_UNTOUCHED = Checks(parses=True, in_scope=True)
_UNUSED = "The answer was not used"


class Router(Protocol):
    """Where a request may go: the policy's answer for this workspace, as it is now."""

    def decide(
        self,
        task: str,
        root: Path,
        lines: int,
        files: int,
        target: Target,
        *,
        symbols: int,
        difficulty: int,
        paths: tuple[str, ...],
    ) -> RouteTaken:
        """May read policy files, so it is called in a thread. `target` of the answer: local, closed or refused."""
        ...


class RefactorService:
    """Changes selected lines by instruction. Belongs to one event loop."""

    def __init__(self, host: HostApi, router: Router, exclusions: ExclusionsOf, settings: Settings) -> None:
        self._host = host
        self._router = router
        self._exclusions = exclusions
        self._settings = settings

    async def refactor(self, query: RefactorQuery) -> Refactoring:
        """Edits for the user's review, none applied.

        Raises `UsageError` for an empty instruction or lines that are not there, `PolicyRefusal` for an excluded file
        and when the closed model was asked for and may not be used, `PointsmanError` when no model can be asked.
        """
        begun = time.perf_counter()
        if not query.instruction.strip():
            raise UsageError("the instruction is empty")
        if reason := await asyncio.to_thread(why_excluded, query.snapshot, self._exclusions):
            raise PolicyRefusal(f"the file is excluded: {reason}", rule=reason)
        selection = select(query.snapshot.text, query.start_line, query.end_line)
        route = await self._route(query, selection)
        if route.target == "refused":
            raise PolicyRefusal(route.reason, rule=route.rule)
        result = await (
            self._closed(query, selection, route) if route.target == "closed" else self._local(query, selection, route)
        )
        total = round((time.perf_counter() - begun) * 1000, 3)
        return replace(result, timings_ms={**result.timings_ms, "total": total})

    async def _route(self, query: RefactorQuery, selection: Selection) -> RouteTaken:
        snapshot = query.snapshot
        if snapshot.root is None or snapshot.path is None:
            if query.target == "closed":
                raise PolicyRefusal("only files of a repository may go to a closed model", rule="workspace.none")
            return RouteTaken(target="local", model="", reason="the document belongs to no repository")
        effort = await asyncio.to_thread(
            measure, snapshot.text.encode("utf-8", "replace"), snapshot.language, selection.start, selection.end
        )
        return await asyncio.to_thread(
            self._router.decide,
            "refactor",
            snapshot.root,
            lines_shown(selection),
            1,
            query.target,
            symbols=effort.symbols,
            difficulty=effort.difficulty,
            paths=(snapshot.relative,),
        )

    # -- local ---------------------------------------------------------------------------------------------------

    async def _local(
        self, query: RefactorQuery, selection: Selection, route: RouteTaken, note: str = ""
    ) -> Refactoring:
        facts: ModelFacts = await self._host.model(ModelParams(task="chat"))
        route = replace(route, target="local", model=facts.name, endpoint="")
        language, most = query.snapshot.language, self._settings.max_answer_tokens
        result = Refactoring(route=route, request_id=uuid4().hex, edits=(), diff="", checks=_UNTOUCHED, note=note)
        if query.dry_run:
            return replace(result, preview=local_task(facts, selection, query.instruction, language, most).prompt)
        change = await change_locally(
            self._host, facts, selection, query.instruction, language, most, str(query.snapshot.root or "")
        )
        result = replace(
            result,
            note=" ".join(part for part in (note, _sentence(change.note)) if part),
            timings_ms={"generate": change.generate_ms},
        )
        return result if change.new_text is None else await self._with_edit(result, query, selection, change.new_text)

    # -- closed --------------------------------------------------------------------------------------------------

    async def _closed(self, query: RefactorQuery, selection: Selection, route: RouteTaken) -> Refactoring:
        request = self._request(query, selection)
        try:
            preview = await self._host.closed_preview(request)
            shown = _previewed(preview, request)
            if query.dry_run:
                return shown
            if preview.needs_approval and query.approved_sha256 != preview.sha256:
                return replace(shown, note="Policy wants the outgoing body approved before it is sent.")
            reply = await self._host.closed_send(request)
        except (PolicyRefusal, GatewayError) as refusal:
            if query.target != "auto":
                raise
            local = RouteTaken(target="local", model="", reason=f"not sent: {refusal.message}", rule=_rule(refusal))
            return await self._local(query, selection, local, f"The closed model was not used: {refusal.message}.")
        first = await self._judged(shown, query, selection, reply)
        wrong = _to_repair(first)
        if not wrong:
            return first
        again = replace(
            request,
            request_id=uuid4().hex,
            messages=(
                *request.messages,
                Message(role="assistant", content=reply.text),
                Message(role="user", content=retry_message(wrong)),
            ),
            approved_sha256="",
        )
        try:
            preview = await self._host.closed_preview(again)
            if preview.needs_approval:  # what the user approved was the first body
                return first
            reply = await self._host.closed_send(again)
        except (PolicyRefusal, GatewayError) as refusal:
            return replace(first, note=f"{first.note} It was not asked again: {refusal.message}.".strip())
        second = await self._judged(_previewed(preview, again), query, selection, reply)
        note = f"The first answer was not usable ({wrong}), so the model was asked again."
        return replace(second, first_receipt=first.receipt, note=f"{note} {second.note}".strip())

    async def _judged(
        self, shown: Refactoring, query: RefactorQuery, selection: Selection, reply: ClosedReply
    ) -> Refactoring:
        """The reply as an edit with its checks, or a note that says why it is none."""
        result = replace(
            shown,
            route=RouteTaken(
                target="closed", model=reply.model, reason=reply.reason, endpoint=reply.endpoint, rule=reply.rule
            ),
            redactions=reply.redactions,
            receipt=_receipt(reply),
            note=_warning(reply),
            preview="",
            preview_sha256="",
        )
        language = query.snapshot.language
        new = await asyncio.to_thread(new_document, reply.text, selection, lambda text: parses_alone(text, language))
        if new.text is None:
            return replace(result, note=f"{result.note} {_UNUSED}: {new.reason}.".strip())
        return await self._with_edit(result, query, selection, new.text, reply.secrets_written)

    def _request(self, query: RefactorQuery, selection: Selection) -> ClosedRequest:
        snapshot = query.snapshot
        messages = closed_messages(selection, query.instruction, snapshot.relative, snapshot.language)
        return ClosedRequest(
            request_id=uuid4().hex,
            task="refactor",
            workspace=str(snapshot.root),
            messages=tuple(
                Message(role="system" if role == "system" else "user", content=text) for role, text in messages
            ),
            files=(snapshot.relative,),
            spans=(_span(query, selection),),
            lines=lines_shown(selection),
            max_tokens=max(self._settings.max_answer_tokens, len(selection.text)),
            approved_sha256=query.approved_sha256,
            template=TEMPLATE,
        )

    # -- both ----------------------------------------------------------------------------------------------------

    async def _with_edit(
        self, result: Refactoring, query: RefactorQuery, selection: Selection, new_text: str, secrets: int = 0
    ) -> Refactoring:
        snapshot = query.snapshot
        edit = await asyncio.to_thread(file_edit, snapshot, new_text)
        if edit is None:
            return replace(result, note=f"{result.note} The model gave the code back unchanged.".strip())
        checks = await asyncio.to_thread(
            check, snapshot.text, new_text, snapshot.relative, snapshot.language, selection, secrets
        )
        return replace(result, edits=(edit,), diff=edit.diff, checks=checks)


def _previewed(preview: ClosedPreview, request: ClosedRequest) -> Refactoring:
    return Refactoring(
        route=RouteTaken(
            target="closed",
            model=preview.model,
            reason=preview.reason,
            endpoint=preview.endpoint,
            rule=preview.rule,
        ),
        request_id=request.request_id,
        edits=(),
        diff="",
        checks=_UNTOUCHED,
        redactions=preview.redactions,
        marks=tuple(f"{mark.placeholder}: {mark.rule}, {mark.count} times" for mark in preview.marks),
        preview=preview.body,
        preview_sha256=preview.sha256,
    )


def _to_repair(result: Refactoring) -> str:
    """What to tell the model when another answer could mend it; "" when nothing is to mend or it is no slip."""
    if not result.edits:
        reason = result.note.partition(f"{_UNUSED}: ")[2].rstrip(".")
        return "" if reason == NOTHING_TO_DO else reason
    checks = result.checks
    if checks.new_addresses or checks.hidden or checks.secrets:
        return ""  # who writes these is not asked twice
    return "; ".join(replace(checks, protected=()).failures())


def _receipt(reply: ClosedReply) -> Receipt:
    return Receipt(
        record_id=reply.record_id,
        endpoint=reply.endpoint,
        model=reply.model,
        rule=reply.rule,
        spans=tuple(f"{span.path}:{span.start_line}-{span.end_line}" for span in reply.spans),
        redacted=tuple(mark.rule for mark in reply.marks),
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        usd=reply.usd,
        body_bytes=reply.body_bytes,
        body_sha256=reply.body_sha256,
        attempts=reply.attempts,
        template=TEMPLATE,
    )


def _warning(reply: ClosedReply) -> str:
    if not reply.secrets_written:
        return ""
    return f"The answer holds {reply.secrets_written} values that look like secrets: look at them before you apply it."


def _span(query: RefactorQuery, selection: Selection) -> Span:
    """The lines that `closed_messages` holds."""
    last = min(selection.end + NEIGHBOURS, len(selection.lines))
    return Span(path=query.snapshot.relative, start_line=last - lines_shown(selection) + 1, end_line=last)


def _rule(error: PointsmanError) -> str:
    return error.rule if isinstance(error, PolicyRefusal) else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
