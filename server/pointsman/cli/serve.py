"""`pointsman serve`: the language server."""

from __future__ import annotations

import sys

import click

from pointsman.cli.common import Cli
from pointsman.errors import UsageError


@click.command()
@click.option("--stdio", is_flag=True, help="Speak over stdin and stdout (the default).")
@click.option("--tcp", metavar="HOST:PORT", help="Listen on a loopback address, for debugging.")
@click.option("--in-process", is_flag=True, help="Run the host inside this process instead of sharing the user's.")
@click.pass_obj
def serve(cli: Cli, stdio: bool, tcp: str | None, in_process: bool) -> None:
    """Run the language server (LSP) for one editor window."""
    if stdio and tcp:
        raise UsageError("--stdio and --tcp exclude each other")
    from pointsman.build import build_server

    sys.exit(build_server(cli.paths, cli.settings, in_process=in_process, tcp=_address(tcp), verbose=cli.verbose))


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise UsageError(f"{text!r} is not HOST:PORT")
    return host, int(port)
