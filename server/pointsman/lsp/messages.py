"""The shapes of our own methods, and of the standard one that clients extend. Field names are those on the wire."""

from __future__ import annotations

from typing import Any

import attrs
from lsprotocol import types

ASK, SEARCH, STATUS, EXPLAIN = "pointsman/ask", "pointsman/search", "pointsman/status", "pointsman/explain"
PREVIEW = "pointsman/preview"
DID_CHANGE_STATUS = "pointsman/didChangeStatus"
DID_SHOW, DID_FOCUS = "textDocument/didShowCompletion", "textDocument/didFocus"
DID_PARTLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"


@attrs.define
class DocumentRef:
    uri: str
    version: int | None = None


@attrs.define
class InlineParams:
    """`InlineCompletionParams` with the version that Copilot-aware clients send."""

    textDocument: DocumentRef
    position: types.Position
    context: types.InlineCompletionContext


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
    target: str = "auto"
    preview: bool = False
    """Only show what would leave; ask no model."""
    approvedSha256: str = ""
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
class FilePart:
    """Lines of a file, open or not; all of it without a range."""

    textDocument: DocumentRef
    range: types.Range | None = None


@attrs.define
class RefactorParams:
    """The argument of the command `pointsman.refactor`, and the params of `pointsman/preview`."""

    textDocument: DocumentRef
    range: types.Range
    instruction: str
    others: list[FilePart] = attrs.field(factory=list)
    """More files of the same repository that may change."""
    newFiles: list[str] = attrs.field(factory=list)
    """URIs of files that may be made."""
    tests: bool = False
    """Write tests of the range, which itself stays, into the file where they belong. The instruction may be empty."""
    target: str = "auto"
    preview: bool = False
    """Ask no model: the result says where the request would go and, in `preview`, the body that would leave for a
    closed model. That is "" when the local model would do it, for then nothing leaves."""
    approvedSha256: str = ""
    label: str = "Pointsman refactor"
    """Of the edit that the client is asked to apply: one that it chose tells it which request that belongs to."""


@attrs.define
class TrustParams:
    """The argument of the command `pointsman.trustWorkspace`, which may be left out."""

    preview: bool = False
    """Only return what would be trusted, for the user to agree to."""
    roots: list[str] | None = None
    """Only these of them: meanwhile something of another repository may have been opened."""


@attrs.define
class ShownParams:
    """`item` is the one that was sent, as the client kept it."""

    item: Any


@attrs.define
class PartlyAcceptedParams:
    item: Any
    acceptedLength: int
    """From the item's start, in UTF-16 units."""


@attrs.define
class FocusParams:
    textDocument: DocumentRef | None = None


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
class PreviewRequest:
    id: int | str
    params: RefactorParams
    method: str
    jsonrpc: str


@attrs.define
class StatusRequest:
    id: int | str
    method: str
    jsonrpc: str
    params: Any = None


@attrs.define
class ShownNotification:
    params: ShownParams
    method: str
    jsonrpc: str


@attrs.define
class PartlyAcceptedNotification:
    params: PartlyAcceptedParams
    method: str
    jsonrpc: str


@attrs.define
class FocusNotification:
    params: FocusParams
    method: str
    jsonrpc: str


MESSAGES: dict[str, type[Any]] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: InlineRequest,
    ASK: AskRequest,
    SEARCH: SearchRequest,
    EXPLAIN: ExplainRequest,
    PREVIEW: PreviewRequest,
    STATUS: StatusRequest,
    DID_SHOW: ShownNotification,
    DID_PARTLY_ACCEPT: PartlyAcceptedNotification,
    DID_FOCUS: FocusNotification,
}
