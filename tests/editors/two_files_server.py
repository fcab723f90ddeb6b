"""A language server that offers one change of two files, as `pointsman serve` would offer one of several: annotated, to
be confirmed. For tests of the client alone. usage: python two_files_server.py serve"""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

FILES = {"shop/cart.py": "# first\n", "shop/inventory.py": "# second\n"}
"""What is put before the first line of each."""
_ROUTE = {"target": "local", "model": "scripted", "reason": "a test"}
server = LanguageServer("two-files", "1")


@server.command("pointsman.refactor")
async def refactor(params: Any) -> dict[str, Any]:
    changes: list[Any] = []
    for path, text in FILES.items():
        uri = f"{server.workspace.root_uri}/{path}"
        document = server.workspace.text_documents.get(uri)
        identifier = types.OptionalVersionedTextDocumentIdentifier(
            uri=uri, version=document.version if document else None
        )
        start = types.Position(line=0, character=0)
        place = types.Range(start=start, end=start)
        line = types.AnnotatedTextEdit(range=place, new_text=text, annotation_id="pointsman")
        changes.append(types.TextDocumentEdit(text_document=identifier, edits=[line]))
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
