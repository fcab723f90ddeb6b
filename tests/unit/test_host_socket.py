"""The host's socket: messages, one response each, cancelling, versions, idling, long paths, other users."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.errors import HostError, HostVersionMismatch, ModelMissing, PolicyRefusal, UsageError
from pointsman.host import api, client, server, usersocket, wire
from pointsman.models.base import Finish, GenerateRequest, Piece, Priority, Sampling
from pointsman.settings import Paths


class Service:
    """Conforms to `HostApi`; counts what it is asked and can be told to hang."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.generating = asyncio.Event()
        self.hang = False

    async def status(self, params: api.Nothing) -> api.HostStatus:
        return api.HostStatus(
            version="x", pid=1, uptime_seconds=0.0, clients=1, busy=False, engines=(), indexes=(), memory_bytes=1
        )

    async def model(self, params: api.ModelParams) -> api.ModelFacts:
        raise ModelMissing("m is not installed", remedy="pointsman models pull m")

    async def generate(self, params: api.GenerateParams) -> AsyncGenerator[Piece | Finish, None]:
        try:
            for word in params.request.prompt.split():
                yield Piece(text=word, logprob=-0.5, tokens=1)
            self.generating.set()
            if self.hang:
                await asyncio.Event().wait()
            yield Finish(
                reason="stop",
                model="m",
                prompt_tokens=1,
                reused_tokens=0,
                tokens=2,
                queue_ms=0,
                prefill_ms=0,
                decode_ms=0,
            )
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise

    async def index(self, params: api.IndexParams) -> AsyncGenerator[api.IndexProgress | api.IndexReport, None]:
        yield api.IndexProgress(stage="scan", done=1, total=2)
        raise ZeroDivisionError("the canary stands for source text")

    async def search(self, params: api.SearchParams) -> api.SearchReply:
        return api.SearchReply(root="/r", hits=(), note=params.query)

    async def closed_preview(self, params: api.ClosedRequest) -> api.ClosedPreview:
        raise PolicyRefusal("no closed endpoint", rule="closed: absent", remedy="write one")

    async def closed_send(self, params: api.ClosedRequest) -> api.ClosedReply:
        raise NotImplementedError

    async def shutdown(self, params: api.Nothing) -> api.Nothing:
        return api.Nothing()


@contextlib.asynccontextmanager
async def running(
    paths: Paths,
    service: Service,
    *,
    idle: float = 60,
    activity: Callable[[int, bool], None] = lambda clients, busy: None,
) -> AsyncIterator[asyncio.Task[None]]:
    lock = usersocket.SingleHost(paths)
    assert lock.acquire()
    host = server.HostServer(service, paths, idle_seconds=idle, activity=activity)
    task = asyncio.create_task(host.run())
    while not usersocket.socket_path(paths).exists() and not task.done():  # noqa: ASYNC110 - a file, not an event
        await asyncio.sleep(0.01)
    try:
        yield task
    finally:
        host.stop()
        await task
        lock.release()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.resolve({"POINTSMAN_HOME": str(tmp_path / ("long" * 30))}).ensure()


@pytest.fixture
async def service() -> Service:
    return Service()


def generate(prompt: str) -> api.GenerateParams:
    request = GenerateRequest(prompt=prompt, sampling=Sampling(seed=7, stop=("\n",)), priority=Priority.TYPING)
    return api.GenerateParams(task="completion", request=request)


async def test_calls_streams_and_errors_cross_the_socket(paths: Paths, service: Service) -> None:
    async with running(paths, service):
        host = client.HostClient(paths, start=False)
        assert (await host.search(api.SearchParams(path="/r", query="😋 \ud800"))).note == "😋 \ud800"
        items = [item async for item in host.generate(generate("a b"))]
        assert [item.text for item in items if isinstance(item, Piece)] == ["a", "b"]
        assert isinstance(items[-1], Finish)
        with pytest.raises(ModelMissing) as missing:
            await host.model(api.ModelParams(task="chat"))
        assert missing.value.remedy == "pointsman models pull m"
        with pytest.raises(PolicyRefusal) as refused:
            await host.closed_preview(
                api.ClosedRequest(
                    request_id="1", task="chat", workspace="/", messages=(), files=(), lines=0, max_tokens=1
                )
            )
        assert refused.value.rule == "closed: absent"
        await host.close()


async def test_an_unexpected_error_tells_its_kind_to_nobody_but_the_log(
    paths: Paths, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(paths, service):
        host = client.HostClient(paths, start=False)
        with pytest.raises(HostError) as error:
            [item async for item in host.index(api.IndexParams(path="/r"))]
        await host.close()
    assert "canary" not in str(error.value) + caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_leaving_a_stream_cancels_it_in_the_host(paths: Paths, service: Service) -> None:
    service.hang = True
    async with running(paths, service):
        host = client.HostClient(paths, start=False)
        stream = host.generate(generate("a b"))
        await anext(stream)
        await service.generating.wait()
        await stream.aclose()
        await asyncio.wait_for(service.cancelled.wait(), 5)
        assert (await host.search(api.SearchParams(path="/r", query="still there"))).note == "still there"
        await host.close()


async def test_a_host_that_is_only_asked_how_it_does_is_not_busy(paths: Paths, service: Service) -> None:
    told: list[bool] = []
    async with running(paths, service, activity=lambda _, busy: told.append(busy)):
        one = client.HostClient(paths, start=False)
        for _ in range(2):
            await one.status(api.Nothing())
        assert told and not any(told)
        service.hang = True
        stream = one.generate(generate("a b"))
        await anext(stream)
        await one.status(api.Nothing())
        assert told[-1], "beside a question about it, work is work"
        await stream.aclose()
        await one.close()


async def test_a_client_that_vanishes_frees_what_it_asked_for(paths: Paths, service: Service) -> None:
    service.hang = True
    async with running(paths, service):
        host = client.HostClient(paths, start=False)
        stream = host.generate(generate("a"))
        await anext(stream)
        await host.close()
        await asyncio.wait_for(service.cancelled.wait(), 5)
        await stream.aclose()


async def test_a_host_that_stops_is_an_error_now_and_a_new_host_next_time(paths: Paths, service: Service) -> None:
    service.hang = True
    host = client.HostClient(paths, start=False)
    async with running(paths, service):
        stream = host.generate(generate("a"))
        await anext(stream)
    with pytest.raises(HostError, match="stopping"):
        [item async for item in stream]
    async with running(paths, Service()):
        assert (await host.search(api.SearchParams(path="/r", query="again"))).note == "again"
        await host.close()


async def raw(paths: Paths, *lines: bytes, answers: int = 0) -> list[dict[str, Any]]:
    """Send raw lines after a good greeting; all that comes until the host ends the connection, which it must. Once it
    has answered so often, the client ends it."""

    def talk() -> bytes:
        received = b""
        with usersocket.reachable(usersocket.socket_path(paths)) as name, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(name)
            # What is not read when the host closes comes back as a reset, after all that it sent.
            with contextlib.suppress(ConnectionError):
                connection.sendall(wire.encode({"hello": wire.identity()}) + b"".join(lines))
            with contextlib.suppress(ConnectionError):
                while data := connection.recv(1 << 16):
                    received += data
                    if answers and received.count(b"\n") > answers:
                        connection.shutdown(socket.SHUT_WR)
        return received

    return [wire.decode(line) for line in (await asyncio.to_thread(talk)).splitlines(keepends=True)]


@pytest.mark.parametrize(
    "params",
    [None, [], {"query": 1}, {"path": "/r", "query": "q", "unknown": 1}, {"path": "/r", "query": "q", "k": "many"}],
)
async def test_malformed_params_get_one_error_without_their_text(
    paths: Paths, service: Service, params: object
) -> None:
    async with running(paths, service):
        _, *answers = await raw(paths, wire.encode({"id": 1, "method": "search", "params": params}), answers=1)
    assert [answer["id"] for answer in answers] == [1]
    assert answers[0]["error"]["code"] == UsageError.code


async def test_an_unknown_method_is_refused_and_a_broken_line_ends_the_connection(
    paths: Paths, service: Service
) -> None:
    async with running(paths, service):
        _, refused = await raw(paths, b'{"id": 1, "method": "close", "params": {}}\n', answers=1)
        assert refused["error"]["code"] == "usage"
        for broken in (b"not json\n", b"[" * 100_000 + b"\n"):
            assert [list(message) for message in await raw(paths, broken)] == [["hello"]]
        _, answer = await raw(paths, wire.encode({"id": 2, "method": "status", "params": {}}), answers=1)
        assert answer["id"] == 2


async def test_only_this_user_reaches_the_socket(
    paths: Paths, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(paths, service):
        path = usersocket.socket_path(paths)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        monkeypatch.setattr(server, "peer_is_self", lambda connection: False)
        assert await raw(paths, wire.encode({"id": 1, "method": "status", "params": {}})) == [], "not even a greeting"


def differing(paths: Paths, **changes: str) -> client.HostClient:
    """A client of another version or environment."""
    host = client.HostClient(paths, start=False)
    host._identity = {**wire.identity(), **changes}
    return host


@pytest.mark.parametrize("changes", [{"version": "99"}, {"environment": "another policy"}])
async def test_a_client_that_differs_replaces_an_idle_host(
    paths: Paths, service: Service, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    async with running(paths, service) as task:
        monkeypatch.setattr(client, "_START_SECONDS", 0.5)
        with pytest.raises(HostError, match="did not answer"):
            await differing(paths, **changes).status(api.Nothing())
        await asyncio.wait_for(task, 5)
    with pytest.raises(HostError, match="no host is running"):
        await client.HostClient(paths, start=False).status(api.Nothing())


async def test_an_older_client_does_not_replace_it(paths: Paths, service: Service) -> None:
    async with running(paths, service) as task:
        with pytest.raises(HostVersionMismatch, match=r"this is 0\.0\.9"):
            await differing(paths, version="0.0.9").status(api.Nothing())
        assert not task.done()


@pytest.mark.parametrize("changes", [{"version": "99"}, {"environment": "another policy"}])
async def test_a_host_that_serves_others_stays(paths: Paths, service: Service, changes: dict[str, str]) -> None:
    async with running(paths, service):
        first = client.HostClient(paths, start=False)
        await first.status(api.Nothing())
        with pytest.raises(HostVersionMismatch):
            await differing(paths, **changes).status(api.Nothing())
        assert (await first.search(api.SearchParams(path="/r", query="here"))).note == "here"
        await first.close()


def test_the_environment_of_settings_and_policy_tells_hosts_apart() -> None:
    plain = wire.identity({"HOME": "/h", "POINTSMAN_HOME": "/x", "VENDOR_KEY": "k"})
    assert plain == wire.identity({})
    home = {"HOME": "/h"}
    assert wire.identity(home) == wire.identity({**home, "XDG_CONFIG_HOME": "/h/.config", "XDG_DATA_HOME": ""})
    assert wire.identity(home) != wire.identity({**home, "XDG_CONFIG_HOME": "/h/alt"})
    for name in ("POINTSMAN_POLICY", "POINTSMAN_ENGINE"):
        assert wire.identity({name: "a"}) != plain
        assert wire.identity({name: "a"}) != wire.identity({name: "b"})


async def test_it_leaves_when_nobody_needs_it(paths: Paths, service: Service) -> None:
    async with running(paths, service, idle=0.2) as task:
        host = client.HostClient(paths, start=False)
        await host.status(api.Nothing())
        await asyncio.sleep(0.4)
        assert not task.done()
        await host.close()
        await asyncio.wait_for(task, 5)
    assert not usersocket.socket_path(paths).exists()


def test_one_host_holds_the_lock(paths: Paths) -> None:
    first, second = usersocket.SingleHost(paths), usersocket.SingleHost(paths)
    assert not first.held()
    assert first.acquire()
    assert second.held() and not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


async def test_a_client_that_does_not_read_cannot_keep_the_host(
    paths: Paths, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PARTING_SECONDS", 0.2)
    with contextlib.ExitStack() as ending:
        async with asyncio.timeout(30), running(paths, service):
            with usersocket.reachable(usersocket.socket_path(paths)) as name:
                _, writer = await asyncio.open_unix_connection(name, limit=1024)
            ending.callback(writer.close)
            large = wire.to_plain(api.SearchParams(path="/r", query="x" * 8_000_000))
            hello = {"hello": wire.identity()}
            writer.write(wire.encode(hello) + wire.encode({"id": 1, "method": "search", "params": large}))
            await writer.drain()
            await asyncio.sleep(0.2)
            host = client.HostClient(paths, start=False)
            await host.status(api.Nothing())
            await host.close()


async def test_giving_up_while_connecting_leaves_no_connection(paths: Paths, service: Service) -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()
        ended.set()

    with usersocket.reachable(usersocket.socket_path(paths)) as name:
        listener = await asyncio.start_unix_server(silent, name)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.HostClient(paths, start=False).status(api.Nothing()), 0.2)
    await asyncio.wait_for(ended.wait(), 5)
    listener.close()


async def test_the_kernel_names_who_listens(paths: Paths, service: Service) -> None:
    assert usersocket.listener_pid(paths) is None
    async with running(paths, service):
        assert usersocket.listener_pid(paths) == os.getpid()
    assert usersocket.listener_pid(paths) is None
