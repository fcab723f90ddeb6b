"""What reaches stdout: code unchanged in a pipe, harmless on a terminal; paths of any kind end in words."""

from __future__ import annotations

import io

import pytest

from pointsman.cli.common import Cli, existing
from pointsman.errors import NotFound

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
