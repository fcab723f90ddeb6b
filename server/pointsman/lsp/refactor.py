"""The command `pointsman.refactor`: an instruction on a range becomes a versioned edit that the user reviews."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, cast, get_args

from lsprotocol import types

from pointsman.errors import PointsmanError
from pointsman.host.wire import to_plain
from pointsman.lsp.messages import RefactorParams
from pointsman.lsp.positions import Lines
from pointsman.lsp.protocol import InvalidParams
from pointsman.refactor.types import Refactoring, RefactorQuery, Target
from pointsman.session import Document

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_ANNOTATION = "pointsman"


async def refactor(server: Server, params: RefactorParams) -> dict[str, Any]:
    """The interface's `refactor` object; `applied` says whether the client took the edit."""
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
    applied = False
    if result.edits and not params.preview and result.checks.parses and result.checks.in_scope:
        if document.version != snapshot.version:
            raise PointsmanError("the document changed meanwhile", remedy="run the refactor again")
        applied = await _offer(server, document, result)
    plain: dict[str, Any] = to_plain(result)
    for edit in plain["edits"]:
        del edit["new_text"]
    return {**plain, "applied": applied}


async def _offer(server: Server, document: Document[Lines], result: Refactoring) -> bool:
    """Ask the client to apply the edit. It is bound to the version that it was made from, so stale cannot apply."""
    workspace = server.client_capabilities.workspace
    support = workspace.workspace_edit if workspace else None
    confirm = bool(support and support.change_annotation_support)
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=document.uri, version=document.version)
    edits: list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit] = []
    for start, end, text in _hunks(document.buffer.text, result.edits[0].new_text):
        (a, b), (c, d) = (document.buffer.position(at, server.encoding) for at in (start, end))
        place = types.Range(types.Position(a, b), types.Position(c, d))
        edits.append(
            types.AnnotatedTextEdit(range=place, new_text=text, annotation_id=_ANNOTATION)
            if confirm
            else types.TextEdit(range=place, new_text=text)
        )
    annotation = types.ChangeAnnotation(
        label=f"Pointsman ({result.route.model})", needs_confirmation=True, description=result.route.reason
    )
    edit = types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(text_document=identifier, edits=edits)],
        change_annotations={_ANNOTATION: annotation} if confirm else None,
    )
    params = types.ApplyWorkspaceEditParams(edit=edit, label="Pointsman refactor")
    return bool((await server.workspace_apply_edit_async(params)).applied)


def _hunks(old: str, new: str) -> list[tuple[int, int, str]]:
    """The change as (start, end, text) over whole lines, so that untouched lines keep their marks and folds."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    return [(starts[i], starts[j], "".join(after[k:m])) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"]
