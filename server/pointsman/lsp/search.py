"""pointsman/search: hybrid search in the workspace. Paths of its hits are below `root`, a URI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.host import api
from pointsman.host.wire import to_plain
from pointsman.lsp.documents import snapshot_at
from pointsman.lsp.messages import SEARCH, SearchParams
from pointsman.lsp.protocol import InvalidParams

if TYPE_CHECKING:
    from pointsman.lsp.server import Server


def register(server: Server) -> None:
    @server.feature(SEARCH)
    async def search(params: SearchParams) -> dict[str, Any]:
        asked = await snapshot_at(server, params.textDocument.uri) if params.textDocument else None
        root = server.session.root_for(asked)
        if root is None:
            raise InvalidParams("no workspace folder is open: there is nothing to search")
        if not 1 <= params.k <= 100:
            raise InvalidParams("k must lie between 1 and 100")
        wanted = api.SearchParams(
            path=str(root), query=params.query, k=params.k, language=params.language, closely="questions"
        )
        reply = await (await server.services()).host.search(wanted)
        return {**to_plain(reply), "query": params.query, "root": root.as_uri()}
