"""A language client that sends raw frames, so that malformed ones can be sent as well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any


class Wire:
    """One server process and everything it has sent."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.received: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()
        assert process.stderr is not None
        self._reading = asyncio.create_task(self._read())
        self._errors = asyncio.create_task(process.stderr.read())
        self._next = 100
        self.answers: dict[str, Any] = {}
        """What to answer to the server's own requests, by method."""

    @classmethod
    async def start(cls, command: Sequence[str], env: dict[str, str] | None = None) -> Wire:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, limit=1 << 26
        )
        return cls(process)

    async def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def send_body(self, body: bytes) -> None:
        await self.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def send(self, message: dict[str, Any]) -> None:
        await self.send_body(json.dumps({"jsonrpc": "2.0", **message}).encode())

    async def notify(self, method: str, params: Any = None) -> None:
        await self.send({"method": method, "params": params or {}})

    async def begin(self, method: str, params: Any = None) -> int:
        """Send a request; its id."""
        self._next += 1
        await self.send({"id": self._next, "method": method, "params": {} if params is None else params})
        return self._next

    async def response(self, msg_id: int | str | None, seconds: float = 60) -> dict[str, Any]:
        return await self.until(lambda m: "method" not in m and m.get("id") == msg_id, seconds)

    async def ask(self, method: str, params: Any = None, seconds: float = 60) -> dict[str, Any]:
        """Send a request and wait for its response."""
        return await self.response(await self.begin(method, params), seconds)

    async def notification(self, method: str, seconds: float = 60) -> dict[str, Any]:
        return await self.until(lambda m: m.get("method") == method, seconds)

    async def until(self, wanted: Any, seconds: float = 60) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                for message in self.received:
                    if wanted(message):
                        return message
                self._arrived.clear()
                await self._arrived.wait()

    def responses(self, msg_id: int | str | None) -> list[dict[str, Any]]:
        return [m for m in self.received if "method" not in m and m.get("id") == msg_id]

    async def initialize(self, folder: str | None = None, **capabilities: Any) -> dict[str, Any]:
        text = {"inlineCompletion": {"dynamicRegistration": False}, **capabilities.pop("textDocument", {})}
        params = {
            "processId": None,
            "rootUri": folder,
            "workspaceFolders": [{"uri": folder, "name": "w"}] if folder else None,
            "capabilities": {"textDocument": text, **capabilities},
        }
        answer = await self.ask("initialize", params)
        await self.notify("initialized")
        return answer

    async def open(self, uri: str, text: str, language: str = "python", version: int = 1) -> None:
        document = {"uri": uri, "languageId": language, "version": version, "text": text}
        await self.notify("textDocument/didOpen", {"textDocument": document})

    async def complete(self, uri: str, line: int, character: int, kind: int = 2, **document: Any) -> dict[str, Any]:
        params = {
            "textDocument": {"uri": uri, **document},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": kind},
        }
        return await self.ask("textDocument/inlineCompletion", params)

    async def leave(self) -> int:
        await self.ask("shutdown")
        await self.notify("exit")
        return await self.ended()

    async def ended(self, seconds: float = 20) -> int:
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def close(self) -> str:
        """Kill it if it still runs; what it wrote to stderr."""
        if self.process.returncode is None:
            self.process.kill()
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()
        await self._reading
        return (await self._errors).decode()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while head := await self.process.stdout.readuntil(b"\r\n\r\n"):
                length = int(
                    next(h for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")).split(b":")[1]
                )
                message = json.loads(await self.process.stdout.readexactly(length))
                self.received.append(message)
                self._arrived.set()
                if "method" in message and "id" in message:
                    reply = self.answers.get(message["method"])
                    await self.send({"id": message["id"], "result": reply})
        except (asyncio.IncompleteReadError, ConnectionError):
            self._arrived.set()
