"""The real language server over stdio with scripted services behind it. Run as a script by the tests."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

from pointsman.chat.types import Answer, Question
from pointsman.complete.memory import Remembered
from pointsman.complete.types import Completion, CompletionQuery, Item, Stage
from pointsman.errors import EngineUnavailable, PolicyRefusal
from pointsman.host import api
from pointsman.lsp.app import create_server
from pointsman.lsp.server import serve
from pointsman.lsp.services import Services
from pointsman.models.base import EngineState, EngineStatus, Finish, Piece
from pointsman.observe.logs import log_to_stderr
from pointsman.observe.recorder import Recorder
from pointsman.observe.store import Store
from pointsman.refactor.types import UNTOUCHED, Checks, FileEdit, Refactoring, RefactorQuery
from pointsman.routed import RouteTaken
from pointsman.session import Snapshot

ROUTE = RouteTaken(target="local", model="scripted", reason="no closed endpoint")


class Completer:
    """Answers with the text's length and the menu's choice. `slow` in the text makes it hang until it is cancelled."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.last: Remembered | None = None
        self.accepted_ids: list[str] = []

    async def complete(self, query: CompletionQuery) -> Completion:
        text = query.snapshot.text
        if "slow" in text:
            await asyncio.Event().wait()
        if "loading" in text:
            self.host.loading = True
            await self.host.loaded.wait()
        if "broken" in text:
            raise ZeroDivisionError(text)
        if "unavailable" in text:
            raise EngineUnavailable("the model is loading")
        known = f"<{len(text)}>"
        if query.selected is not None:
            known += f" {query.selected.text} for {text[query.selected.start : query.selected.end]}"
        item = Item(id="i1", text=known, score=-0.1, start=query.offset, end=query.offset)
        items = tuple(item for _ in range(query.count))
        completion = Completion(items=items, model="scripted", stages=(Stage(stage="cache", outcome="miss"),))
        self.last = Remembered(line=0, column=0, version=query.snapshot.version, completion=completion)
        return completion

    def accepted(self, item_id: str) -> None:
        self.accepted_ids.append(item_id)

    def closed(self, snapshot: Snapshot) -> None:
        return None

    def withheld(self, uri: str, why: str) -> None:
        return None

    def explain(self, uri: str, line: int | None = None) -> Remembered | None:
        return self.last


class Asker:
    def __init__(self, reading: Callable[[], bool] = lambda: False) -> None:
        self.reading = reading

    async def ask(self, question: Question, on_delta: Callable[[str], None]) -> Answer:
        if self.reading():
            raise EngineUnavailable("asked of a repository that is not read")
        if "broken" in question.text:
            raise ZeroDivisionError(question.text)
        if "refuse" in question.text:
            raise PolicyRefusal("policy says no", rule="closed", remedy="ask locally")
        for word in () if "silent" in question.text else ("draft", " text"):
            on_delta(word)
        asked = question.selection.text[question.start : question.end] if question.selection else ""
        answer = asked if "selected" in question.text else "final [1]"
        return Answer(answer=answer, citations=(), abstained=False, route=ROUTE)


class Refactorer:
    async def refactor(self, query: RefactorQuery) -> Refactoring:
        edits: list[FileEdit] = []
        if "reviewed" in query.instruction and query.approved_sha256 != "b0d1":
            return Refactoring(
                route=replace(ROUTE, target="closed"),
                request_id="r",
                edits=(),
                diff="",
                checks=UNTOUCHED,
                preview="{}",
                preview_sha256="b0d1",
            )
        for part in query.parts:
            if not part.read_only:
                new = part.snapshot.text.replace("old", "new")
                base = "0" * 40 if "stale" in query.instruction else part.snapshot.sha
                edits.append(FileEdit(path=part.snapshot.relative, base_sha=base, diff="-old\n+new\n", new_text=new))
        for path in query.creates:
            edits.append(FileEdit(path=path, base_sha="", diff="+made\n", new_text="made\n"))
        checks = Checks(
            parses="unparsable" not in query.instruction,
            in_scope=True,
            protected=("a.py",) if "protected" in query.instruction else (),
        )
        return Refactoring(
            route=ROUTE,
            request_id="r",
            edits=tuple(edits),
            diff="".join(edit.diff for edit in edits),
            checks=checks,
            preview=query.instruction if query.dry_run else "",  # of a local model it is the prompt
        )


class Host:
    """Its model loads until it was seen loading twice; whoever asks for `loaded` waits for that."""

    def __init__(self) -> None:
        self.asked = 0
        self.loaded = asyncio.Event()
        self.loading = False
        self.reading = False

    async def status(self, params: api.Nothing) -> api.HostStatus:
        if self.loading:
            self.asked += 1
            if self.asked > 2:
                self.loading = False
                self.loaded.set()
        state = EngineState.LOADING if self.loading else EngineState.READY
        engine = EngineStatus(name="torch", model="scripted", state=state)
        return api.HostStatus(
            version="0", pid=1, uptime_seconds=0, clients=1, busy=False, engines=(engine,), indexes=(), memory_bytes=1
        )

    async def model(self, params: api.ModelParams) -> api.ModelFacts:
        raise NotImplementedError

    async def generate(self, params: api.GenerateParams) -> AsyncGenerator[Piece | Finish, None]:
        raise NotImplementedError
        yield

    async def index(self, params: api.IndexParams) -> AsyncGenerator[api.IndexProgress | api.IndexReport, None]:
        """A folder called `large` is read in a while, and embedded never. Progress names single files."""
        if Path(params.path).name == "large":
            self.reading = True
            await asyncio.sleep(0.3)
            self.reading = False
            yield api.IndexProgress(stage="read", done=1, total=1)
            await asyncio.Event().wait()
        stage = ", ".join(Path(path).name for path in params.paths) or "embed"
        yield api.IndexProgress(stage=stage, done=1, total=2)
        yield api.IndexProgress(stage=stage, done=2, total=2)
        yield api.IndexReport(
            notes={},
            root=params.path,
            files=1,
            chunks=2,
            skipped={},
            seconds=0.1,
            embedded=2,
            reused=0,
            model="m",
            revision="",
        )

    async def search(self, params: api.SearchParams) -> api.SearchReply:
        return api.SearchReply(root=params.path, hits=(), note=f"read closely: {params.closely}")

    async def closed_preview(self, params: api.ClosedRequest) -> api.ClosedPreview:
        raise NotImplementedError

    async def closed_send(self, params: api.ClosedRequest) -> api.ClosedReply:
        raise NotImplementedError

    async def shutdown(self, params: api.Nothing) -> api.Nothing:
        return params


def trust(path: Path) -> str:
    return str(path)


async def close() -> None:
    return None


def make_services() -> Services:
    print("a stray print must not reach the protocol", flush=True)  # noqa: T201
    host = Host()
    return Services(
        completer=Completer(host),
        asker=Asker(lambda: host.reading),
        refactorer=Refactorer(),
        host=host,
        recorder=Recorder(Store(Path(os.devnull)), lambda: False),
        trust=trust,
        close=close,
    )


if __name__ == "__main__":
    log_to_stderr()
    sys.exit(serve(lambda: create_server(make_services)))
