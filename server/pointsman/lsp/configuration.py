"""workspace/didChangeConfiguration: the editor's settings of the section `pointsman`, applied while the server runs.

They have the shape of `initializationOptions` and choose as little: comfort, never an endpoint, a model, a path or a
policy. What is left out, or of another type, stays as it was.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from pointsman.lsp import indexing

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_SECTION = "pointsman"


def register(server: Server) -> None:
    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def changed(params: types.DidChangeConfigurationParams) -> None:
        workspace = server.client_capabilities.workspace
        if workspace and workspace.configuration:
            _apply(server, await _pulled(server))
        elif isinstance(params.settings, dict):
            _apply(server, params.settings.get(_SECTION))


async def listen(server: Server) -> None:
    """Ask to be told of changes, for clients that tell only who asked."""
    workspace = server.client_capabilities.workspace
    change = workspace.did_change_configuration if workspace else None
    if change is None or not change.dynamic_registration:
        return
    method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
    options = types.DidChangeConfigurationRegistrationOptions(section=_SECTION)
    registration = types.Registration(id=uuid.uuid4().hex, method=method, register_options=options)
    with contextlib.suppress(JsonRpcException):
        await server.client_register_capability_async(types.RegistrationParams(registrations=[registration]))


async def _pulled(server: Server) -> Any:
    """None when the client gives none."""
    asked = types.ConfigurationParams(items=[types.ConfigurationItem(section=_SECTION)])
    try:
        answer = await server.workspace_configuration_async(asked)
    except JsonRpcException:
        return None
    return answer[0] if answer else None


def _apply(server: Server, settings: Any) -> None:
    index = settings.get("index") if isinstance(settings, dict) else None
    automatic = index.get("automatic") if isinstance(index, dict) else None
    if not isinstance(automatic, bool):
        return
    before = indexing.is_automatic(server)
    server.options["index"] = {"automatic": automatic}
    if automatic and not before:
        indexing.request(server)  # whatever changed while nobody looked
