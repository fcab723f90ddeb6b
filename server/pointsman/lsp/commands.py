"""workspace/executeCommand: what a client without our extension can call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from pointsman.host.wire import to_plain
from pointsman.lsp.ask import ask
from pointsman.lsp.indexing import update
from pointsman.lsp.inline_completion import ACCEPTED
from pointsman.lsp.messages import EXPLAIN, PREVIEW, AskParams, ExplainParams, RefactorParams, TrustParams
from pointsman.lsp.protocol import InvalidParams
from pointsman.lsp.refactor import refactor

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

T = TypeVar("T")


def register(server: Server) -> None:
    @server.command("pointsman.refactor")
    async def on_refactor(*arguments: Any) -> dict[str, Any]:
        return await refactor(server, argument(server, arguments, RefactorParams))

    @server.command("pointsman.ask")
    async def on_ask(*arguments: Any) -> dict[str, Any]:
        return await ask(server, argument(server, arguments, AskParams))

    @server.command("pointsman.reindex")
    async def on_reindex(*arguments: Any) -> list[dict[str, Any]]:
        return [await update(server, place) for place in server.session.places()]

    @server.command(ACCEPTED)
    async def on_accepted(*arguments: Any) -> None:
        services = await server.services()
        item = argument(server, arguments, str)
        services.completer.accepted(item)
        services.recorder.accepted(item)

    @server.command("pointsman.explainLast")
    async def on_explain_last(*arguments: Any) -> dict[str, Any] | None:
        return await explain(server, argument(server, arguments, ExplainParams))

    @server.command("pointsman.trustWorkspace")
    async def on_trust(*arguments: Any) -> list[str]:
        """The roots that are trusted now, or would be."""
        asked = argument(server, arguments, TrustParams) if arguments else TrustParams()
        roots = dict.fromkeys(map(server.session.root_of, server.session.places()))
        if asked.preview:
            return [str(root) for root in roots]
        trust = (await server.services()).trust
        return [trust(root) for root in roots if asked.roots is None or str(root) in asked.roots]

    @server.feature(PREVIEW)
    async def on_preview(params: RefactorParams) -> dict[str, Any]:
        """What the command would send out, and where to; sends nothing. `preview` is "" when nothing would leave."""
        return await refactor(server, attrs.evolve(params, preview=True))

    @server.feature(EXPLAIN)
    async def on_explain(params: ExplainParams) -> dict[str, Any] | None:
        return await explain(server, params)


async def explain(server: Server, params: ExplainParams) -> dict[str, Any] | None:
    """The stages of the last completion on the position's line, else in the document; None when there was none."""
    line = params.position.line if params.position else None
    last = (await server.services()).completer.explain(params.textDocument.uri, line)
    if last is None:
        return None
    completion = last.completion
    return {
        "model": completion.model,
        "items": len(completion.items),
        "reason": completion.reason,
        "timings_ms": completion.timings_ms,
        "stages": to_plain(completion.stages),
        "line": last.line,
        "column": last.column,
        "version": last.version,
    }


def argument(server: Server, arguments: tuple[Any, ...], shape: type[T]) -> T:
    if not arguments:
        raise InvalidParams(f"one argument of the shape {shape.__name__} is needed")
    return server.protocol.structured(arguments[0], shape)
