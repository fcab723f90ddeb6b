"""didOpen, didChange, didClose, didSave: keeps the session's documents equal to the editor's, and tells the recorder
what changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from pointsman.lsp import indexing
from pointsman.lsp.languages import language_named
from pointsman.lsp.positions import Lines
from pointsman.ondisk import snapshot_of
from pointsman.session import Edit, Snapshot, difference

if TYPE_CHECKING:
    from pointsman.lsp.server import Server


async def snapshot_at(server: Server, uri: str) -> Snapshot | None:
    """The document as the editor has it, or the file as it is on disk: what is asked again may be closed by now.

    None for a URI that is neither. Raises `PointsmanError` for what is no text file.
    """
    document, path = server.session.get(uri), server.path_of(uri)
    if document is not None:
        return document.snapshot()
    if path is None or not path.is_file():
        return None
    return await asyncio.to_thread(snapshot_of, path, server.session.root_of(path))


def register(server: Server) -> None:
    def left(uri: str) -> None:
        if (recorder := server.recorder) is not None:
            recorder.left(uri)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def did_open(params: types.DidOpenTextDocumentParams) -> None:
        document = params.text_document
        path = server.path_of(document.uri)
        left(document.uri)
        known = server.session.places()
        language = language_named(document.language_id)
        server.session.open(document.uri, path, language, document.version, Lines(document.text))
        for place in server.session.places():
            if place not in known and indexing.is_automatic(server):
                indexing.request_in(server, place)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def did_change(params: types.DidChangeTextDocumentParams) -> None:
        document = server.session.get(params.text_document.uri)
        if document is None:
            return
        recorder = server.recorder
        watched = recorder is not None and recorder.is_watching(document.uri)
        edits: list[Edit] = []
        for change in params.content_changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                start, end = change.range.start, change.range.end
                edits.append(
                    document.buffer.edit(
                        (start.line, start.character), (end.line, end.character), change.text, server.encoding
                    )
                )
            else:
                whole = Lines(change.text)
                if watched:
                    edits.append(difference(document.buffer.text, whole.text))
                document.buffer = whole
        document.version = params.text_document.version
        if recorder is not None and watched:
            recorder.edited(document.uri, edits)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def did_close(params: types.DidCloseTextDocumentParams) -> None:
        document = server.session.get(params.text_document.uri)
        if document is not None and server.made is not None:
            server.made.completer.closed(document.snapshot())
        server.session.close(params.text_document.uri)
        left(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def did_save(params: types.DidSaveTextDocumentParams) -> None:
        path = server.path_of(params.text_document.uri)
        if indexing.is_automatic(server) and path is not None:
            indexing.request(server, [path])
