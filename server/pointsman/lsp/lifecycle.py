"""initialize, initialized, shutdown, and leaving when the editor is gone."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from lsprotocol import types

from pointsman.lsp import completion, configuration, indexing, watched_files
from pointsman.lsp.pace import Pace

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_WATCH_SECONDS = 2.0


def register(server: Server) -> None:
    # Not async: whatever a client sends right after, without waiting, finds the server initialized.
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        if isinstance(params.initialization_options, dict):
            server.options = params.initialization_options
        server.pace = Pace(params.client_info.name if params.client_info else "")
        folders = [folder.uri for folder in params.workspace_folders or []] or [params.root_uri or ""]
        server.session.work_in(path for uri in folders if (path := server.path_of(uri)) is not None)
        documents = params.capabilities.text_document
        if documents is None or documents.inline_completion is None:
            completion.register(server)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        if server.process_id is not None:
            server.spawn(_leave_with(server, server.process_id), "watch the editor")
        server.status.show("Normal", "ready")
        server.spawn(watched_files.watch(server), "watch files")
        server.spawn(configuration.listen(server), "watch settings")
        if indexing.is_automatic(server):
            indexing.request(server)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def folders_changed(params: types.DidChangeWorkspaceFoldersParams) -> None:
        gone = {server.path_of(folder.uri) for folder in params.event.removed}
        added = [path for folder in params.event.added if (path := server.path_of(folder.uri)) is not None]
        server.session.work_in([*(f for f in server.session.folders if f not in gone), *added])
        if added and indexing.is_automatic(server):
            indexing.request(server)

    @server.feature(types.SHUTDOWN)
    async def shutdown(params: None) -> None:
        await server.close()


async def _leave_with(server: Server, editor: int) -> None:
    """An editor that was killed closes its pipe, as a rule; one that left it to a child does not."""
    while True:
        try:
            os.kill(editor, 0)
        except ProcessLookupError:
            server.finished.set()
            return
        except PermissionError:
            pass
        await asyncio.sleep(_WATCH_SECONDS)
