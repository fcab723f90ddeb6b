"""The command `pointsman.refactor`: an instruction on a range becomes a versioned edit that the user reviews.

Offers an edit only when it was made from the very text that is open, it passed its checks, and the client binds it to
that version; a protected file's only where the client asks the user. Otherwise the result alone is returned.
"""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast, get_args

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from pointsman.errors import PointsmanError
from pointsman.host.wire import to_plain
from pointsman.lsp.inline_completion import is_current, range_of
from pointsman.lsp.messages import RefactorParams
from pointsman.lsp.positions import Lines
from pointsman.lsp.protocol import InvalidParams
from pointsman.refactor.lines import split_lines
from pointsman.refactor.types import Refactoring, RefactorQuery, Target
from pointsman.session import Document, Snapshot

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_ANNOTATION = "pointsman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    document: Document[Lines]
    snapshot: Snapshot
    """The text that the edit was made from."""
    result: Refactoring
    offered: bool
    """Whether there is an edit that passed its checks and that this client can take."""


async def proposal(server: Server, params: RefactorParams) -> Proposal:
    """Ask a model; nothing is applied."""
    document = server.session.get(params.textDocument.uri)
    if document is None:
        raise InvalidParams("the document is not open")
    if params.target not in get_args(Target) or not params.instruction.strip():
        raise InvalidParams("an instruction and a target of auto, local or closed are needed")
    snapshot = document.snapshot()
    if params.textDocument.version not in (None, snapshot.version):
        raise PointsmanError("the document has changed since", remedy="run the refactor again")
    last = params.range.end.line
    if params.range.end.character == 0 and last > params.range.start.line:
        last -= 1  # a selection of whole lines ends before the first character of the next one
    query = RefactorQuery(
        snapshot=snapshot,
        instruction=params.instruction,
        start_line=min(params.range.start.line, len(document.buffer) - 1) + 1,
        end_line=min(last, len(document.buffer) - 1) + 1,
        target=cast(Target, params.target),
        dry_run=params.preview,
        approved_sha256=params.approvedSha256,
    )
    with server.status.working():
        result = await (await server.services()).refactorer.refactor(query)
    offered = bool(result.edits) and not params.preview and _may_be_offered(server, result)
    return Proposal(document=document, snapshot=snapshot, result=result, offered=offered)


async def refactor(server: Server, params: RefactorParams) -> dict[str, Any]:
    """The interface's `refactor` object; `applied` says whether the client took the edit."""
    found = await proposal(server, params)
    applied = found.offered and await _offer(server, found)
    plain: dict[str, Any] = to_plain(found.result)
    for edit in plain["edits"]:
        del edit["new_text"]
    return {**plain, "applied": applied}


def _edit_support(server: Server) -> tuple[bool, bool]:
    """Whether the client binds edits to a version, and whether it lets the user confirm them."""
    workspace = server.client_capabilities.workspace
    support = workspace.workspace_edit if workspace else None
    if support is None:
        return False, False
    return bool(support.document_changes), support.change_annotation_support is not None


def _may_be_offered(server: Server, result: Refactoring) -> bool:
    versioned, confirmed = _edit_support(server)
    return versioned and result.checks.sound and (confirmed or not result.checks.protected)


async def annotated_edits(server: Server, found: Proposal) -> types.WorkspaceEdit:
    """The edit, bound to the version that it was made from, so a stale one cannot apply."""
    document, snapshot, result = found.document, found.snapshot, found.result
    hunks = await asyncio.to_thread(_hunks_of, result, snapshot)
    if not is_current(server, document, snapshot):
        raise PointsmanError("the document changed meanwhile", remedy="run the refactor again")
    confirm = _edit_support(server)[1]
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=document.uri, version=document.version)
    edits: list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit] = []
    for start, end, text in hunks:
        place = range_of(start, end, document.buffer, server.encoding)
        edits.append(
            types.AnnotatedTextEdit(range=place, new_text=text, annotation_id=_ANNOTATION)
            if confirm
            else types.TextEdit(range=place, new_text=text)
        )
    where = f"{result.route.target} {result.route.endpoint}".strip()
    annotation = types.ChangeAnnotation(
        label=f"Pointsman ({where}, {result.route.model})", needs_confirmation=True, description=result.route.reason
    )
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(text_document=identifier, edits=edits)],
        change_annotations={_ANNOTATION: annotation} if confirm else None,
    )


async def _offer(server: Server, found: Proposal) -> bool:
    """Ask the client to apply the edit, as one step."""
    change = await annotated_edits(server, found)
    params = types.ApplyWorkspaceEditParams(edit=change, label="Pointsman refactor")
    try:
        return bool((await server.workspace_apply_edit_async(params)).applied)
    except JsonRpcException:
        return False


def _hunks_of(result: Refactoring, snapshot: Snapshot) -> list[tuple[int, int, str]]:
    """The change of the one edit, which must be of this document and made from this text."""
    edit = result.edits[0]
    if len(result.edits) != 1 or (edit.path, edit.base_sha) != (snapshot.relative, snapshot.sha):
        raise PointsmanError("the edit was not made from this document as it is", remedy="run the refactor again")
    return _hunks(snapshot.text, edit.new_text)


def _hunks(old: str, new: str) -> list[tuple[int, int, str]]:
    """The change as (start, end, text) over whole lines, so that untouched lines keep their marks and folds."""
    before, after = split_lines(old), split_lines(new)
    head = _shared(before, after)
    tail = _shared(before[head:][::-1], after[head:][::-1])
    middle, changed = before[head : len(before) - tail], after[head : len(after) - tail]
    starts = list(accumulate(map(len, middle), initial=sum(map(len, before[:head]))))
    matcher = difflib.SequenceMatcher(a=middle, b=changed, autojunk=False)
    return [
        (starts[i], starts[j], "".join(changed[k:m])) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"
    ]


def _shared(some: list[str], others: list[str]) -> int:
    """How many lines are equal from the start on. The matcher takes quadratic time, so it is given the rest only."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(some), len(others)))
