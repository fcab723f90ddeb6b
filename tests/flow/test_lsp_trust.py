"""The command `pointsman.trustWorkspace`: what would be trusted is named first, and no more than that is trusted."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.lspwire import Wire

SCRIPT = Path(__file__).with_name("fake_server.py")


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    started = await Wire.start([sys.executable, str(SCRIPT)])
    yield started
    await started.close()


async def _trust(wire: Wire, *arguments: dict[str, Any]) -> Any:
    command = {"command": "pointsman.trustWorkspace", "arguments": list(arguments)}
    return await wire.ask("workspace/executeCommand", command)


async def test_no_more_is_trusted_than_was_named(wire: Wire, tmp_path: Path) -> None:
    work = tmp_path / "work"
    inner, other = work / "inner", work / "other"
    for repository in (inner, other):
        (repository / ".git").mkdir(parents=True)
    await wire.initialize(work.as_uri())
    await wire.open((inner / "a.py").as_uri(), "x")
    named = (await _trust(wire, {"preview": True}))["result"]
    assert named == [str(work), str(inner)]
    await wire.open((other / "a.py").as_uri(), "x")
    assert (await _trust(wire, {"roots": named}))["result"] == named
    assert (await _trust(wire))["result"] == [*named, str(other)]
    assert (await _trust(wire, {"roots": []}))["result"] == []


async def test_without_a_folder_there_is_nothing_to_trust(wire: Wire) -> None:
    await wire.initialize()
    assert (await _trust(wire, {"preview": True}))["result"] == []
