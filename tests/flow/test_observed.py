"""What the language server learns from edits alone and from what clients report, down to the rows on disk."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.observe.reader import Outcome, Usage, outcomes, read
from pointsman.observe.report import report
from tests.lspwire import Wire

URI = "file:///repo/canary_name.py"
TEXT = "def canary_function(a, b):\n    return \n"
ANSWER = "alpha + canary_beta"
UNITS = "utf-16-le"


class Window:
    """An editor with one document and its cursor; everything goes over the wire as a stock client sends it."""

    def __init__(self, wire: Wire, usage: Path) -> None:
        self.wire = wire
        self.usage = usage
        self.text = ""
        self.cursor = 0
        self.version = 1

    async def open(self, text: str, cursor: int) -> None:
        self.text, self.cursor = text, cursor
        await self.wire.open(URI, text)

    def place(self, offset: int) -> dict[str, int]:
        before = self.text[:offset]
        line = before.count("\n")
        return {"line": line, "character": len(before[before.rfind("\n") + 1 :].encode(UNITS)) // 2}

    async def complete(self) -> list[dict[str, Any]]:
        place = self.place(self.cursor)
        items: list[dict[str, Any]] = (await self.wire.complete(URI, place["line"], place["character"]))["result"][
            "items"
        ]
        return items

    async def replace(self, start: int, end: int, new: str) -> None:
        change = {"range": {"start": self.place(start), "end": self.place(end)}, "text": new}
        self.text, self.cursor = self.text[:start] + new + self.text[end:], start + len(new)
        await self.changed(change)

    async def changed(self, change: dict[str, Any]) -> None:
        self.version += 1
        document = {"uri": URI, "version": self.version}
        await self.wire.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    async def type(self, text: str) -> None:
        await self.replace(self.cursor, self.cursor, text)

    async def command(self, name: str, *arguments: Any) -> None:
        answer = await self.wire.ask("workspace/executeCommand", {"command": name, "arguments": list(arguments)})
        assert "error" not in answer

    async def wait(self, seconds: float) -> None:
        """Move the server's clock, and let it look at it."""
        await self.command("test.advance", seconds)

    async def until(self, holds: Callable[[Usage], bool]) -> Usage:
        """What is on disk, as soon as it is so."""
        async with asyncio.timeout(20):
            while True:
                found = read(self.usage, 0.0)
                if holds(found):
                    return found
                await asyncio.sleep(0.05)

    async def only(self, outcome: str) -> Outcome:
        """The one suggestion, once it has come to that."""
        found = await self.until(lambda usage: [o.outcome for o in usage.outcomes] == [outcome])
        return found.outcomes[0]


async def started(usage: Path, answer: str = f" {ANSWER}", switch: str = "on") -> Window:
    command = [sys.executable, "-m", "tests.flow.observed_server", str(usage), switch, answer]
    wire = await Wire.start(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    await wire.initialize()
    return Window(wire, usage)


@pytest.fixture
async def window(tmp_path: Path) -> AsyncIterator[Window]:
    opened = await started(tmp_path / "data" / "usage.sqlite3")
    await opened.open(TEXT, len(TEXT) - 1)
    yield opened
    await opened.wire.close()


async def test_taking_it_and_what_is_left_of_it(window: Window) -> None:
    (item,) = await window.complete()
    assert item["insertText"] == ANSWER
    start = window.cursor
    await window.type(ANSWER)
    taken = await window.only("accepted")
    assert (taken.accepted, taken.typed, taken.shown, taken.language, taken.model) == (19, 0, True, "python", "tiny")
    await window.wait(31)
    await window.until(lambda usage: usage.outcomes[0].kept == {30: 1.0})
    await window.replace(0, 0, "import os\n")
    await window.replace(start + 10, start + 16, "")
    await window.wait(100)
    await window.until(lambda usage: usage.outcomes[0].kept == {30: 1.0, 120: 0.667})
    await window.wait(500)
    await window.until(lambda usage: usage.outcomes[0].kept.keys() == {30, 120, 300, 600})
    assert (await window.wire.leave()) == 0


async def test_typing_it_is_served_from_the_cache_and_is_one_suggestion(window: Window) -> None:
    for key in ANSWER:
        (item,) = await window.complete()
        assert ANSWER.endswith(item["insertText"])
        await window.type(key)
    typed = await window.only("typed")
    assert (typed.accepted, typed.typed) == (0, len(ANSWER))
    usage = read(window.usage, 0.0)
    caches = [answer.cache for answer in usage.answers]
    assert caches[0] == "miss" and caches.count("typed-through") >= len(ANSWER) - 2
    assert usage.answers[0].timings_ms.keys() == {"context", "queue", "prefill", "decode", "clean", "total"}
    made = report(usage, (), usage.answers[-1].at)["day"]
    assert made["suggestions"]["typed"] == 1 and made["cache_share"] > 0.8


async def test_a_part_is_taken_and_the_rest_is_not(window: Window) -> None:
    await window.complete()
    await window.type("alpha")
    assert (await window.only("partly")).accepted == 5
    await window.complete()
    await window.type("[0]")
    await window.wait(31)
    await window.until(lambda usage: usage.outcomes[0].kept == {30: 1.0})
    assert read(window.usage, 0.0).outcomes[0].outcome == "partly"


async def test_turning_it_down_after_looking_at_it_or_before(window: Window) -> None:
    await window.complete()
    await window.type("x")
    await window.only("missed")
    await window.complete()
    await window.wait(1)
    await window.type("y")
    found = await window.until(lambda usage: [o.outcome for o in usage.outcomes] == ["missed", "rejected"])
    assert [outcome.shown for outcome in found.outcomes] == [False, True]
    assert [outcome.features["line_end"] for outcome in outcomes(window.usage, 10)] == [1.0]


async def test_what_a_client_reports(window: Window) -> None:
    (item,) = await window.complete()
    await window.wire.notify("textDocument/didShowCompletion", {"item": item})
    await window.until(lambda usage: [o.shown for o in usage.outcomes] == [True])
    await window.type("al")
    await window.wire.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 2})
    assert (await window.only("partly")).accepted == 2
    (rest,) = await window.complete()
    await window.command(*[rest["command"]["command"], *rest["command"]["arguments"]])
    assert (await window.only("accepted")).accepted == len(ANSWER)


async def test_reports_without_sense_are_borne(window: Window) -> None:
    (item,) = await window.complete()
    for params in (
        {},
        {"item": None},
        {"item": {"command": {"arguments": [5]}}},
        {"item": item, "acceptedLength": "x"},
    ):
        await window.wire.notify("textDocument/didShowCompletion", params)
        await window.wire.notify("textDocument/didPartiallyAcceptCompletion", params)
    await window.wire.notify("textDocument/didFocus", {"textDocument": 5})
    await window.wire.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": -5})
    await window.type(ANSWER)
    await window.only("accepted")


@pytest.mark.parametrize("other", ["textDocument/didFocus", "textDocument/didClose", "shutdown"])
async def test_looking_elsewhere_settles_it(window: Window, other: str) -> None:
    await window.complete()
    await window.wait(1)
    if other == "shutdown":
        assert await window.wire.leave() == 0
    else:
        uri = URI if other == "textDocument/didClose" else "file:///repo/other.py"
        await window.wire.notify(other, {"textDocument": {"uri": uri}})
    await window.only("rejected")


async def test_wide_characters_windows_line_ends_and_a_client_that_sends_whole_documents(tmp_path: Path) -> None:
    window = await started(tmp_path / "usage.sqlite3", "\n    total('字😋')\n    more()")
    text = "# 😋\r\nif 字 > 1:‸\r\n    done()\r\n"
    await window.open(text.replace("‸", ""), text.index("‸"))
    (item,) = await window.complete()
    taken = item["insertText"].replace("\n", "\r\n")  # an editor puts in the line ends of its file
    assert "\r" not in item["insertText"] and taken.count("\r\n") == 2
    window.text = window.text[: window.cursor] + taken + window.text[window.cursor :]
    await window.changed({"text": window.text})
    assert (await window.only("accepted")).accepted == len(taken)
    await window.wire.close()


async def test_nothing_on_disk_tells_text_or_names(window: Window) -> None:
    await window.wire.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    await window.wire.open(URI, TEXT, language="<canary_language>")
    await window.complete()
    await window.type(ANSWER)
    await window.wire.open("file:///repo/secret_canary.py", "x = ")
    assert (await window.wire.complete("file:///repo/secret_canary.py", 0, 4))["result"]["items"] == []
    await window.until(lambda usage: len(usage.answers) == 2)
    usage = read(window.usage, 0.0)
    assert usage.answers[0].language == "other" and usage.answers[1].reason == "the file is excluded"
    files = list(window.usage.parent.iterdir())
    assert {file.name for file in files} >= {"usage.sqlite3", "usage.sqlite3-wal"}
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        data = file.read_bytes()
        assert b"canary" not in data and b"alpha" not in data and b"/repo" not in data
    assert stat.S_IMODE(window.usage.parent.stat().st_mode) == 0o700


async def test_switched_off_nothing_is_written(tmp_path: Path) -> None:
    window = await started(tmp_path / "data" / "usage.sqlite3", switch="off")
    await window.open(TEXT, len(TEXT) - 1)
    assert await window.complete()
    await window.type(ANSWER)
    assert await window.wire.leave() == 0
    assert not (tmp_path / "data").exists()


async def test_explain_says_why_something_or_nothing_came_there(window: Window) -> None:
    async def explain(line: int | None, uri: str = URI) -> dict[str, Any]:
        place = {} if line is None else {"position": {"line": line, "character": 0}}
        found: dict[str, Any] = (await window.wire.ask("pointsman/explain", {"textDocument": {"uri": uri}, **place}))[
            "result"
        ]
        return found

    assert await explain(1) is None
    await window.complete()
    await window.wire.complete(URI, 0, 6)
    there = await explain(1)
    assert (there["line"], there["column"], there["items"], there["reason"]) == (1, 11, 1, None)
    assert [stage["stage"] for stage in there["stages"]][:3] == ["prefilter", "cache", "context"]
    assert (await explain(0))["reason"] == (await explain(None))["reason"] == "the cursor is inside a word"
    assert (await explain(7))["line"] == 0
    assert await explain(1, "file:///repo/none.py") is None

    for text, reason in (("unavailable = ", "the request failed"), ("slow = ", "the request was cancelled")):
        uri = f"file:///repo/{text[:4]}.py"
        await window.wire.open(uri, text)
        params = {
            "textDocument": {"uri": uri},
            "position": {"line": 0, "character": len(text)},
            "context": {"triggerKind": 2},
        }
        request = await window.wire.begin("textDocument/inlineCompletion", params)
        if text.startswith("slow"):
            await asyncio.sleep(0.2)
            await window.wire.notify("$/cancelRequest", {"id": request})
        await window.wire.response(request)
        assert (await explain(0, uri))["reason"].startswith(reason)
    found = await window.until(lambda usage: len(usage.answers) == 4)
    assert [answer.reason for answer in found.answers][2:] == ["cancelled or failed"] * 2


async def test_a_kill_loses_nothing_of_a_second_ago(window: Window) -> None:
    await window.complete()
    await window.type(ANSWER)
    await asyncio.sleep(1)
    window.wire.process.kill()
    await window.wire.ended()
    assert [outcome.outcome for outcome in read(window.usage, 0.0).outcomes] == ["accepted"]
