"""A question and its sources as a request to a closed model, and its answer as it streams.

Of the turns before, only the user's own go along: what was answered may quote files that policy keeps on this machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import aclosing
from uuid import uuid4

from pointsman.chat.display import Streamed
from pointsman.chat.prompt import SYSTEM, build_messages
from pointsman.chat.sources import Source
from pointsman.chat.types import Answer, Question
from pointsman.errors import GatewayError
from pointsman.host.api import ClosedPiece, ClosedPreview, ClosedReply, ClosedRequest, HostApi, Span
from pointsman.routed import marks_of, messages_of, route_of

SOURCE_TOKENS = 4_000
"""Sources take at most this: a closed model can read more of them than the smallest local one."""
_AROUND = 10_000
"""Characters before and after a selection in which secrets are looked for that its edges cut through."""
TEMPLATE = f"chat:{hashlib.sha256(SYSTEM.encode()).hexdigest()}"
"""Name and hash of what question and sources are put into: the audit log says by it which words a model got."""


def request_of(question: Question, sources: Sequence[Source], max_tokens: int) -> ClosedRequest:
    own = [turn for turn in question.history if turn.role == "user"]
    spans = tuple(
        Span(path=source.path, start_line=source.lines[0][0], end_line=source.lines[-1][0]) for source in sources
    )
    return ClosedRequest(
        request_id=uuid4().hex,
        task="chat",
        workspace=str(question.root),
        messages=messages_of(build_messages(question.text, sources, own)),
        files=tuple(dict.fromkeys(source.path for source in sources)),
        spans=spans,
        lines=lines_of(sources),
        max_tokens=max_tokens,
        approved_sha256=question.approved_sha256,
        template=TEMPLATE,
        stream=True,
        around=_around(question),
    )


def _around(question: Question) -> tuple[str, ...]:
    """The document with the selection, as the editor has it."""
    if question.selection is None or question.end <= question.start:
        return ()
    return (question.selection.text[max(0, question.start - _AROUND) : question.end + _AROUND],)


def lines_of(sources: Sequence[Source]) -> int:
    return sum(len(source.lines) for source in sources)


def shown(preview: ClosedPreview, note: str) -> Answer:
    """What would leave, for the user's review."""
    return Answer(
        answer="",
        citations=(),
        abstained=False,
        route=route_of(preview),
        redactions=preview.redactions,
        marks=marks_of(preview),
        preview=preview.body,
        preview_sha256=preview.sha256,
        note=note,
    )


async def written(host: HostApi, request: ClosedRequest, on_delta: Callable[[str], None]) -> ClosedReply:
    """The whole answer; `on_delta` gets it as it comes, fit to be shown. Raises `PolicyRefusal` and `GatewayError`."""
    streamed = Streamed()
    async with aclosing(host.closed_stream(request)) as parts:
        async for part in parts:
            if isinstance(part, ClosedPiece):
                if delta := streamed.feed(part.delta):
                    on_delta(delta)
            else:
                if rest := streamed.end():
                    on_delta(rest)
                return part
    raise GatewayError("the answer broke off")
