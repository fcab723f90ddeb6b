"""What clients report of suggestions, in the shapes that Copilot-aware ones send already. None of it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.lsp.messages import (
    DID_FOCUS,
    DID_PARTLY_ACCEPT,
    DID_SHOW,
    FocusParams,
    PartlyAcceptedParams,
    ShownParams,
)
from pointsman.lsp.positions import code_points

if TYPE_CHECKING:
    from pointsman.lsp.server import Server


def register(server: Server) -> None:
    @server.feature(DID_SHOW)
    async def did_show(params: ShownParams) -> None:
        if (recorder := server.recorder) is not None and (item := _id(params.item)) is not None:
            recorder.shown(item)

    @server.feature(DID_PARTLY_ACCEPT)
    async def did_partly_accept(params: PartlyAcceptedParams) -> None:
        if (recorder := server.recorder) is not None and (item := _id(params.item)) is not None:
            recorder.partly_accepted(item, code_points(_text(params.item), params.acceptedLength, "utf-16"))

    @server.feature(DID_FOCUS)
    async def did_focus(params: FocusParams) -> None:
        if (recorder := server.recorder) is not None:
            recorder.focused(params.textDocument.uri if params.textDocument else "")


def _id(item: Any) -> str | None:
    """The id that the item's command carries."""
    try:
        found = item["command"]["arguments"][0]
    except (TypeError, KeyError, IndexError):
        return None
    return found if isinstance(found, str) else None


def _text(item: Any) -> str:
    text = item.get("insertText")
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) else ""
