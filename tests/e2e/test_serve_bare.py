"""`pointsman serve` where no model is installed: it starts at once, says what is missing, and stays light."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.lspwire import Wire

from .conftest import Home, make_home

SERVE = [sys.executable, "-m", "pointsman", "serve"]
URI = "file:///nowhere/a.py"


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", None)


@pytest.fixture
async def wire(bare: Home) -> AsyncIterator[Wire]:
    started = await Wire.start(SERVE, bare.environment)
    yield started
    await started.close()
    bare.run("host", "stop", code=None)


async def test_a_missing_model_is_silent_while_typing_and_named_in_the_status(wire: Wire) -> None:
    await wire.initialize()
    await wire.open(URI, "def add(a, b):\n    return ")
    assert (await wire.complete(URI, 1, 11))["result"] == {"items": []}
    shown = await wire.until(
        lambda m: m.get("method") == "pointsman/didChangeStatus" and m["params"]["kind"] == "Error"
    )
    assert "models pull" in shown["params"]["message"]
    answer = await wire.ask("pointsman/ask", {"question": "What is this?", "textDocument": {"uri": URI}})
    assert answer["error"]["code"] in (-32602, -32803)
    assert await wire.leave() == 0


async def test_before_the_first_request_only_the_protocol_is_loaded(wire: Wire) -> None:
    params = {"processId": None, "rootUri": None, "capabilities": {}}
    assert "capabilities" in (await wire.ask("initialize", params))["result"]
    process = psutil.Process(wire.process.pid)
    assert process.memory_info().rss < 120 * 2**20
    heavy = ("torch", "tree_sitter", "qdrant_edge", "pydantic_core", "numpy", "xllamacpp")
    assert not [m.path for m in process.memory_maps() if any(f"site-packages/{name}" in m.path for name in heavy)]
    assert not process.children(recursive=True)
    assert await wire.leave() == 0


async def test_the_log_is_private(wire: Wire, bare: Home) -> None:
    await wire.initialize()
    log = bare.path / "cache" / "log" / "serve.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert await wire.leave() == 0


async def test_it_ends_with_an_editor_that_was_killed(bare: Home) -> None:
    code = (
        "import subprocess, sys, time\n"
        f"server = subprocess.Popen({SERVE!r}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    editor = psutil.Popen([sys.executable, "-c", code], env=bare.environment, stdout=-1)
    assert editor.stdout is not None
    server = psutil.Process(int(editor.stdout.readline()))
    os.kill(editor.pid, signal.SIGKILL)
    editor.wait()
    editor.stdout.close()
    assert not psutil.wait_procs([server], timeout=20)[1]
