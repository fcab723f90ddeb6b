"""Ten characters a second in a real VS Code workbench, while answers come early, late and out of order."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.e2e.conftest import Home

from .neovim_fixtures import OWN, Fixed
from .test_neovim_typing import TEXT, Author, long_file
from .test_vscode_workbench import bench, run_session, vsix, went_well
from .workbench_install import Workbench

pytestmark = pytest.mark.model


def test_nothing_that_was_is_shown_again_and_no_bracket_twice(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path
) -> None:
    with HTTPServer(threaded=True) as server:

        def prepare(home: Home, folder: Path) -> None:
            author = Fixed(home)
            author.author = Author(TEXT)
            server.expect_request("/v1/completions").respond_with_handler(author.respond)
            home.environment["POINTSMAN_ENGINE"] = "own"
            (home.path / "config").mkdir()
            (home.path / "config" / "policy.toml").write_text(OWN.format(url=server.url_for("/v1")))
            (folder / "long.py").write_text(long_file(5000))

        typing = {"file": "long.py", "text": TEXT.rstrip("\n"), "every": 100, "pause": 150}
        session = run_session(
            tmp_path,
            models_dir,
            bench,
            vsix,
            ["ready", "walkthrough", "typing"],
            prepare=prepare,
            machine={"editor.autoIndent": "none"},
            typing=typing,
        )
    seen = went_well(session)["typing"]
    assert seen["text"] == long_file(5000) + TEXT.rstrip("\n")
    shown = [line for line in seen["seen"] if line]
    assert len(shown) > 3, "there was hardly any ghost text"
    assert len(set(shown)) == len(shown), "came back after something newer"
    doubled = [line + more for line in TEXT.splitlines() for more in ")]}"]
    assert not [line for line in shown if line.startswith(tuple(doubled))]
