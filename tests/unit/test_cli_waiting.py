"""A command that waits says for what, once, on a terminal."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pointsman.cli import waiting
from pointsman.cli.waiting import telling_of_waiting
from pointsman.errors import HostError
from pointsman.host.api import Nothing
from pointsman.host.client import HostClient
from pointsman.models.base import EngineState
from pointsman.settings import Paths


class Host:
    """Not there, then with a model that loads, then with one that is ready."""

    def __init__(self) -> None:
        self.asked = 0

    async def status(self, _: Any) -> Any:
        self.asked += 1
        if self.asked < 3:
            raise HostError("no host is running")
        state = EngineState.LOADING if self.asked < 6 else EngineState.READY
        return SimpleNamespace(engines=(SimpleNamespace(model="tiny", state=state),))


async def said(monkeypatch: pytest.MonkeyPatch, moment: float = 0.01, **options: bool) -> str:
    monkeypatch.setattr(waiting, "_MOMENT", moment)
    out, host = io.StringIO(), Host()
    console = Console(file=out, force_terminal=options.get("terminal", True), quiet=options.get("quiet", False))
    console.no_color = True
    async with telling_of_waiting(console, host, starting=options.get("starting", True)):  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
    asked = host.asked
    await asyncio.sleep(0.05)
    assert host.asked == asked, "it ends with what it waited for"
    return out.getvalue()


async def test_what_is_waited_for_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = await said(monkeypatch)
    assert told.count("starting the host…") == told.count("loading tiny…") == 1
    assert "starting" not in await said(monkeypatch, starting=False)


async def test_nothing_is_said_in_a_moment_nor_where_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await said(monkeypatch, moment=5) == ""
    assert await said(monkeypatch, terminal=False) == await said(monkeypatch, quiet=True) == ""


class Client(HostClient):
    """Counts what it is asked."""

    asked = 0

    async def status(self, params: Nothing) -> Any:
        self.asked += 1
        raise HostError("no host is running")


async def test_a_command_that_reaches_no_host_starts_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(waiting, "_MOMENT", 0.01)
    out, client = io.StringIO(), Client(Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}))
    async with telling_of_waiting(Console(file=out, force_terminal=True), client, starting=True):
        await asyncio.sleep(0.1)
        assert out.getvalue() == ""
        async with client._connecting:
            await asyncio.sleep(0.1)
    assert client.asked == 0 and out.getvalue().count("starting the host…") == 1


async def test_a_client_that_has_a_host_asks_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(waiting, "_MOMENT", 0.01)
    client = Client(Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}))
    client._link = SimpleNamespace(broken=False)  # type: ignore[assignment]
    async with telling_of_waiting(Console(file=io.StringIO(), force_terminal=True), client, starting=False):
        await asyncio.sleep(0.1)
    assert client.asked


async def test_it_ends_whenever_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at the very moment in which the host answers, when a cancelled `wait_for` gives the answer and goes on."""
    monkeypatch.setattr(waiting, "_MOMENT", 0.001)

    class Answering(Host):
        async def status(self, _: Any) -> Any:
            answered.set()
            raise HostError("no host is running")

    for _ in range(50):
        answered = asyncio.Event()
        async with asyncio.timeout(5):
            console = Console(file=io.StringIO(), force_terminal=True)
            async with telling_of_waiting(console, Answering(), starting=True):  # type: ignore[arg-type]
                await answered.wait()
