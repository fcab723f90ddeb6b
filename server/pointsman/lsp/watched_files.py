"""workspace/didChangeWatchedFiles: asks the client to watch, and updates the index when something changed."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from pointsman.lsp import indexing

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_MANY = 500
"""Files of one change, as by a checkout, that are told one by one; of more, all places are looked through."""


def register(server: Server) -> None:
    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def changed(params: types.DidChangeWatchedFilesParams) -> None:
        if not indexing.is_automatic(server):
            return
        if len(params.changes) > _MANY:
            indexing.request(server)
            return
        # git writes below .git all the time; its effect on the working tree is reported by itself.
        changes = (server.path_of(change.uri) for change in params.changes if "/.git/" not in change.uri)
        files = [path for path in changes if path is not None]
        if files:
            indexing.request(server, files)


async def watch(server: Server) -> None:
    """Register for every file, where the client can do that. Without it, saves and the start still update."""
    workspace = server.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace else None
    if watching is None or not watching.dynamic_registration:
        return
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers=[types.FileSystemWatcher(glob_pattern="**/*")])
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    registration = types.Registration(id=uuid.uuid4().hex, method=method, register_options=options)
    with contextlib.suppress(JsonRpcException):
        await server.client_register_capability_async(types.RegistrationParams(registrations=[registration]))
