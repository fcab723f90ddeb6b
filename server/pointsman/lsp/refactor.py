"""The command `pointsman.refactor`: an instruction on a range becomes a versioned edit that the user reviews.

Offers an edit only when it was made from the very text that is open, it passed its checks, and the client binds it to
that version; a protected file's only where the client asks the user. Otherwise the result alone is returned.
"""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from pointsman.errors import PointsmanError
from pointsman.host.wire import to_plain
from pointsman.lsp.inline_completion import is_current, range_of
from pointsman.lsp.messages import RefactorParams
from pointsman.lsp.positions import Lines
from pointsman.lsp.protocol import InvalidParams
from pointsman.ondisk import snapshot_of
from pointsman.refactor.lines import split_lines
from pointsman.refactor.testplace import asking_for_tests, file_for_tests, with_tests
from pointsman.refactor.types import Part, Refactoring, RefactorQuery
from pointsman.routed import Target
from pointsman.session import Document, Snapshot

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_ANNOTATION = "pointsman"
_ALL = sys.maxsize


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file that a change may be of, as it was when a model was asked."""

    snapshot: Snapshot
    document: Document[Lines] | None
    """None for one that is not open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    files: Mapping[str, _File]
    """By root-relative path. What is not among them is to be made."""
    root: Path | None
    result: Refactoring
    offered: bool
    """Whether there are edits that passed their checks and that this client can take."""


async def proposal(server: Server, params: RefactorParams) -> Proposal:
    """Ask a model; nothing is applied."""
    document = server.session.get(params.textDocument.uri)
    if document is None:
        raise InvalidParams("the document is not open")
    if params.target not in get_args(Target) or not (params.tests or params.instruction.strip()):
        raise InvalidParams("an instruction and a target of auto, local or closed are needed")
    snapshot = document.snapshot()
    if params.textDocument.version not in (None, snapshot.version):
        raise PointsmanError("the document has changed since", remedy="run the refactor again")
    files = [_File(snapshot=snapshot, document=document)]
    parts: tuple[Part, ...] = (_part(snapshot, params.range, len(document.buffer)),)
    for other in params.others:
        file = await _file(server, _path(server, other.textDocument.uri), snapshot)
        files.append(file)
        parts = (*parts, _part(file.snapshot, other.range, _ALL))
    creates = tuple(_new(server, uri, snapshot.root) for uri in params.newFiles)
    instruction = params.instruction
    if params.tests:
        instruction = asking_for_tests(instruction)
        place = await asyncio.to_thread(file_for_tests, parts[0])
        there = await _file(server, place, snapshot) if await asyncio.to_thread(place.exists) else None
        tested, made = with_tests(parts[0], place, there.snapshot if there else None)
        parts, creates = (*tested, *parts[1:]), (*creates, *made)
        files += [there] if there else []
    query = RefactorQuery(
        parts=parts,
        creates=creates,
        instruction=instruction,
        target=cast(Target, params.target),
        dry_run=params.preview,
        approved_sha256=params.approvedSha256,
    )
    with server.status.working():
        result = await (await server.services()).refactorer.refactor(query)
    offered = bool(result.edits) and not params.preview and _may_be_offered(server, result)
    return Proposal(
        files={file.snapshot.relative: file for file in files}, root=snapshot.root, result=result, offered=offered
    )


async def refactor(server: Server, params: RefactorParams) -> dict[str, Any]:
    """The interface's `refactor` object; `applied` says whether the client took the edit. `preview` is what would leave
    for a closed model, "" when nothing would."""
    found = await proposal(server, params)
    applied = found.offered and await _offer(server, found, params.label)
    plain: dict[str, Any] = to_plain(found.result)
    for edit in plain["edits"]:
        del edit["new_text"]
    if found.result.route.target != "closed":
        plain["preview"] = ""  # a local model's prompt, which leaves for nowhere
    return {**plain, "applied": applied}


def _part(snapshot: Snapshot, lines: types.Range | None, count: int) -> Part:
    if lines is None:
        return Part(snapshot=snapshot, start_line=1, end_line=_ALL)
    last = lines.end.line
    if lines.end.character == 0 and last > lines.start.line:
        last -= 1  # a selection of whole lines ends before the first character of the next one
    return Part(snapshot=snapshot, start_line=min(lines.start.line, count - 1) + 1, end_line=min(last, count - 1) + 1)


async def _file(server: Server, path: Path, near: Snapshot) -> _File:
    """The file as the editor has it, or as it is on disk; of the root of `near`, where it lies below that."""
    document = _open_at(server, path)
    if document is not None:
        return _File(snapshot=document.snapshot(), document=document)
    root = near.root if near.root and path.is_relative_to(near.root) else server.session.root_of(path)
    return _File(snapshot=await asyncio.to_thread(snapshot_of, path, root), document=None)


def _open_at(server: Server, path: Path) -> Document[Lines] | None:
    return next((document for document in server.session.documents() if document.path == path), None)


def _path(server: Server, uri: str) -> Path:
    path = server.path_of(uri)
    if path is None:
        raise InvalidParams("only files of this machine can be changed together")
    return path


def _new(server: Server, uri: str, root: Path | None) -> str:
    path = _path(server, uri)
    if root is None or not path.is_relative_to(root):
        raise InvalidParams("a new file must lie in the repository of the document")
    return path.relative_to(root).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Support:
    """What the client's workspace edits can do."""

    versioned: bool = False
    """Bind an edit to a version of its document."""
    confirmed: bool = False
    """Let the user confirm it."""
    creates: bool = False
    """Make a file."""


def _support(server: Server) -> _Support:
    workspace = server.client_capabilities.workspace
    support = workspace.workspace_edit if workspace else None
    if support is None:
        return _Support()
    return _Support(
        versioned=bool(support.document_changes),
        confirmed=support.change_annotation_support is not None,
        creates=types.ResourceOperationKind.Create in (support.resource_operations or ()),
    )


def _may_be_offered(server: Server, result: Refactoring) -> bool:
    support = _support(server)
    return (
        support.versioned
        and result.checks.sound
        and (support.confirmed or not result.checks.protected)
        and (support.creates or not any(edit.creates for edit in result.edits))
    )


async def annotated_edits(server: Server, found: Proposal) -> types.WorkspaceEdit:
    """The edits, each bound to the version of the document that it was made from, so that a stale one cannot apply.

    LSP cannot bind one to a file that is not open: that is as it was when the edit is offered, which is checked here.
    """
    confirm = _support(server).confirmed
    changes: list[Any] = []
    for edit in found.result.edits:
        file = found.files.get(edit.path)
        if edit.creates and file is None and found.root is not None:
            changes += _creation((found.root / edit.path).as_uri(), edit.new_text, confirm)
        elif file is not None and edit.base_sha == file.snapshot.sha:
            hunks = await asyncio.to_thread(_hunks, file.snapshot.text, edit.new_text)
            changes.append(await _changes(server, file, hunks, confirm))
        else:
            raise PointsmanError("the edit was not made from this document as it is", remedy="run the refactor again")
    route = found.result.route
    where = f"{route.target} {route.endpoint}".strip()
    annotation = types.ChangeAnnotation(
        label=f"Pointsman ({where}, {route.model})", needs_confirmation=True, description=route.reason
    )
    return types.WorkspaceEdit(
        document_changes=changes, change_annotations={_ANNOTATION: annotation} if confirm else None
    )


def _creation(uri: str, text: str, confirm: bool) -> list[Any]:
    start = types.Position(0, 0)
    return [
        types.CreateFile(uri=uri, annotation_id=_ANNOTATION if confirm else None),
        types.TextDocumentEdit(
            text_document=types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=None),
            edits=[_text_edit(types.Range(start, start), text, confirm)],
        ),
    ]


async def _changes(
    server: Server, file: _File, hunks: list[tuple[int, int, str]], confirm: bool
) -> types.TextDocumentEdit:
    document, snapshot = file.document, file.snapshot
    if document is None:
        assert snapshot.path is not None  # it came from the disk
        now = await asyncio.to_thread(snapshot_of, snapshot.path, snapshot.root)
        current, version, lines = now.sha == snapshot.sha, None, Lines(snapshot.text)
        current = current and _open_at(server, snapshot.path) is None
    else:
        current, version, lines = is_current(server, document, snapshot), document.version, document.buffer
    if not current:
        raise PointsmanError("the document changed meanwhile", remedy="run the refactor again")
    return types.TextDocumentEdit(
        text_document=types.OptionalVersionedTextDocumentIdentifier(uri=snapshot.uri, version=version),
        edits=[_text_edit(range_of(start, end, lines, server.encoding), text, confirm) for start, end, text in hunks],
    )


def _text_edit(place: types.Range, text: str, confirm: bool) -> Any:
    if confirm:
        return types.AnnotatedTextEdit(range=place, new_text=text, annotation_id=_ANNOTATION)
    return types.TextEdit(range=place, new_text=text)


async def _offer(server: Server, found: Proposal, label: str) -> bool:
    """Ask the client to apply the edit, as one step."""
    change = await annotated_edits(server, found)
    params = types.ApplyWorkspaceEditParams(edit=change, label=label)
    try:
        return bool((await server.workspace_apply_edit_async(params)).applied)
    except JsonRpcException:
        return False


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
