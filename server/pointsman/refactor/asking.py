"""The closed model's way: preview, approval, sending, the answer as checked edits, one more try with the error told.

Every request passes the gateway, which decides again by policy. What is raised before anything left may be answered
by a local model instead; that is the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import uuid4

from pointsman.finding import FindSecrets
from pointsman.host.api import ClosedPreview, ClosedReply, ClosedRequest, HostApi, Message
from pointsman.refactor.answer import NOTHING_TO_DO
from pointsman.refactor.changes import Changes, changes_of
from pointsman.refactor.closed import TEMPLATE, closed_messages, lines_of, retry_message, spans
from pointsman.refactor.context import Piece
from pointsman.refactor.edits import edits_of
from pointsman.refactor.promise import breach
from pointsman.refactor.types import UNTOUCHED, Refactoring
from pointsman.refactor.work import Work
from pointsman.routed import NO_CLOSED, marks_of, messages_of, receipt_of, route_of

_UNUSED = "The answer was not used"
_AROUND = 120
"""Lines before and after the selection in which secrets are looked for that its edges cut through."""
_NEW_FILE_TOKENS = 4_000
"""Of an answer, for each file that it may make."""


def request_of(work: Work, context: Sequence[Piece], approved_sha256: str, least_tokens: int) -> ClosedRequest:
    """`least_tokens`: the least that an answer may be long."""
    shown = spans(work, context)
    changed = sum(len(part.selection.text) for part in work.parts if not part.read_only)
    return ClosedRequest(
        request_id=uuid4().hex,
        task="refactor",
        workspace=str(work.root),
        messages=messages_of(closed_messages(work, context)),
        files=tuple(dict.fromkeys((*work.paths, *(span.path for span in shown)))),
        spans=shown,
        lines=lines_of(shown),
        max_tokens=max(least_tokens, changed + _NEW_FILE_TOKENS * len(work.creates)),
        approved_sha256=approved_sha256,
        template=TEMPLATE,
        around=tuple(part.selection.window(_AROUND) for part in work.parts),
    )


async def ask_closed(
    host: HostApi,
    work: Work,
    context: Sequence[Piece],
    request: ClosedRequest,
    find: FindSecrets | None = None,
    *,
    dry_run: bool,
) -> Refactoring:
    """Raises `PolicyRefusal` and `GatewayError` only before an answer came; see their `record`."""
    preview = await host.closed_preview(request)
    shown = replace(_previewed(preview, request), context=_told(context))
    if dry_run:
        return shown
    if preview.needs_approval and request.approved_sha256 != preview.sha256:
        return replace(shown, note="Policy wants the outgoing body approved before it is sent.")
    reply = await host.closed_send(request)
    judged = partial(_judged, work=work, context=context, find=find)
    first = await judged(shown, reply)
    wrong = _to_repair(first)
    if not wrong:
        return first
    again = replace(
        request,
        request_id=uuid4().hex,
        messages=_again(request.messages, reply, wrong),
        approved_sha256="",
    )
    try:
        preview = await host.closed_preview(again)
        if preview.needs_approval:  # what the user approved was the first body
            return first
        reply = await host.closed_send(again)
    except NO_CLOSED as failure:
        return replace(first, note=f"{first.note} It gave no other: {failure.told}.".strip())
    second = await judged(replace(_previewed(preview, again), context=shown.context), reply)
    note = f"The first answer was not usable ({wrong}), so the model was asked again."
    return replace(second, first_receipt=first.receipt, note=f"{note} {second.note}".strip())


def _again(asked: tuple[Message, ...], reply: ClosedReply, wrong: str) -> tuple[Message, ...]:
    """The request with what was wrong, and with the answer itself only where nothing was redacted: its placeholders are
    the user's values again, and alone these no longer look like secrets."""
    told = retry_message(wrong)
    if reply.redactions:
        return (*asked[:-1], Message(role="user", content=f"{asked[-1].content}\n\n{told}"))
    return (*asked, Message(role="assistant", content=reply.text), Message(role="user", content=told))


async def _judged(
    shown: Refactoring, reply: ClosedReply, *, work: Work, context: Sequence[Piece], find: FindSecrets | None
) -> Refactoring:
    """The reply as edits with their checks, or a note that says why it is none."""
    result = replace(
        shown,
        route=route_of(reply),
        redactions=reply.redactions,
        receipt=receipt_of(reply, TEMPLATE),
        note=_warning(reply),
        preview="",
        preview_sha256="",
    )
    changes = await asyncio.to_thread(changes_of, reply.text, work)
    if changes.reason:
        return replace(result, note=f"{result.note} {_UNUSED}: {changes.reason}.".strip())
    others = [piece.text for piece in context]
    edits, checks = await asyncio.to_thread(edits_of, changes, work, find, shown=others, counted=reply.secrets_written)
    beside = await asyncio.to_thread(_beside, changes, work)
    checks = replace(checks, beyond=bool(beside))
    return replace(result, note=f"{result.note} {beside}".strip()).with_edits(edits, checks)


def _beside(changes: Changes, work: Work) -> str:
    """A warning of code that changed where the user asked for documentation or type hints alone; "" for none."""
    for index, text in changes.documents.items():
        base = work.parts[index].snapshot
        if wrong := breach(work.instruction, base.text, text, base.language):
            return f"The answer {wrong}: look at {base.relative} before you apply it."
    return ""


def _to_repair(result: Refactoring) -> str:
    """What to tell the model when another answer could mend it; "" when nothing is to mend or it is no slip."""
    if not result.edits:
        reason = result.note.partition(f"{_UNUSED}: ")[2].rstrip(".")
        return "" if reason == NOTHING_TO_DO else reason
    checks = result.checks
    if checks.new_addresses or checks.hidden or checks.secrets:
        return ""  # who writes these is not asked twice
    return "; ".join(replace(checks, protected=()).failures())


def _previewed(preview: ClosedPreview, request: ClosedRequest) -> Refactoring:
    return Refactoring(
        route=route_of(preview),
        request_id=request.request_id,
        edits=(),
        diff="",
        checks=UNTOUCHED,
        redactions=preview.redactions,
        marks=marks_of(preview),
        preview=preview.body,
        preview_sha256=preview.sha256,
    )


def _told(context: Sequence[Piece]) -> tuple[str, ...]:
    return tuple(f"{piece.path}:{piece.start_line}-{piece.end_line}, {piece.why}" for piece in context)


def _warning(reply: ClosedReply) -> str:
    if not reply.secrets_written:
        return ""
    return f"The answer holds {reply.secrets_written} values that look like secrets: look at them before you apply it."
