"""The chat's page in a real Chromium, under its own content policy: no payload runs, and nothing goes to a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bring import Unavailable
from .vscode_build import NoNpm, built, installed, npm
from .workbench import drive
from .workbench_install import workbench


def test_payloads_leave_nothing_executable_and_make_no_request(tmp_path: Path) -> None:
    try:
        at, folder = workbench(), installed()
    except (Unavailable, NoNpm) as reason:
        pytest.skip(str(reason))
    built()
    assert npm("build", "--", "--tests").returncode == 0
    plan = {"page": str(folder / "build/test/page.mjs"), "dist": str(folder / "dist/webview")}
    seen = drive(at, "vscode_payloads.mjs", plan, tmp_path)["payloads"]
    assert seen["payloads"] >= 50 and seen["articles"] == 2 * seen["payloads"]
    assert seen["requests"] == [] and seen["dialogs"] == [] and seen["ran"] == 0
    assert seen["scripts"] == 1, "a script beside the page's own"
    assert seen["strange"] == [] and seen["handlers"] == [] and seen["places"] == []
    assert seen["opened"] == ["number"], "a citation is opened by its number alone"
    assert set(seen["sent"]) <= {"ready", "open", "thumb", "approve", "regenerate", "code", "mention"}
    assert seen["blocked"], "markup could be made of a string"
