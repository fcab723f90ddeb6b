"""The two that are typed into: Pointsman, over the language server protocol, and llama.cpp's server beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pointsman.errors import PointsmanError
from pointsman.measure.editor import Editor
from pointsman.measure.keystrokes import Burst, Stroke
from pointsman.measure.typist import Suggestion

_WINDOW = 512 * 3.2
"""Code points of 512 tokens: twice what the pipeline gives to a model that reads no other files, and less than the 256
lines of llama.vim."""
_STEP = 4
_OPENERS = (":", "{", "(", "[")
_TOKENS = re.compile(r"(\d+) tokens\b")
_AUTOMATIC = 2


class Pointsman:
    """A document of a real server process."""

    name = "pointsman"

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._uri = ""
        self._root = Path()
        self._version = 0
        self._position: dict[str, int] = {}

    def show(self, root: Path) -> None:
        """Which folder the documents lie in."""
        self._root = root

    async def open(self, burst: Burst) -> None:
        if self._uri:
            self._editor.tell("textDocument/didClose", {"textDocument": {"uri": self._uri}})
        self._uri, self._version = (self._root / burst.path).as_uri(), 1
        document = {"uri": self._uri, "languageId": burst.language, "version": 1, "text": burst.text}
        self._editor.tell("textDocument/didOpen", {"textDocument": document})

    async def change(self, before: str, stroke: Stroke, after: str) -> None:
        self._version += 1
        edit = stroke.edit
        change = {"range": {"start": _position(before, edit.start), "end": _position(before, edit.end)}}
        self._editor.tell(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self._uri, "version": self._version},
                "contentChanges": [{**change, "text": edit.new}],
            },
        )

    async def suggest(self, text: str, cursor: int) -> Suggestion:
        self._position = _position(text, cursor)
        answer = await self._editor.ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self._uri},
                "position": self._position,
                "context": {"triggerKind": _AUTOMATIC},
            },
        )
        items = answer.get("items", []) if isinstance(answer, dict) else answer or []
        if not items:
            return Suggestion()
        start = items[0]["range"]["start"]["character"] if items[0].get("range") else self._position["character"]
        return Suggestion(text=items[0]["insertText"][self._position["character"] - start :])

    async def explain(self, suggestion: Suggestion) -> Suggestion:
        where = {"textDocument": {"uri": self._uri}, "position": self._position}
        record = await self._editor.ask("pointsman/explain", where)
        if not isinstance(record, dict) or record.get("version") != self._version:
            return suggestion
        stages = {stage["stage"]: stage["outcome"] for stage in record["stages"]}
        made = [stage["outcome"] for stage in record["stages"] if stage["stage"] == "generate"]
        tokens = sum(int(match[1]) for outcome in made if (match := _TOKENS.search(outcome)))
        cache = stages.get("cache", "").partition(":")[0]
        asked = any(_TOKENS.search(outcome) for outcome in made)
        # A stage "generate" without tokens found the text elsewhere, such as in the repository.
        source = "model" if asked else "repository" if made else cache if suggestion.text else "refused"
        return Suggestion(
            text=suggestion.text,
            tokens=tokens,
            source=source,
            reason=(record.get("reason") or "").partition(":")[0],
            stages_ms={name: float(ms) for name, ms in record["timings_ms"].items()},
        )


class Llama:
    """llama.cpp's server with its prompt cache: a plain client that sends the text before the cursor at each key.

    The window's start moves in steps, so that the prompt cache is of use; a line is asked for where the cursor stands
    behind text, several lines on a blank line or behind what opens a block.
    """

    name = "llama.cpp"

    def __init__(self, process: asyncio.subprocess.Process, url: str, key: str, max_tokens: int) -> None:
        self._process = process
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 0
        self._key = key
        self._max_tokens = max_tokens

    @classmethod
    async def start(cls, weights: Path, max_tokens: int) -> Llama:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "pointsman.measure.llama_server", str(weights)),
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
            # As our own engines get it: threads that spin would stand still beside other work, and flatter us.
            env={**os.environ, "GOMP_SPINCOUNT": "1000"},
        )
        assert process.stdout is not None
        try:
            said = json.loads(await process.stdout.readline())
        except ValueError:
            process.kill()
            await process.wait()
            raise PointsmanError("llama.cpp could not load the model beside which to measure") from None
        return cls(process, said["url"], said["key"], max_tokens)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def quit(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def open(self, burst: Burst) -> None: ...

    async def change(self, before: str, stroke: Stroke, after: str) -> None: ...

    async def suggest(self, text: str, cursor: int) -> Suggestion:
        before, rest = text[:cursor], text[cursor:].partition("\n")[0]
        line = before[before.rfind("\n") + 1 :]
        several = not rest.strip() and (not line.strip() or line.rstrip().endswith(_OPENERS))
        answer = await self._post(
            {
                "prompt": _window(before),
                "n_predict": self._max_tokens,
                "temperature": 0,
                "cache_prompt": True,
                "stop": [] if several else ["\n"],
            }
        )
        timings = answer.get("timings", {})
        stages = {"prefill": timings.get("prompt_ms", 0.0), "decode": timings.get("predicted_ms", 0.0)}
        return Suggestion(
            text=answer["content"].rstrip(),
            tokens=answer["tokens_predicted"],
            reason="" if answer["content"].strip() else "an empty line",
            stages_ms=stages,
        )

    async def explain(self, suggestion: Suggestion) -> Suggestion:
        return suggestion

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """A connection of its own, as cancelling means to close it."""
        data = json.dumps(body).encode()
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head = (
                f"POST /completion HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self._key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + data)
            reply = await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        status, _, content = reply.partition(b"\r\n\r\n")
        if b" 200 " not in status.split(b"\r\n")[0]:
            raise PointsmanError("llama.cpp refused a request")
        found: dict[str, Any] = json.loads(content)
        return found


def _position(text: str, offset: int) -> dict[str, int]:
    start = text.rfind("\n", 0, offset) + 1
    return {"line": text.count("\n", 0, offset), "character": offset - start}


def _window(before: str) -> str:
    """The last 512 tokens at most, from the start of a line."""
    most = int(_WINDOW)
    if len(before) <= most:
        return before
    step = most // _STEP
    start = -(-(len(before) - most) // step) * step
    return before[before.find("\n", start) + 1 :] if "\n" in before[start:] else before[start:]
