"""Puts the language server together: one object, every method registered."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.lsp import (
    ask,
    code_action,
    commands,
    configuration,
    documents,
    inline_completion,
    lifecycle,
    observing,
    search,
    status,
    watched_files,
)
from pointsman.lsp.server import Server
from pointsman.lsp.services import Services


def create_server(make_services: Callable[[], Services]) -> Server:
    """A server that has met no client yet. `make_services` is called once, on a thread, when first needed."""
    server = Server(make_services)
    modules = (
        lifecycle,
        documents,
        configuration,
        watched_files,
        inline_completion,
        observing,
        ask,
        search,
        commands,
        code_action,
        status,
    )
    for module in modules:
        module.register(server)
    return server
