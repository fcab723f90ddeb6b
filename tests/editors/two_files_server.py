"""A language server that offers one change of two files, as `pointsman serve` would offer one of several: annotated, to
be confirmed. For tests of the client alone. usage: python two_files_server.py serve"""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

FILES = ("shop/cart.py", "shop/inventory.py")
OLD, NEW = "reserve(", "take_out("
"""What it would write in them."""
_ROUTE = {"target": "local", "model": "scripted", "reason": "a test"}
server = LanguageServer("two-files", "1")


@server.command("pointsman.refactor")
async def refactor(params: Any) -> dict[str, Any]:
    changes: list[Any] = []
    for path in FILES:
        uri = f"{server.workspace.root_uri}/{path}"
        opened = server.workspace.text_documents.get(uri)
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=opened.version if opened else None)
        lines = server.workspace.get_text_document(uri).source.split("\n")
        edits = [
            types.AnnotatedTextEdit(
                range=types.Range(
                    types.Position(row, line.index(OLD)), types.Position(row, line.index(OLD) + len(OLD))
                ),
                new_text=NEW,
                annotation_id="pointsman",
            )
            for row, line in enumerate(lines)
            if OLD in line
        ]
        changes.append(types.TextDocumentEdit(text_document=identifier, edits=edits))
    annotation = types.ChangeAnnotation(
        label="Pointsman (local, scripted)", needs_confirmation=True, description="test"
    )
    edit = types.WorkspaceEdit(document_changes=changes, change_annotations={"pointsman": annotation})
    answer = await server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit=edit))
    edits = [{"path": path, "base_sha": "", "diff": ""} for path in FILES]
    checks = {"parses": True, "in_scope": True, "protected": []}
    return {"route": _ROUTE, "request_id": "1", "edits": edits, "diff": "", "checks": checks, "applied": answer.applied}


if __name__ == "__main__":
    server.start_io()
