"""An editor's side of the language server protocol, over the pipes of a real server process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pointsman.errors import PointsmanError

_LONGEST_LINE = 1 << 26
_QUIT_SECONDS = 10.0


class Editor:
    """One server process. Positions on the wire are UTF-32 columns, so that they are code points."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, command: Sequence[str], env: Mapping[str, str], root: Path, name: str) -> Editor:
        """`name` is what the server is told the editor is called."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env=dict(env), limit=_LONGEST_LINE
        )
        editor = cls(process)
        folder = {"uri": root.as_uri(), "name": root.name}
        await editor.ask(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": name},
                "rootUri": root.as_uri(),
                "workspaceFolders": [folder],
                "capabilities": {
                    "general": {"positionEncodings": ["utf-32"]},
                    "textDocument": {"inlineCompletion": {"dynamicRegistration": False}},
                },
            },
        )
        editor.tell("initialized", {})
        return editor

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    async def ask(self, method: str, params: Any) -> Any:
        """The result; None for an error. Cancelling the caller cancels the request at the server."""
        self._last += 1
        number, answer = self._last, asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send({"id": number, "method": method, "params": params})
        try:
            return await answer
        except asyncio.CancelledError:
            self.tell("$/cancelRequest", {"id": number})
            raise
        finally:
            self._waiting.pop(number, None)

    async def quit(self) -> None:
        with contextlib.suppress(TimeoutError, PointsmanError):
            async with asyncio.timeout(_QUIT_SECONDS):
                await self.ask("shutdown", None)
                self.tell("exit", None)
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._reading

    def _send(self, message: dict[str, Any]) -> None:
        if self._process.stdin is None or self._process.stdin.is_closing():
            raise PointsmanError("the language server has ended", remedy="see `pointsman doctor`")
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self._process.stdout.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                self._take(json.loads(await self._process.stdout.readexactly(length)))
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(PointsmanError("the language server has ended", remedy="see `pointsman doctor`"))

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            answer = self._waiting.get(message.get("id", 0))
            if answer is not None and not answer.done():
                answer.set_result(message.get("result"))
        elif "id" in message:
            self._send({"id": message["id"], "result": None})
