"""Fixtures of the tests in real editors: the editors, a home with the real models, and one with fixed suggestions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.conftest import Home, home, make_home, repository

from .bring import Unavailable
from .neovim_editor import Neovim, headless, init_file, on_screen
from .neovim_install import Editors, Program, editors, older_neovim

__all__ = ["Fixed", "Open", "fixed", "fixed_home", "home", "installed", "nvim", "older_program", "repository"]

SERVE = [sys.executable, "-m", "pointsman", "serve"]
OWN = """\
version = 1
[[own.endpoints]]
name = "fixed"
base_url = "{url}"
kind = "openai"
model = "fixed"
"""
Open = Callable[..., AbstractContextManager[Neovim]]


@pytest.fixture(scope="session")
def installed() -> Editors:
    try:
        return editors()
    except Unavailable as reason:
        pytest.skip(f"no editors to test with: {reason}")


def older_program(version: str) -> Program:
    try:
        return older_neovim(version)
    except Unavailable as reason:
        pytest.skip(f"no Neovim {version} to test with: {reason}")


@pytest.fixture
def nvim(installed: Editors, home: Home, repository: Path, tmp_path: Path) -> Open:
    """Opens Neovim on a file of the repository, by the plugin and the real server. `terminal` gives it a screen,
    `older` is the version of one that is not current."""

    @contextmanager
    def start(
        file: str = "shop/cart.py", *, at: Home = home, terminal: bool = False, extra: str = "", older: str = ""
    ) -> Iterator[Neovim]:
        folder = tmp_path / f"nvim{len(list(tmp_path.glob('nvim*')))}"
        folder.mkdir()
        init = init_file(folder, SERVE, extra)
        place = (init, repository / file, at.environment, repository)
        program = older_program(older) if older else installed.neovim
        opened = on_screen(program, installed.tmux, *place) if terminal else headless(program, *place)
        with opened as editor:
            editor.wait("the server", "(require('pointsman.client').all()[1] or {}).initialized == true")
            yield editor

    return start


class Fixed:
    """A home whose completions come from a loopback server. `answers` has texts for what a prompt holds, one after
    another for the same prompt; `author`, when there is one, is asked instead and may take its time."""

    def __init__(self, at: Home) -> None:
        self.home = at
        self.answers: dict[str, list[str]] = {}
        self.author: Callable[[str], str] | None = None

    def respond(self, request: Request) -> Response:
        prompt = str(request.get_json()["prompt"])
        text = self.author(prompt) if self.author else self._known(prompt)
        events = [{"choices": [{"text": text, "index": 0}]}, {"choices": [{"text": "", "finish_reason": "stop"}]}]
        stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return Response(stream, content_type="text/event-stream")

    def _known(self, prompt: str) -> str:
        known = next((self.answers[part] for part in sorted(self.answers, key=len)[::-1] if part in prompt), [""])
        known.append(known.pop(0))
        return known[-1]


@pytest.fixture(scope="session")
def fixed_home(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Fixed]:
    made = Fixed(make_home(tmp_path_factory.mktemp("fixed") / "p", models_dir, POINTSMAN_ENGINE="own"))
    with HTTPServer(threaded=True) as server:
        server.expect_request("/v1/completions").respond_with_handler(made.respond)
        (made.home.path / "config").mkdir()
        (made.home.path / "config" / "policy.toml").write_text(OWN.format(url=server.url_for("/v1")))
        yield made
        made.home.run("host", "stop", code=None)


@pytest.fixture
def fixed(fixed_home: Fixed) -> Fixed:
    fixed_home.answers = {}
    fixed_home.author = None
    return fixed_home
