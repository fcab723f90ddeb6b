"""textDocument/inlineCompletion: the snapshot first, then the pipeline; a newer request cancels the older one.

Never an error to the user for want of a suggestion: stale, cancelled or impossible gives `{items: []}`, which clears
the editor's ghost text. Neovim does not cancel its older requests, so cancelling the previous one is ours to do.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from lsprotocol import types

from pointsman.complete.types import Completion, CompletionQuery, Item, SelectedCompletion
from pointsman.errors import PointsmanError
from pointsman.lsp.messages import InlineParams
from pointsman.lsp.positions import Encoding, Lines
from pointsman.observe.records import CANCELLED, CHANGED
from pointsman.session import Document, Snapshot

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

log = logging.getLogger(__name__)

ACCEPTED = "pointsman.didAccept"
_ALTERNATIVES = 3


class Typing:
    """The newest completion task of each document. Starting one cancels the one before."""

    def __init__(self) -> None:
        self._newest: dict[str, asyncio.Task[Completion | None]] = {}

    async def latest(self, server: Server, document: Document[Lines], query: CompletionQuery) -> Completion | None:
        """Run the pipeline; None when a newer request took its place, the document has changed meanwhile, or there was
        an error that the status shows. What comes of it is recorded."""
        completion, why = None, CANCELLED
        try:
            completion = await self._newest_only(server, query)
            if completion is not None:
                why = "" if is_current(server, document, query.snapshot) else CHANGED
            if why == CHANGED:
                (await server.services()).completer.withheld(query.snapshot.uri, why)
        finally:
            if (recorder := server.recorder) is not None:
                recorder.answered(query, completion, why)
        return None if why else completion

    async def _newest_only(self, server: Server, query: CompletionQuery) -> Completion | None:
        uri = query.snapshot.uri
        if (older := self._newest.get(uri)) is not None:
            older.cancel()
        task = asyncio.create_task(_complete(server, query), name="complete")
        self._newest[uri] = task
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()  # this request was cancelled, or the task is done already
            if self._newest.get(uri) is task:
                del self._newest[uri]
        return None if task.cancelled() else task.result()


async def _complete(server: Server, query: CompletionQuery) -> Completion | None:
    try:
        with server.status.working():
            return await (await server.services()).completer.complete(query)
    except PointsmanError as error:
        log.info("no completion: %s", error.code)
        return None


def register(server: Server) -> None:
    typing = Typing()

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(params: InlineParams) -> types.InlineCompletionList:
        document = server.session.get(params.textDocument.uri)
        if document is None or params.textDocument.version not in (None, document.version):
            return types.InlineCompletionList(items=[])
        if params.position.line >= len(document.buffer):  # an item's range would not be where the cursor is
            return types.InlineCompletionList(items=[])
        query = _query(document, params, server.encoding)
        if query.automatic:
            query = replace(query, patience_ms=server.pace.patience_ms())
        completion = await typing.latest(server, document, query)
        if completion is None:
            return types.InlineCompletionList(items=[])
        return types.InlineCompletionList(
            items=[_item(item, document.buffer, server.encoding) for item in completion.items]
        )


def is_current(server: Server, document: Document[Lines], snapshot: Snapshot) -> bool:
    """Whether the document is still open, not closed and opened again, and as it was."""
    return server.session.get(snapshot.uri) is document and document.version == snapshot.version


def _query(document: Document[Lines], params: InlineParams, encoding: Encoding) -> CompletionQuery:
    automatic = params.context.trigger_kind == types.InlineCompletionTriggerKind.Automatic
    selected = params.context.selected_completion_info
    return CompletionQuery(
        snapshot=document.snapshot(),
        offset=document.buffer.offset(params.position.line, params.position.character, encoding),
        count=1 if automatic else _ALTERNATIVES,
        automatic=automatic,
        selected=None
        if selected is None
        else SelectedCompletion(
            start=document.buffer.offset(selected.range.start.line, selected.range.start.character, encoding),
            end=document.buffer.offset(selected.range.end.line, selected.range.end.character, encoding),
            text=selected.text,
        ),
    )


def _item(item: Item, lines: Lines, encoding: Encoding) -> types.InlineCompletionItem:
    return types.InlineCompletionItem(
        # Editors put their own line ends in; Neovim would write a carriage return beside its own.
        insert_text=item.text.replace("\r\n", "\n"),
        range=range_of(item.start, item.end, lines, encoding),
        command=types.Command(title="accepted", command=ACCEPTED, arguments=[item.id]),
    )


def range_of(start: int, end: int, lines: Lines, encoding: Encoding) -> types.Range:
    (first, left), (last, right) = lines.position(start, encoding), lines.position(end, encoding)
    return types.Range(types.Position(first, left), types.Position(last, right))
