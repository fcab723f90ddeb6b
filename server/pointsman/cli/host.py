"""`pointsman host`: the per-user host's state, and stopping it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal

import click

from pointsman.cli.common import Cli, Group, json_option, visible
from pointsman.errors import HostError
from pointsman.host.api import HostStatus, Nothing
from pointsman.host.client import HostClient
from pointsman.host.usersocket import SingleHost, listener_pid


@click.group(cls=Group)
def host() -> None:
    """The per-user host: one process that owns the models, the indexes and the gateway."""


@host.command()
@json_option
@click.pass_obj
def status(cli: Cli, as_json: bool) -> None:
    """Whether a host runs, what it holds and how much memory it takes."""
    if not SingleHost(cli.paths).held():
        if as_json:
            cli.emit({"running": False})
        else:
            cli.console.print("no host is running; the next request starts one")
        return
    found = asyncio.run(_status(cli))
    if as_json:
        cli.emit({"running": True, **dataclasses.asdict(found)})
        return
    cli.console.print(
        f"host {found.version}, pid {found.pid}, up {found.uptime_seconds:.0f} s, {found.clients - 1} other clients, "
        f"{found.memory_bytes / 2**20:.0f} MB with its children"
    )
    for engine in found.engines:
        note = f": {visible(engine.message)}" if engine.message else ""
        cli.console.print(f"  {engine.name:<10} {engine.model:<24} {engine.state}{note}", markup=False)
    for state in found.indexes:
        busy = ", updating" if state.busy else ""
        line = f"  index      {visible(state.root)}: {state.files} files, {state.chunks} chunks{busy}"
        cli.console.print(line, markup=False)


@host.command()
@json_option
@click.pass_obj
def stop(cli: Cli, as_json: bool) -> None:
    """Stop the host; the next request starts it again."""
    running = SingleHost(cli.paths).held()
    if running:
        asyncio.run(_stop(cli))
    if as_json:
        cli.emit({"stopped": running})
    else:
        cli.console.print("stopped" if running else "no host was running")


async def _status(cli: Cli) -> HostStatus:
    client = HostClient(cli.paths, start=False)
    try:
        return await client.status(Nothing())
    finally:
        await client.close()


async def _stop(cli: Cli) -> None:
    """Ask the host to leave and wait until it has: its children are gone by then.

    One that does not take the question, for it is of another version or hangs, gets SIGTERM, which means the same.
    """
    client = HostClient(cli.paths, start=False)
    pid = listener_pid(cli.paths)  # while it still listens
    try:
        await client.shutdown(Nothing())
    except HostError:
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    finally:
        await client.close()
    lock = SingleHost(cli.paths)
    for _ in range(100):
        if not lock.held():
            return
        await asyncio.sleep(0.1)
    remedy = f"kill -9 {pid}" if pid is not None else "end its process by hand: ps -u $USER | grep pointsman"
    raise HostError("the host was asked to stop but still runs", remedy=remedy)
