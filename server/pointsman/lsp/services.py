"""What the language server needs of the rest: three pipelines and the host. `build.py` fills it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pointsman.chat.types import Answer, Question
from pointsman.complete.memory import Remembered
from pointsman.complete.types import Completion, CompletionQuery
from pointsman.host.api import HostApi
from pointsman.observe.recorder import Recorder
from pointsman.refactor.types import Refactoring, RefactorQuery
from pointsman.session import Snapshot


class Completer(Protocol):
    async def complete(self, query: CompletionQuery) -> Completion: ...

    def accepted(self, item_id: str) -> bool: ...

    def closed(self, snapshot: Snapshot) -> None: ...

    def withheld(self, uri: str, why: str) -> None: ...

    def explain(self, uri: str, line: int | None = None) -> Remembered | None: ...

    async def close(self) -> None:
        """What is made ahead of the user stops."""
        ...


class Asker(Protocol):
    async def ask(self, question: Question, on_delta: Callable[[str], None]) -> Answer: ...


class Refactorer(Protocol):
    async def refactor(self, query: RefactorQuery) -> Refactoring: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made once for a window or a command, closed at its end."""

    completer: Completer
    asker: Asker
    refactorer: Refactorer
    host: HostApi
    recorder: Recorder
    """What became of suggestions."""
    trust: Callable[[Path], str]
    """Trust a workspace, as the user asked; returns its real path."""
    close: Callable[[], Awaitable[None]]
