"""pointsman/ask: a question, answered with citations; the draft streams as partial results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast, get_args

from lsprotocol import types

from pointsman.chat.types import Question, Turn
from pointsman.host.wire import to_plain
from pointsman.lsp import indexing
from pointsman.lsp.documents import snapshot_at
from pointsman.lsp.messages import ASK, AskParams
from pointsman.lsp.positions import Lines
from pointsman.lsp.protocol import InvalidParams
from pointsman.routed import Target

if TYPE_CHECKING:
    from pointsman.lsp.server import Server


def register(server: Server) -> None:
    @server.feature(ASK)
    async def on_ask(params: AskParams) -> dict[str, Any]:
        return await ask(server, params)


async def ask(server: Server, params: AskParams) -> dict[str, Any]:
    """The interface's `ask` object, with the URI that its paths are below as `root`: it may lie above the folder that
    the editor opened. Deltas are what is written on the way; the result is what stood the checks.
    """
    question = await _question(server, params)
    told = False

    def on_delta(delta: str) -> None:
        nonlocal told
        told = True
        if params.partialResultToken is not None:
            value = types.ProgressParams(token=params.partialResultToken, value={"delta": delta})
            server.progress(value)

    with server.status.working():
        await indexing.until_read(server, question.root)
        answer = await (await server.services()).asker.ask(question, on_delta)
    if not told:  # nothing was written, and a client may draw the parts alone
        on_delta(answer.answer)
    plain: dict[str, Any] = to_plain(answer)
    return {**plain, "root": question.root.as_uri()}


async def _question(server: Server, params: AskParams) -> Question:
    if not params.question.strip():
        raise InvalidParams("the question is empty")
    if params.target not in get_args(Target):
        raise InvalidParams("a target is auto, local or closed")
    selection = await snapshot_at(server, params.textDocument.uri) if params.textDocument else None
    root = server.session.root_for(selection)
    if root is None:
        raise InvalidParams("no workspace folder is open: there is no code to answer from")
    start = end = 0
    if selection is not None and params.range is not None:
        lines = await asyncio.to_thread(Lines, selection.text)
        (start, end) = (
            lines.offset(at.line, at.character, server.encoding) for at in (params.range.start, params.range.end)
        )
    return Question(
        text=params.question,
        root=root,
        selection=selection,
        start=min(start, end),
        end=max(start, end),
        history=tuple(Turn(role=turn.role, text=turn.text) for turn in params.history),
        target=cast(Target, params.target),
        dry_run=params.preview,
        approved_sha256=params.approvedSha256,
    )
