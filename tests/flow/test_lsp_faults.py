"""What goes wrong on the wire, in the client and while a model loads: the server answers, stays up, tells no text."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.test_lsp_server import PLACE, SCRIPT, URI, WHOLE, still_works
from tests.lspwire import Wire

ALL_AT_ONCE = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": null, "rootUri": null,'
    b' "capabilities": {}}}',
    b'{"jsonrpc": "2.0", "method": "initialized", "params": {}}',
    b'{"jsonrpc": "2.0", "id": 2, "method": "shutdown"}',
    b'{"jsonrpc": "2.0", "method": "exit"}',
)


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    started = await Wire.start([sys.executable, str(SCRIPT)])
    yield started
    await started.close()


@pytest.fixture
async def ready(wire: Wire) -> Wire:
    await wire.initialize()
    return wire


@pytest.mark.parametrize("length", [b"many", b"-5", b"9" * 5000, b""])
async def test_after_a_frame_without_a_length_the_next_one_is_read(ready: Wire, length: bytes) -> None:
    await ready.send_bytes(
        b"Content-Length: %s\r\n\r\n" % length + b'{"jsonrpc": "2.0", "id": 1, "method": "shutdown"}'
    )
    await still_works(ready)
    assert [m["error"]["code"] for m in ready.responses(None)] == [-32700]


async def test_header_fields_in_any_order_and_case(ready: Wire) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "pointsman/status"}'
    header = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length:%d\r\n\r\n"
    await ready.send_bytes(header % len(body) + body)
    assert "result" in await ready.response(1)


async def test_a_frame_in_single_bytes(ready: Wire) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "pointsman/status"}'
    for byte in b"Content-Length: %d\r\n\r\n" % len(body) + body:
        await ready.send_bytes(bytes([byte]))
    assert "result" in await ready.response(1)


@pytest.mark.parametrize("reply", [{"result": "unasked"}, {"error": {"code": 1, "message": "unasked"}}])
async def test_a_reply_that_nobody_asked_for_leaves_the_request_of_that_id_alone(
    ready: Wire, reply: dict[str, Any]
) -> None:
    await ready.open(URI, "slow")
    request = await ready.begin("textDocument/inlineCompletion", PLACE)
    await ready.send({"id": request, **reply})
    await still_works(ready)
    assert not ready.responses(request)
    await ready.notify("$/cancelRequest", {"id": request})
    assert (await ready.response(request))["error"]["code"] == -32800


@pytest.mark.parametrize(
    "method", ["textDocument/didOpen", "$/cancelRequest", "initialized", "window/workDoneProgress/cancel"]
)
async def test_a_notification_sent_as_a_request_is_answered(ready: Wire, method: str) -> None:
    assert (await ready.ask(method, {"id": 1}))["error"]["code"] == -32600
    await still_works(ready)


async def test_the_client_refuses_the_edit_with_an_error(wire: Wire) -> None:
    wire.answers["workspace/applyEdit"] = {"nonsense": 1}
    await wire.initialize(workspace={"workspaceEdit": {"documentChanges": True}})
    await wire.open(URI, "old")
    argument = {"textDocument": {"uri": URI}, "range": WHOLE, "instruction": "rename"}
    answer = await wire.ask("workspace/executeCommand", {"command": "pointsman.refactor", "arguments": [argument]})
    assert answer["result"]["applied"] is False


async def test_a_document_closed_meanwhile_gets_nothing(ready: Wire) -> None:
    await ready.open(URI, "loading")
    request = await ready.begin("textDocument/inlineCompletion", PLACE)
    await ready.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    await ready.open(URI, "other text", version=1)
    assert (await ready.response(request))["result"] == {"items": []}


async def test_a_loading_model_is_shown(wire: Wire) -> None:
    await wire.initialize(window={"workDoneProgress": True})
    await wire.open(URI, "loading")
    assert (await wire.complete(URI, 0, 0))["result"]["items"]
    await wire.until(lambda m: m.get("method") == "$/progress" and m["params"]["value"]["kind"] == "end")
    kinds = [m["params"]["value"]["kind"] for m in wire.received if m.get("method") == "$/progress"]
    assert kinds == ["begin", "report", "end"]
    shown = [m["params"]["message"] for m in wire.received if m.get("method") == "pointsman/didChangeStatus"]
    assert "loading scripted" in shown
    await still_works(wire)
    assert (await wire.ask("pointsman/status"))["result"]["message"] == "ready"


@pytest.mark.parametrize("level", ["WARNING", "INFO", "unset"])
async def test_no_text_reaches_stderr_the_log_or_the_client(tmp_path: Path, level: str) -> None:
    log = tmp_path / "log" / "serve.log"
    code = f"""
import sys, logging
from pathlib import Path
sys.path.insert(0, {str(SCRIPT.parent)!r})
from fake_server import create_server, make_services, serve
from pointsman.observe.logs import log_to_file, log_to_stderr
if {level!r} != "unset":
    log_to_file(Path({str(log)!r}), logging.{level if level != "unset" else "INFO"})
    log_to_stderr(logging.{level if level != "unset" else "INFO"})
sys.exit(serve(lambda: create_server(make_services)))
"""
    wire = await Wire.start([sys.executable, "-c", code])
    canary = "canary_51c7_broken"
    await wire.initialize()
    await wire.open(URI, canary)
    edit = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": canary + "\n"}]}
    await wire.notify("textDocument/didChange", edit)
    assert (await wire.complete(URI, 0, 0))["error"]["code"] == -32603
    question = {"question": canary, "textDocument": {"uri": URI}}
    assert (await wire.ask("pointsman/ask", question))["error"]["code"] == -32603
    command = {"command": canary, "arguments": [canary]}
    await wire.notify("workspace/executeCommand", command)
    await wire.notify("textDocument/didChange", {"textDocument": canary})
    await wire.notify(f"x/{canary}", {"text": canary})
    await wire.send({"id": "none", "result": canary})
    await wire.send_body(canary.encode())
    await wire.notify("window/workDoneProgress/cancel", {"token": canary})
    await still_works(wire)
    said = json.dumps(wire.received) + await wire.close()
    assert "ZeroDivisionError" in said
    assert canary not in said
    if level == "unset":
        assert not log.exists()
    else:
        assert "ZeroDivisionError" in log.read_text() and canary not in log.read_text()
        assert log.stat().st_mode & 0o777 == 0o600


async def test_a_client_over_tcp_on_this_machine_only() -> None:
    code = f"""
import sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
from fake_server import create_server, make_services, serve
from pointsman.errors import PointsmanError
try:
    sys.exit(serve(lambda: create_server(make_services), tcp=(sys.argv[1], int(sys.argv[2]))))
except PointsmanError as error:
    sys.exit(str(error))
"""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-c", code)
    outside = await asyncio.create_subprocess_exec(*command, "0.0.0.0", "0", stderr=pipe)
    assert b"loopback" in (await outside.communicate())[1] and outside.returncode == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = await asyncio.create_subprocess_exec(*command, "127.0.0.1", str(taken.getsockname()[1]), stderr=pipe)
        assert b"cannot listen" in (await busy.communicate())[1] and busy.returncode == 1
    server = await asyncio.create_subprocess_exec(*command, "127.0.0.1", "0", stderr=pipe)
    assert server.stderr is not None
    port = int((await server.stderr.readline()).split()[-1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(map(framed, ALL_AT_ONCE)))
    answers = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b'"id": 1' in answers and b'"id": 2' in answers and b"error" not in answers
    await server.communicate()
    assert server.returncode == 0


async def test_a_client_that_waits_for_no_answer_gets_all_of_them(wire: Wire) -> None:
    await wire.send_bytes(b"".join(map(framed, ALL_AT_ONCE)))
    assert await wire.ended() == 0
    await wire.close()
    assert "capabilities" in wire.responses(1)[0]["result"]
    assert [m["result"] for m in wire.responses(2)] == [None]


async def test_leaving_without_shutdown_still_answers(ready: Wire) -> None:
    await ready.open(URI, "slow")
    request = await ready.begin("textDocument/inlineCompletion", PLACE)
    await ready.notify("exit")
    assert await ready.ended() == 1
    await ready.close()
    assert [m["error"]["code"] for m in ready.responses(request)] == [-32800]
