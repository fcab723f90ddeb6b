"""What reaches stdout: code unchanged in a pipe, harmless on a terminal; paths of any kind end in words. And how long
commands wait for an index."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli.common import Cli, existing
from pointsman.cli.index import read_index
from pointsman.errors import NotFound
from pointsman.host.api import IndexParams, IndexProgress, IndexReport

DIFF = "--- a/x.go\n+++ b/x.go\n@@ -1 +1 @@\n-\tm[:x:]\r\n+\tm[:key:]\x0c\u2028\r\n"


def test_code_goes_unchanged_into_a_pipe(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Cli().code(DIFF, lambda line: "red")
    Cli().code("no newline at the end")
    assert capfdbinary.readouterr().out == DIFF.encode() + b"no newline at the end\n"


def test_on_a_terminal_code_cannot_drive_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", screen)
    Cli().code("\ta\x1b]0;title\x07\r\nb\u202e\r\n")
    assert screen.getvalue() == "\ta\\u001b]0;title\\u0007\nb\\u202e\n"


def test_no_text_becomes_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    Cli().console.print("d[:key:]", markup=False)
    assert capsys.readouterr().out == "d[:key:]\n"


@pytest.mark.parametrize("path", ["missing", "a" * 5000, "~nobody-of-this-name/x", "a\0b"])
def test_a_path_that_cannot_be_there_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        existing(path)


async def test_what_needs_no_vector_waits_for_none(tmp_path: Path) -> None:
    left: list[str] = []

    class Host:
        async def index(self, params: IndexParams) -> AsyncGenerator[IndexProgress | IndexReport, None]:
            try:
                yield IndexProgress(stage="parse", done=1, total=1)
                yield IndexProgress(stage="read", done=1, total=1)
                await asyncio.Event().wait()
            finally:
                left.append(params.path)

    host: Any = Host()
    await asyncio.wait_for(read_index(Cli(quiet=True), host, tmp_path), 10)
    assert left == [str(tmp_path)], "the update is left, so that it stops"
