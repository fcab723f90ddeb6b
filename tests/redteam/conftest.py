"""A whole site under attack: a hostile model behind a recording endpoint, a second server that must see nothing, and a
guard that knows every address that this process connects to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from pointsman.build import _find_secrets
from pointsman.chat.service import ChatService
from pointsman.chat.types import Answer, Question
from pointsman.errors import PointsmanError
from pointsman.host.api import ClosedPiece, ClosedPreview, ClosedReply, ClosedRequest
from pointsman.refactor.apply import apply
from pointsman.refactor.service import RefactorService
from pointsman.refactor.types import Part, Refactoring, RefactorQuery
from pointsman.settings import Settings
from pointsman.wiring.exclusions import exclusions_of
from pointsman.wiring.router import PolicyRouter
from tests.gateway_site import Site, kingfisher, site
from tests.pipelines import FakeHost, snapshot

__all__ = ["kingfisher", "site"]


class GatewayHost(FakeHost):
    """The scripted host for local work, with the real gateway as its way out."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.gateway = site.gateway()

    async def closed_preview(self, params: ClosedRequest) -> ClosedPreview:
        return await self.gateway.preview(params)

    async def closed_send(self, params: ClosedRequest) -> ClosedReply:
        return await self.gateway.send(params)

    async def closed_stream(self, params: ClosedRequest) -> AsyncGenerator[ClosedPiece | ClosedReply, None]:
        async for part in self.gateway.stream(params):
            yield part


@dataclass
class Attack:
    """`say` is what the model answers; `refactor` runs the real pipeline, router and gateway against it."""

    site: Site
    elsewhere: HTTPServer
    reached: list[Any] = field(default_factory=list)
    """Addresses that were connected to, Unix sockets left out."""
    results: list[Refactoring] = field(default_factory=list)
    """What came back and nobody has applied yet."""

    def say(self, text: str) -> None:
        self.site.reply = lambda body: text

    def tree(self) -> dict[str, bytes]:
        """Every file of the repository, links as what they say."""
        root = self.site.repo
        return {
            str(path.relative_to(root)): str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    def write(self, name: str, text: str) -> Path:
        path = self.site.repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    async def refactor(
        self, name: str = "src/a.py", instruction: str = "make it shorter", target: str = "closed", **changes: Any
    ) -> Refactoring:
        path = self.site.repo / name
        text = path.read_text() if path.is_file() else "x = 1\n"  # as an editor has it that never saved
        query = RefactorQuery(
            parts=(
                Part(
                    snapshot=snapshot(text, root=self.site.repo, name=name),
                    start_line=1,
                    end_line=len(text.splitlines()),
                ),
            ),
            instruction=instruction,
            target=target,  # type: ignore[arg-type]
            **changes,
        )
        return await self.refactored(query, GatewayHost(self.site))

    async def refactored(self, query: RefactorQuery, host: GatewayHost) -> Refactoring:
        paths = self.site.paths
        result = await RefactorService(
            host, PolicyRouter(paths), exclusions_of(paths), Settings(), _find_secrets
        ).refactor(query)
        self.results.append(result)
        return result

    async def asked(self, question: Question, host: GatewayHost) -> Answer:
        paths = self.site.paths
        chat = ChatService(host, PolicyRouter(paths), exclusions_of(paths), Settings(), host.blob_of)
        return await chat.ask(question, lambda delta: None)

    async def refused(self, *arguments: Any, **changes: Any) -> PointsmanError:
        with pytest.raises(PointsmanError) as caught:
            await self.refactor(*arguments, **changes)
        return caught.value

    def apply_what_passed(self) -> None:
        """As `refactor --apply` does with each answer."""
        for result in self.results:
            if result.edits and result.checks.passed:
                apply(result.edits, self.site.repo)
        self.results.clear()

    def check(self, before: dict[str, bytes], *, sent: int, changed: Collection[str] = ()) -> None:
        """What must hold after every attack: with what passed applied, no file but `changed` is another than it was,
        nothing reached another place, each body that left has its record, and the log is sound."""
        from pointsman.gateway.audit import AuditLog
        from tests.gateway_site import KEY, sha256

        port = self.site.server.port
        assert self.tree() == before, "something was written before anybody applied it"
        self.apply_what_passed()
        assert {name for name, _ in self.tree().items() ^ before.items()} == set(changed)
        assert self.elsewhere.log == []
        assert {address[:2] for address in self.reached} <= {("127.0.0.1", port), ("localhost", port)}
        assert len(self.site.received) == sent and bool(self.reached) == bool(sent)
        intents = [r["body_sha256"] for r in self.site.records() if r["kind"] == "intent"]
        assert sorted(intents) == sorted(sha256(body) for body in self.site.received)
        assert not any(KEY.encode() in body for body in self.site.received)
        assert AuditLog(self.site.paths.audit).verify().sound
        assert all(len(r["policy_sha256"]) == 64 for r in self.site.records() if r["kind"] != "healed")


@pytest.fixture
def elsewhere() -> Iterator[HTTPServer]:
    """A second server that must see nothing."""
    server = HTTPServer(host="127.0.0.1", port=0)
    server.expect_request("").respond_with_data("{}")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def attack(site: Site, elsewhere: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Attack:
    monkeypatch.delenv("POINTSMAN_POLICY", raising=False)
    made = Attack(site, elsewhere)
    made.write("src/a.py", "def f(a):\n    return a\n")
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            made.reached.append(address)
        real(self, address)

    async def over_loop(self: Any, sock: socket.socket, address: Any) -> None:
        if sock.family != socket.AF_UNIX:
            made.reached.append(address)
        await real_over_loop(self, sock, address)

    real_over_loop = asyncio.selector_events.BaseSelectorEventLoop.sock_connect
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", over_loop)
    return made


async def drain(stream: AsyncGenerator[Any, None]) -> list[Any]:
    return [part async for part in stream]
