"""A host that does not stop is named; a map without entries says why."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli import host as host_command
from pointsman.cli import outline as outline_command
from pointsman.cli.app import cli
from pointsman.cli.common import Cli
from pointsman.errors import HostError
from pointsman.host.api import HostStatus, IndexState, OutlineReply
from tests.cli_services import serve


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Cli())


@pytest.mark.parametrize("takes_the_question", [True, False])
def test_a_host_that_stays_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_the_question: bool) -> None:
    signalled: list[int] = []

    class Client:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        async def shutdown(self, _: Any) -> None:
            if not takes_the_question:
                raise HostError("no answer")

        async def close(self) -> None: ...

    async def at_once(_: float) -> None: ...

    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path))
    monkeypatch.setattr(host_command, "HostClient", Client)
    monkeypatch.setattr(host_command, "SingleHost", lambda _: SimpleNamespace(held=lambda: True))
    monkeypatch.setattr(host_command, "listener_pid", lambda _: 4321)
    monkeypatch.setattr(host_command, "asyncio", SimpleNamespace(run=host_command.asyncio.run, sleep=at_once))
    monkeypatch.setattr("os.kill", lambda pid, _: signalled.append(pid))
    error = run("host", "stop").exception
    assert isinstance(error, HostError) and error.remedy == "kill -9 4321"
    assert signalled == ([] if takes_the_question else [4321])


@pytest.mark.parametrize(
    ("text", "files", "out", "err"),
    [
        ("a.py:\n1: def f()\n", 2, "a.py:\n1: def f()\n", ""),
        ("", 1, "", "nothing to list is defined here (files indexed: 1)"),
        ("", 0, "", "nothing is indexed here"),
    ],
)
def test_a_map_without_entries_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, files: int, out: str, err: str
) -> None:
    root = str(tmp_path)

    class Host:
        async def outline(self, _: Any) -> OutlineReply:
            return OutlineReply(root=root, text=text)

        async def status(self, _: Any) -> HostStatus:
            indexes = (
                IndexState(root="/other", busy=False, files=7, chunks=7),
                IndexState(root=root, busy=False, files=files, chunks=files),
            )
            return HostStatus(
                version="1", pid=1, uptime_seconds=1, clients=1, busy=False, engines=(), indexes=indexes, memory_bytes=1
            )

    async def known(*_: Any) -> None: ...

    serve(monkeypatch, Host())
    monkeypatch.setattr(outline_command, "read_index", known)
    result = run("outline", root)
    assert result.exception is None and result.stdout == out and err in result.stderr
