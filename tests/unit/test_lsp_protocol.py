"""Any message at all: each request gets exactly one response, and nothing is raised or told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.lsp.app import create_server
from tests.flow.fake_server import make_services

SECRET = "canary_2f7a"
METHODS = [
    "textDocument/inlineCompletion",
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/didClose",
    "workspace/executeCommand",
    "workspace/didChangeWatchedFiles",
    "workspace/didChangeWorkspaceFolders",
    "window/workDoneProgress/cancel",
    "pointsman/ask",
    "pointsman/search",
    "pointsman/status",
    "pointsman/explain",
    "initialize",
    "initialized",
    "$/cancelRequest",
    "$/setTrace",
    "no/such",
    5,
    None,
]
KEYS = ["textDocument", "uri", "position", "line", "character", "context", "triggerKind", "range", "start", "end"]
MORE = ["command", "arguments", "question", "history", "query", "k", "id", "text", "version", "contentChanges", "event"]
leaves = st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats() | st.sampled_from([SECRET, "file:///w/a.py"])
json_values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, *MORE]), inner, max_size=5),
    max_leaves=12,
)
place = st.fixed_dictionaries({"line": st.integers(-1, 2**31), "character": st.integers(-1, 2**31)})
likely = st.fixed_dictionaries(
    {},
    optional={
        "textDocument": st.fixed_dictionaries({"uri": st.sampled_from(["file:///w/a.py", "untitled:1", "::", ""])})
        | json_values,
        "position": place | json_values,
        "range": st.fixed_dictionaries({"start": place, "end": place}) | json_values,
        "context": st.fixed_dictionaries({"triggerKind": st.integers(0, 3)}) | json_values,
        "contentChanges": st.lists(
            st.fixed_dictionaries({"text": st.just(SECRET)}, optional={"range": json_values}), max_size=2
        ),
        "command": st.sampled_from(["pointsman.refactor", "pointsman.ask", "pointsman.didAccept", SECRET]),
        "arguments": st.lists(json_values, max_size=2),
        "question": st.sampled_from(["why", "", 7]),
        "query": json_values,
        "jsonrpc": st.just("2.0"),
    },
)
identifiers = st.integers(-1, 9) | st.sampled_from(["a", None, 1.5, True, []])
messages = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0", None])},
    optional={"id": identifiers, "method": st.sampled_from(METHODS), "params": likely | json_values},
)


class Sink:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.sent.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    def close(self) -> None:
        return None


async def exchange(sent: list[Any]) -> list[dict[str, Any]]:
    """Send the messages one after the other; everything that came back."""
    server, sink = create_server(make_services), Sink()
    server.protocol.set_writer(sink)
    start = {"jsonrpc": "2.0", "id": "first", "method": "initialize", "params": {"capabilities": {}}}
    opened = {"textDocument": {"uri": "file:///w/a.py", "languageId": "python", "version": 1, "text": SECRET}}
    server.protocol.receive(json.dumps(start).encode())
    server.protocol.receive(json.dumps({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": opened}).encode())
    for message in sent:
        server.protocol.receive(json.dumps(message).encode())
    async with asyncio.timeout(20):
        while server.protocol._request_futures:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await server.close()
    return sink.sent


@settings(deadline=None, max_examples=150)
@given(st.lists(messages, max_size=4, unique_by=lambda m: repr(m.get("id"))))
def test_one_response_to_each_request_whatever_its_params(sent: list[Any]) -> None:
    got = asyncio.run(exchange(sent))
    responses = [m for m in got if "method" not in m and m["id"] != "first"]
    for message in sent:
        msg_id = message.get("id")
        if isinstance(msg_id, int | str) and not isinstance(msg_id, bool) and "method" in message:
            assert len([m for m in responses if m["id"] == msg_id]) == 1
    errors = [m["error"] for m in responses if "error" in m]
    assert all(error["code"] != -32603 for error in errors), "internal error"
    assert not [e for e in errors if SECRET in e["message"] and "no such" not in e["message"]]
    told = [m for m in got if str(m.get("method", "")).startswith(("window/log", "window/show"))]
    assert not told


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=40) | json_values.map(lambda v: json.dumps(v).encode()), max_size=4))
def test_no_bytes_bring_it_down(bodies: list[bytes]) -> None:
    async def feed() -> list[dict[str, Any]]:
        server, sink = create_server(make_services), Sink()
        server.protocol.set_writer(sink)
        for body in bodies:
            server.protocol.receive(body)
        await server.close()
        return sink.sent

    got = asyncio.run(feed())
    assert len(got) == len(bodies)
    assert all(m["error"]["code"] in (-32700, -32600) for m in got)
