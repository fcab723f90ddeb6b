"""textDocument/codeAction and codeAction/resolve: the usual instructions on a selection, and a fix for a diagnostic.

Listing asks no model. Resolving does, and its edit's annotation says which model made it and where that ran. Docs and
tests are of whole definitions: with no more selected than a part of a line, of the one around it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from pointsman.errors import PointsmanError, PolicyRefusal
from pointsman.lsp.definition import around, definition_at
from pointsman.lsp.messages import RefactorParams
from pointsman.lsp.positions import Lines
from pointsman.lsp.refactor import annotated_edits, proposal

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_REWRITE, _FIX = "refactor.rewrite.pointsman", "quickfix.pointsman"
_DOCS, _TESTS = "source.pointsman.docs", "source.pointsman.tests"
_ACTIONS = (
    (_REWRITE, "Rewrite more clearly", "rewrite this more clearly without changing what it does"),
    (_REWRITE, "Simplify", "simplify this without changing what it does"),
    (_REWRITE, "Extract a function", "extract the part that does one thing of its own into a function"),
    (_REWRITE, "Add type hints", "add type hints"),
    (_DOCS, "Add a docstring", "add a docstring"),
    (_TESTS, "Write tests", ""),
)
REVIEW = "review.outbound"
"""The rule in the error's data when policy wants the body shown before an action's request is sent."""
_LONGEST = 300
"""Characters of a diagnostic's message that go into the instruction."""


def register(server: Server) -> None:
    kinds: list[types.CodeActionKind | str] = [_REWRITE, _FIX, _DOCS, _TESTS]

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=kinds, resolve_provider=True)
    )
    async def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        document = server.session.get(params.text_document.uri)
        if document is None:
            return []
        offered: list[tuple[str, str, str, types.Range]] = []
        selected = params.range if _is_selected(params.range) else None
        version, whole = document.version, selected
        if any(_is_source(kind) and _wanted(kind, params.context) for kind, _, _ in _ACTIONS):
            whole = await _definition(document.buffer, params.range) or selected
        for kind, title, asked in _ACTIONS:
            if (place := whole if _is_source(kind) else selected) is not None:
                offered.append((kind, title, asked, place))
        for diagnostic in params.context.diagnostics:
            asked = f"fix this problem: {' '.join(str(diagnostic.message).split())[:_LONGEST]}"
            offered.append((_FIX, "Fix this problem", asked, diagnostic.range))
        return [
            _action(server, params.text_document.uri, version, kind, title, asked, place)
            for kind, title, asked, place in offered
            if _wanted(kind, params.context)
        ]

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        if action.data is None:
            return action  # it is a command, and Neovim resolves those too
        params = server.protocol.structured(action.data, RefactorParams)
        found = await proposal(server, params)
        if found.result.preview_sha256 and not found.result.edits:
            # A resolve has no way to show a body. A client that can show one sends `data` to the command instead.
            raise PolicyRefusal(
                "nothing was sent: policy wants the body approved first; `pointsman refactor` shows it with --dry-run "
                "and sends it with --approve",
                rule=REVIEW,
                remedy="send the action's data as the argument of the command pointsman.refactor",
            )
        if not found.offered:
            failed = "; ".join(found.result.checks.failures())
            raise PointsmanError(found.result.note or f"no change is offered: {failed or 'the client cannot take one'}")
        action.edit = await annotated_edits(server, found)
        return action


def _action(
    server: Server, uri: str, version: int | None, kind: str, title: str, asked: str, place: types.Range
) -> types.CodeAction:
    """With what resolving needs, or as a command for a client that resolves no edits."""
    argument: dict[str, Any] = {
        "textDocument": {"uri": uri, "version": version},
        "range": server.protocol._converter.unstructure(place),
        "instruction": asked,
        "tests": kind == _TESTS,
    }
    action = types.CodeAction(title=f"Pointsman: {title}", kind=kind)
    if _resolves_edits(server):
        action.data = argument
    else:
        action.command = types.Command(title=action.title, command="pointsman.refactor", arguments=[argument])
    return action


def _resolves_edits(server: Server) -> bool:
    documents = server.client_capabilities.text_document
    support = documents.code_action.resolve_support if documents and documents.code_action else None
    return support is not None and "edit" in support.properties


async def _definition(lines: Lines, selected: types.Range) -> types.Range | None:
    """The one around the cursor, or around a part of a line: Helix always selects a character, eglot a word."""
    if selected.start.line != selected.end.line:
        return None
    begin, near = around(lines, selected.start.line)
    found = await asyncio.to_thread(definition_at, near, selected.start.line - begin)
    return types.Range(types.Position(begin + found[0], 0), types.Position(begin + found[1] + 1, 0)) if found else None


def _is_selected(place: types.Range) -> bool:
    """A character alone is where Helix's cursor is."""
    return place.start.line != place.end.line or place.end.character - place.start.character > 1


def _is_source(kind: str) -> bool:
    return kind.startswith("source.")


def _wanted(kind: str, context: types.CodeActionContext) -> bool:
    """`source` and `source.pointsman` ask for what is below them too. Without `only`, which Neovim and Helix leave out,
    sources are offered where somebody opened the menu, and not for a light bulb, which asks at each move."""
    if context.only is None:
        return not _is_source(kind) or context.trigger_kind != types.CodeActionTriggerKind.Automatic
    names = [str(getattr(asked, "value", asked)) for asked in context.only]
    return any(kind == name or kind.startswith(f"{name}.") for name in names)
