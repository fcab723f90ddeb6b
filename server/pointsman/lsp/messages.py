"""The shapes of our own methods, and of the standard one that clients extend. Field names are those on the wire."""

from __future__ import annotations

from typing import Any

import attrs
from lsprotocol import types

ASK, SEARCH, STATUS, EXPLAIN = "pointsman/ask", "pointsman/search", "pointsman/status", "pointsman/explain"
DID_CHANGE_STATUS = "pointsman/didChangeStatus"


@attrs.define
class DocumentRef:
    uri: str
    version: int | None = None


@attrs.define
class InlineParams:
    """`InlineCompletionParams` with the version and the formatting options that Copilot-aware clients send."""

    textDocument: DocumentRef
    position: types.Position
    context: types.InlineCompletionContext
    formattingOptions: Any = None


@attrs.define
class HistoryTurn:
    role: str
    text: str


@attrs.define
class AskParams:
    question: str
    textDocument: DocumentRef | None = None
    range: types.Range | None = None
    history: list[HistoryTurn] = attrs.field(factory=list)
    partialResultToken: int | str | None = None


@attrs.define
class SearchParams:
    query: str
    textDocument: DocumentRef | None = None
    k: int = 10
    language: str = ""


@attrs.define
class ExplainParams:
    textDocument: DocumentRef
    position: types.Position | None = None


@attrs.define
class RefactorParams:
    """The argument of the command `pointsman.refactor`."""

    textDocument: DocumentRef
    range: types.Range
    instruction: str
    target: str = "auto"
    preview: bool = False
    """Only return the result; ask the client to apply nothing."""
    approvedSha256: str = ""


@attrs.define
class InlineRequest:
    id: int | str
    params: InlineParams
    method: str
    jsonrpc: str


@attrs.define
class AskRequest:
    id: int | str
    params: AskParams
    method: str
    jsonrpc: str


@attrs.define
class SearchRequest:
    id: int | str
    params: SearchParams
    method: str
    jsonrpc: str


@attrs.define
class ExplainRequest:
    id: int | str
    params: ExplainParams
    method: str
    jsonrpc: str


@attrs.define
class StatusRequest:
    id: int | str
    method: str
    jsonrpc: str
    params: Any = None


REQUESTS: dict[str, type[Any]] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: InlineRequest,
    ASK: AskRequest,
    SEARCH: SearchRequest,
    EXPLAIN: ExplainRequest,
    STATUS: StatusRequest,
}
