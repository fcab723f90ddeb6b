"""The real language server, completion pipeline and recorder over a scripted model. Run as a script by the tests.

Arguments: the usage file, `on` or `off`, and what the model answers. The command `test.advance` moves the clock that
suggestions are observed by.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from pointsman.complete.gate import Gate
from pointsman.complete.service import CompletionService
from pointsman.errors import EngineUnavailable
from pointsman.host.api import GenerateParams
from pointsman.lsp.app import create_server
from pointsman.lsp.server import serve
from pointsman.lsp.services import Services
from pointsman.models.base import Finish, Piece
from pointsman.observe.logs import log_to_stderr
from pointsman.observe.recorder import Recorder
from pointsman.observe.store import Store
from pointsman.settings import Settings
from tests.flow.fake_server import Asker, Refactorer, trust
from tests.pipelines import FakeHost, rules


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


class Host(FakeHost):
    """Gives the same answer each time; fails, or takes for ever, where the prompt says so."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer

    async def generate(self, params: GenerateParams) -> AsyncGenerator[Piece | Finish, None]:
        if "unavailable" in params.request.prompt:
            raise EngineUnavailable("the model is loading")
        if "slow" in params.request.prompt:
            await asyncio.Event().wait()
        self.answers = [self.answer]
        async for item in super().generate(params):
            yield item


def main(usage: str, switch: str, answer: str) -> int:
    clock = Clock()

    def make_services() -> Services:
        host = Host(answer)
        store = Store(Path(usage))
        recorder = Recorder(store, lambda: switch == "on", clock=lambda: clock.now)

        async def close() -> None:
            recorder.close()
            await asyncio.to_thread(store.close)

        return Services(
            completer=CompletionService(host, rules, Settings(), Gate(0.0), lambda text: ()),
            asker=Asker(),
            refactorer=Refactorer(),
            host=host,
            recorder=recorder,
            trust=trust,
            close=close,
        )

    def make_server() -> Any:
        server = create_server(make_services)

        @server.command("test.advance")
        async def advance(seconds: float) -> None:
            clock.now += seconds

        return server

    return serve(make_server)


if __name__ == "__main__":
    log_to_stderr()
    sys.exit(main(*sys.argv[1:]))
