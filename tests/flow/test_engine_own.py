"""The adapter to a server of one's own against a small HTTP server that behaves badly in every way."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pointsman.errors import EngineError, EngineUnavailable
from pointsman.gateway.dialects import OwnKind
from pointsman.gateway.infill import MIDDLE, PREFIX, SUFFIX
from pointsman.gateway.own import OwnEndpoint
from pointsman.models.base import EngineState, GenerateRequest, Priority, Sampling
from tests.engine_checks import ask

PROMPT = "PROMPT-CANARY"


def sse(*events: dict[str, Any] | str) -> bytes:
    lines = [e if isinstance(e, str) else json.dumps(e) for e in events]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def said(text: str, end: str | None = None) -> dict[str, Any]:
    return {"choices": [{"text": text, "finish_reason": end, "logprobs": {"token_logprobs": [-0.5]}}]}


@pytest.fixture
def make(httpserver: HTTPServer) -> Iterator[Any]:
    def build(kind: OwnKind = "openai", **more: Any) -> OwnEndpoint:
        base = httpserver.url_for("/v1" if kind == "openai" else "/").rstrip("/")
        return OwnEndpoint(name="team", base_url=base, kind=kind, model="m", **more)

    yield build


@pytest.fixture
async def openai(make: Any) -> AsyncIterator[OwnEndpoint]:
    endpoint = make(key="KEY-CANARY")
    yield endpoint
    await endpoint.stop()


async def test_it_streams_and_authenticates(httpserver: HTTPServer, openai: OwnEndpoint) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
        return Response(sse(said(" a"), said(" b", "length"), usage, "[DONE]"), mimetype="text/event-stream")

    httpserver.expect_request("/v1/completions", method="POST").respond_with_handler(answer)
    text, finish, pieces = await ask(openai, PROMPT, max_tokens=2)
    assert (text, finish.reason, finish.prompt_tokens, finish.tokens) == (" a b", "length", 3, 2)
    assert sum(p.logprob for p in pieces) == -1.0
    assert finish.prefill_ms > 0
    assert openai.status().state is EngineState.READY
    assert seen[0].headers["Authorization"] == "Bearer KEY-CANARY"
    assert seen[0].get_json()["prompt"] == PROMPT


async def test_a_hole_is_sent_with_its_suffix(httpserver: HTTPServer, openai: OwnEndpoint) -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: Request) -> Response:
        seen.append(request.get_json())
        return Response(sse(said("x", "stop"), "[DONE]"), mimetype="text/event-stream")

    httpserver.expect_request("/v1/completions", method="POST").respond_with_handler(answer)
    text, _, _ = await ask(openai, f"{PREFIX}before{SUFFIX}after{MIDDLE}")
    assert text == "x"
    assert (seen[0]["prompt"], seen[0]["suffix"]) == ("before", "after")


async def test_a_stop_string_that_the_server_does_not_know_ends_the_answer_all_the_same(
    httpserver: HTTPServer, openai: OwnEndpoint
) -> None:
    events = sse(*(said(x) for x in ("one", " t", "wo<e", "nd>", "more")), said("", "length"))
    httpserver.expect_request("/v1/completions").respond_with_data(events, content_type="text/event-stream")
    text, finish, _ = await ask(openai, PROMPT, stop=("1", "2", "3", "4", "<end>"))
    assert (text, finish.reason) == ("one two", "stop")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, EngineUnavailable),
        (403, EngineUnavailable),
        (429, EngineUnavailable),
        (503, EngineUnavailable),
        (400, EngineError),
        (500, EngineError),
        (204, EngineError),
    ],
)
async def test_a_refusal_is_told_without_the_server_s_words(
    httpserver: HTTPServer, openai: OwnEndpoint, status: int, kind: type[EngineError]
) -> None:
    httpserver.expect_request("/v1/completions").respond_with_data(f"BODY-CANARY {PROMPT}", status=status)
    with pytest.raises(kind) as caught:
        await ask(openai, PROMPT)
    assert "CANARY" not in f"{caught.value} {openai.status().message}"
    assert "team" in str(caught.value)


async def test_a_redirect_is_not_followed(httpserver: HTTPServer, openai: OwnEndpoint) -> None:
    elsewhere: list[Request] = []

    def steal(request: Request) -> Response:
        elsewhere.append(request)
        return Response()

    httpserver.expect_request("/elsewhere").respond_with_handler(steal)
    httpserver.expect_request("/v1/completions").respond_with_data(
        "", status=307, headers={"Location": httpserver.url_for("/elsewhere")}
    )
    with pytest.raises(EngineUnavailable, match="redirects"):
        await ask(openai, PROMPT)
    assert elsewhere == []


async def test_no_proxy_is_taken_from_the_environment(
    httpserver: HTTPServer, openai: OwnEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    httpserver.expect_request("/v1/completions").respond_with_data(sse(said("x", "stop")))
    text, *_ = await ask(openai, PROMPT)
    assert text == "x"


@pytest.mark.parametrize(
    "events",
    [
        sse(said("a")),
        sse("BODY-CANARY"),
        sse({"error": {"message": "BODY-CANARY"}}),
        b"error: BODY-CANARY\n\n",
        b"data: " + b"x" * (2 << 20),
        sse(*(said("x") for _ in range(500))),
        b"",
    ],
    ids=["cut off", "no json", "error event", "error line", "endless line", "more than asked", "nothing"],
)
async def test_a_broken_stream_is_an_error_and_never_a_finish(
    httpserver: HTTPServer, openai: OwnEndpoint, events: bytes
) -> None:
    httpserver.expect_request("/v1/completions").respond_with_data(events, content_type="text/event-stream")
    with pytest.raises(EngineError) as caught:
        await ask(openai, PROMPT, max_tokens=10)
    assert "CANARY" not in str(caught.value)


async def test_nobody_there_is_unavailable(make: Any) -> None:
    endpoint = OwnEndpoint(name="team", base_url="http://127.0.0.1:9", kind="llama.cpp", model="m")
    for attempt in (endpoint.start(), ask(endpoint, PROMPT)):
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await attempt
    assert endpoint.status().state is EngineState.FAILED
    await endpoint.stop()


async def test_llama_cpp_gets_tokens_cut_to_its_context(httpserver: HTTPServer, make: Any) -> None:
    endpoint: OwnEndpoint = make("llama.cpp", context=100)
    asked: list[dict[str, Any]] = []

    def complete(request: Request) -> Response:
        asked.append(request.get_json())
        return Response(sse({"content": "x", "stop_type": "eos", "tokens_predicted": 1, "tokens_evaluated": 7}))

    httpserver.expect_request("/health").respond_with_json({"status": "ok"})
    httpserver.expect_request("/tokenize").respond_with_json({"tokens": list(range(500))})
    httpserver.expect_request("/completion").respond_with_handler(complete)
    await endpoint.start()
    text, finish, _ = await ask(endpoint, PROMPT, max_tokens=20)
    await endpoint.stop()
    assert (text, finish.tokens) == ("x", 1)
    sent = asked[0]["prompt"]
    assert sent[:20] == list(range(20))
    assert sent[20:] == list(range(520 - len(sent), 500))
    assert len(sent) <= 80


@pytest.mark.parametrize("knows_pieces", [True, False])
async def test_a_marker_survives_the_cut_of_a_long_prompt(
    httpserver: HTTPServer, make: Any, knows_pieces: bool
) -> None:
    endpoint: OwnEndpoint = make("llama.cpp", context=100, markers=("<PRE>", "<MID>"))
    tokens = [{"id": id_, "piece": {60: " <PRE>", 499: "<MID>"}.get(id_, "x")} for id_ in range(500)]
    asked: list[dict[str, Any]] = []

    def tokenise(request: Request) -> Response:
        asked.append(request.get_json())
        pieces = knows_pieces and asked[-1].get("with_pieces")
        return Response(json.dumps({"tokens": tokens if pieces else list(range(500))}), mimetype="application/json")

    httpserver.expect_request("/tokenize").respond_with_handler(tokenise)
    kept = await endpoint.tokenise(PROMPT, Sampling(max_tokens=20))
    assert (60 in kept) is knows_pieces and 499 in kept and len(kept) <= 80
    roomy: OwnEndpoint = make("llama.cpp", context=1000, markers=("<PRE>",))
    assert await roomy.tokenise(PROMPT, Sampling(max_tokens=20)) == list(range(500))
    assert len(asked) == 3, "a prompt that fits is asked about once"
    await endpoint.stop()
    await roomy.stop()


@pytest.mark.parametrize("reply", ["CANARY", "[1]", '{"tokens": "CANARY"}', '{"tokens": ["CANARY"]}', "{}"])
async def test_a_tokeniser_s_nonsense_is_refused(httpserver: HTTPServer, make: Any, reply: str) -> None:
    endpoint: OwnEndpoint = make("llama.cpp", context=100)
    httpserver.expect_request("/tokenize").respond_with_data(reply)
    with pytest.raises(EngineError) as caught:
        await ask(endpoint, PROMPT)
    await endpoint.stop()
    assert "CANARY" not in str(caught.value)


async def test_closing_the_stream_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + sse(said("x")))
        await writer.drain()
        while await reader.read(1000):
            pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint = OwnEndpoint(name="team", base_url=f"http://127.0.0.1:{port}/v1", kind="openai", model="m")
    request = GenerateRequest(prompt=PROMPT, sampling=Sampling(), priority=Priority.TYPING)
    items = endpoint.generate(request)
    await anext(items)
    await items.aclose()
    async with asyncio.timeout(5):
        await closed.wait()
    await endpoint.stop()
    server.close()
    await server.wait_closed()


async def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used_again(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        await reader.readexactly(length)
        body = sse(said("x", "stop"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        # Keeps the connection just long enough for the next request to be written into it.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), 5)
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "l.sock")
    endpoint = OwnEndpoint(
        name="team", base_url="http://localhost/v1", kind="openai", model="m", socket=tmp_path / "l.sock"
    )
    for _ in range(3):
        text, *_ = await ask(endpoint, PROMPT)
        assert text == "x"
    await endpoint.stop()
    server.close()
    await server.wait_closed()
