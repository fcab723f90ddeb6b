"""Puts the language server together: one object, every method registered."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.lsp import ask, commands, documents, inline_completion, lifecycle, search, status, watched_files
from pointsman.lsp.server import Server
from pointsman.lsp.services import Services


def create_server(make_services: Callable[[], Services]) -> Server:
    """A server that has met no client yet. `make_services` is called once, on a thread, when first needed."""
    server = Server(make_services)
    for module in (lifecycle, documents, watched_files, inline_completion, ask, search, commands, status):
        module.register(server)
    return server
