"""`pointsman serve` with the real model behind it, by a conforming client and by several at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

from tests.lspwire import Wire

from .conftest import Home
from .ghost import suggestion

pytestmark = pytest.mark.model

SERVE = [sys.executable, "-m", "pointsman", "serve"]


def capabilities() -> types.ClientCapabilities:
    return types.ClientCapabilities(
        text_document=types.TextDocumentClientCapabilities(
            inline_completion=types.InlineCompletionClientCapabilities(dynamic_registration=False)
        ),
        window=types.WindowClientCapabilities(work_done_progress=True),
        workspace=types.WorkspaceClientCapabilities(
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True)
        ),
    )


@pytest_lsp.fixture(config=ClientServerConfig(server_command=SERVE))
async def editor(lsp_client: LanguageClient, home: Home, repository: Path) -> AsyncIterator[None]:
    await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities(),
            workspace_folders=[types.WorkspaceFolder(uri=repository.as_uri(), name="tiny")],
        )
    )
    yield
    await lsp_client.shutdown_session()


@pytest.fixture(autouse=True)
def environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_HOME", str(home.path))


def open_cart(client: LanguageClient, repository: Path, extra: str = "") -> tuple[str, str]:
    uri = (repository / "shop" / "cart.py").as_uri()
    text = (repository / "shop" / "cart.py").read_text() + extra
    document = types.TextDocumentItem(uri=uri, language_id="python", version=1, text=text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
    return uri, text


async def test_ghost_text_from_the_real_model(editor: LanguageClient, repository: Path) -> None:
    uri, text = open_cart(editor, repository, "\n\ndef subtract(a, b):\n    return ")
    last = len(text.split("\n")) - 1
    answer = await editor.text_document_inline_completion_async(
        types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri=uri),
            position=types.Position(last, 11),
            context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Automatic),
        )
    )
    assert isinstance(answer, types.InlineCompletionList)
    (item,) = answer.items
    assert isinstance(item.insert_text, str) and item.insert_text.strip()
    assert item.range is not None and item.range.start.line == item.range.end.line == last
    assert item.command is not None and item.command.command == "pointsman.didAccept"


async def test_a_question_is_answered_with_citations(editor: LanguageClient, repository: Path) -> None:
    uri, _ = open_cart(editor, repository)
    reindexed = await editor.workspace_execute_command_async(types.ExecuteCommandParams(command="pointsman.reindex"))
    assert reindexed is not None
    argument: Any = {"question": "How is a discount applied to a total?", "textDocument": {"uri": uri}}
    answer: Any = await editor.workspace_execute_command_async(
        types.ExecuteCommandParams(command="pointsman.ask", arguments=[argument])
    )
    found = answer if isinstance(answer, dict) else answer._asdict()
    assert found["citations"]


async def test_two_windows_and_a_command_share_one_host(fresh_home: Callable[..., Home], repository: Path) -> None:
    home = fresh_home()
    wires = [await Wire.start(SERVE, home.environment) for _ in range(2)]
    try:
        for wire in wires:
            await wire.initialize(repository.as_uri())
        await asyncio.gather(
            *(suggestion(wire, repository) for wire in wires),
            asyncio.to_thread(home.run, "complete", f"{repository / 'shop' / 'cart.py'}:43:12", "--json"),
        )
        status = home.run("host", "status", "--json").json
        assert status["clients"] == 3, "two windows and the command that asks"
        models = [engine["model"] for engine in status["engines"]]
        assert models and len(models) == len(set(models))
    finally:
        for wire in wires:
            assert await wire.leave() == 0
            await wire.close()


async def test_a_killed_window_and_a_killed_host_disturb_nobody(
    fresh_home: Callable[..., Home], repository: Path
) -> None:
    home = fresh_home()
    killed, kept = await Wire.start(SERVE, home.environment), await Wire.start(SERVE, home.environment)
    try:
        for wire in (killed, kept):
            await wire.initialize(repository.as_uri())
            await suggestion(wire, repository)
        killed.process.send_signal(signal.SIGKILL)
        await suggestion(kept, repository, "def multiply(a, b):")
        os.kill(home.host_pid(), signal.SIGKILL)
        await suggestion(kept, repository, "def divide(a, b):")
    finally:
        await killed.close()
        assert await kept.leave() == 0
        await kept.close()


async def test_the_window_stays_light(home: Home, repository: Path) -> None:
    wire = await Wire.start(SERVE, home.environment)
    try:
        await wire.initialize(repository.as_uri())
        await suggestion(wire, repository)
        loaded = psutil.Process(wire.process.pid)
        assert not [m.path for m in loaded.memory_maps() if "torch" in m.path or "llama" in m.path]
        assert loaded.memory_info().rss < 120 * 2**20
    finally:
        await wire.leave()
        await wire.close()


async def test_serving_in_process(fresh_home: Callable[..., Home], repository: Path) -> None:
    home = fresh_home()
    wire = await Wire.start([*SERVE, "--in-process"], home.environment)
    try:
        await wire.initialize(repository.as_uri())
        await suggestion(wire, repository)
        assert home.run("host", "status", "--json").json == {"running": False}
        children = psutil.Process(wire.process.pid).children(recursive=True)
        assert children, "the engine is a process of its own"
        assert await wire.leave() == 0
        assert not psutil.wait_procs(children, timeout=5)[1]
    finally:
        await wire.close()
