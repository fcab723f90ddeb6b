"""`pointsman search` asks for a question's hits to be read, and shows what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pointsman.cli import search as search_command
from pointsman.cli.app import cli
from pointsman.cli.common import Cli
from pointsman.host.api import SearchParams, SearchReply
from tests.cli_services import serve
from tests.pipelines import hit


def test_a_search_lets_a_question_be_read_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[SearchParams] = []

    class Host:
        async def search(self, params: SearchParams) -> SearchReply:
            asked.append(params)
            return SearchReply(root=str(tmp_path), hits=(hit("shop/cart.py", "def total():\n    ..."),), note="not all")

    async def known(*_: Any) -> None: ...

    serve(monkeypatch, Host())
    monkeypatch.setattr(search_command, "update_index", known)
    arguments = ("search", "where is the total?", "--path", str(tmp_path), "-k", "3", "--lang", "py")
    result = CliRunner().invoke(cli, arguments, obj=Cli())
    assert result.exception is None and "shop/cart.py:1-" in result.stdout and "not all" in result.stderr
    assert [(one.closely, one.k, one.language) for one in asked] == [("questions", 3, "py")]


def test_a_name_that_breaks_lines_stays_on_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Host:
        async def search(self, _: SearchParams) -> SearchReply:
            return SearchReply(root=str(tmp_path), hits=(hit("odd\nname\t.py", "def total():\n    ..."),))

    async def known(*_: Any) -> None: ...

    serve(monkeypatch, Host())
    monkeypatch.setattr(search_command, "update_index", known)
    result = CliRunner().invoke(cli, ("search", "total", "--path", str(tmp_path)), obj=Cli())
    assert result.stdout.startswith("odd\\u000aname\\u0009.py:1-") and "\n    def total" in result.stdout
