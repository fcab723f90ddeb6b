"""textDocument/completion: the same suggestion as a menu entry, for clients without inline completion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsprotocol import types

from pointsman.complete.types import CompletionQuery
from pointsman.lsp.inline_completion import ACCEPTED, Typing, range_of

if TYPE_CHECKING:
    from pointsman.lsp.server import Server


def register(server: Server) -> None:
    """Called at `initialize`, only when the client does not declare inline completion."""
    typing = Typing()

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    async def completion(params: types.CompletionParams) -> types.CompletionList:
        nothing = types.CompletionList(is_incomplete=True, items=[])
        document = server.session.get(params.text_document.uri)
        if document is None or params.position.line >= len(document.buffer):
            return nothing
        offset = document.buffer.offset(params.position.line, params.position.character, server.encoding)
        query = CompletionQuery(snapshot=document.snapshot(), offset=offset)
        found = await typing.latest(server, document, query)
        if found is None or not found.items:
            return nothing
        item = found.items[0]
        before = document.buffer.before(params.position.line, params.position.character, server.encoding)
        entry = types.CompletionItem(
            label=item.text.strip().split("\n")[0][:60] or "suggestion",
            kind=types.CompletionItemKind.Text,
            detail="pointsman",
            documentation=item.text,
            filter_text=_typed(before) + item.text.strip(),
            text_edit=types.TextEdit(
                range=range_of(item.start, item.end, document.buffer, server.encoding), new_text=item.text
            ),
            command=types.Command(title="accepted", command=ACCEPTED, arguments=[item.id]),
            preselect=False,
            sort_text="~",
            insert_text_mode=_as_is(server),
        )
        return types.CompletionList(is_incomplete=True, items=[entry])


def _as_is(server: Server) -> types.InsertTextMode | None:
    """A suggestion brings its own indentation: a client that would add the line's to further ones is asked not to."""
    documents = server.client_capabilities.text_document
    item = documents.completion.completion_item if documents and documents.completion else None
    modes = item.insert_text_mode_support.value_set if item and item.insert_text_mode_support else ()
    return types.InsertTextMode.AsIs if types.InsertTextMode.AsIs in modes else None


def _typed(before: str) -> str:
    """What the user has typed of a word: clients show an entry only while it matches that."""
    found = re.search(r"\w*$", before)
    return found.group() if found else ""
