"""The parent's end of one child's pipes: greeting, messages, last words, and a watch for silence.

Knows the messages, not what is asked with them. One object per process. Never logs a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pointsman.errors import EngineError, PointsmanError, by_code
from pointsman.worker import messages as m

SILENCE = 60.0
"""Seconds without a word from a child that has work before it is asked, and then again before it is killed."""
LOADING = 1800.0
"""Seconds in which a child must be ready. Converting and quantising a large model on a slow machine takes minutes; it
has no thread to answer a question meanwhile."""


class Pipe:
    """Args:
    each: called with every message of a request, Failed with an id included.
    busy: whether the child has work; only then is silence a reason to worry.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        each: Callable[[m.ToParent], None],
        busy: Callable[[], bool],
        silence: float = SILENCE,
        loading: float = LOADING,
    ) -> None:
        self._process = process
        self._each = each
        self._busy = busy
        self._silence = silence
        self._loading = loading
        self._greeting: asyncio.Future[m.Ready] = asyncio.get_running_loop().create_future()
        self._words: PointsmanError | None = None
        self._reader = asyncio.create_task(self._read())

    async def greet(self, first: m.ToChild) -> m.Ready:
        """Send the first message and wait until the child is ready. Raises what it failed with."""
        await self.send(first)
        done, _ = await asyncio.wait([self._greeting], timeout=self._loading)
        if not done:
            self.replace("the model engine did not finish loading")
        return await self._greeting

    async def send(self, message: m.ToChild) -> None:
        """Raises `EngineError` when the child is gone or the message too long."""
        line = m.encode(message)
        if self._process.stdin is None or self._process.stdin.is_closing():
            raise EngineError("the model engine died", remedy="it starts again")
        try:
            self._process.stdin.write(line)
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise EngineError("the model engine died", remedy="it starts again") from error

    def send_now(self, message: m.ToChild) -> None:
        """Send without waiting, for a tiny message while the caller is being cancelled; a dead child is ignored."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(m.encode(message))

    async def last_words(self) -> EngineError | None:
        """After the process ended: why, when it said so. Reads what the pipe still holds first."""
        await asyncio.wait([self._reader], timeout=1.0)
        return self._words if isinstance(self._words, EngineError) else None

    def replace(self, why: str) -> None:
        """Kill a child that hangs; `why` is its last word, unless it has said one itself."""
        self._words = self._words or EngineError(why, remedy="it starts again")
        self._kill()

    def close(self) -> None:
        self._reader.cancel()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while line := await self._next_line(self._process.stdout):
                self._take(m.decode_to_parent(line))
        except (EngineError, ValueError):
            # A line that is no message, or longer than any: the child is broken beyond talking to.
            self._kill()
        finally:
            if not self._greeting.done():
                self._greeting.set_exception(self._words or EngineError("the model engine died while loading"))
                self._greeting.exception()

    async def _next_line(self, stdout: asyncio.StreamReader) -> bytes:
        asked = False
        while True:
            try:
                async with asyncio.timeout(self._silence):
                    return await stdout.readline()
            except TimeoutError:
                if not self._busy():
                    asked = False
                elif asked:
                    self.replace("the model engine stopped answering")
                else:
                    self.send_now(m.Ping())
                    asked = True

    def _take(self, message: m.ToParent) -> None:
        match message:
            case m.Ready():
                if not self._greeting.done():
                    self._greeting.set_result(message)
            case m.Progress() | m.Pong():
                pass
            case m.Failed(id=0):
                self._words = self._words or to_error(message)
            case _:
                self._each(message)

    def _kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


def to_error(message: m.Failed) -> PointsmanError:
    return by_code(message.code, message.message, remedy=message.remedy)
