"""`pointsman index` names what it skips, and says where nothing is there to be indexed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.app import cli
from pointsman.cli.common import Cli
from pointsman.errors import UsageError
from pointsman.host.api import IndexParams, IndexReport, SearchParams, SearchReply
from tests.cli_services import serve

EMPTY = IndexReport(
    root="/", files=0, chunks=0, skipped={}, seconds=0, embedded=0, reused=0, model="", revision="", notes={}
)


def run(monkeypatch: pytest.MonkeyPatch, root: Path, *options: str, **skipped: tuple[int, tuple[str, ...]]) -> Result:
    report = replace(
        EMPTY,
        root=str(root),
        files=1,
        skipped={reason: count for reason, (count, _) in skipped.items()},
        skipped_paths={reason: paths for reason, (_, paths) in skipped.items() if paths},
    )

    class Host:
        async def index(self, _: Any) -> AsyncGenerator[IndexReport, None]:
            yield report

    serve(monkeypatch, Host())
    result = CliRunner().invoke(cli, ("index", str(root), *options), obj=Cli())
    assert result.exception is None, result.exception
    return result


def test_the_few_that_one_would_expect_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = (2, ("a.bin", "b.bin"))
    plain = run(monkeypatch, tmp_path, binary=binary, too_large=(1, ("big\nfile.py",)), excluded=(1, ()))
    assert "skipped, too large: big\\u000afile.py\n" in plain.stdout and "a.bin" not in plain.stdout
    told = run(monkeypatch, tmp_path, "-v", binary=binary, excluded=(1, ()))
    assert "skipped, binary: a.bin\nskipped, binary: b.bin\n" in told.stdout and "skipped, excluded" not in told.stdout
    many = (30, tuple(f"{number}.sql" for number in range(20)))
    assert "0.sql" not in run(monkeypatch, tmp_path, too_large=many).stdout
    assert "skipped, too large: and 10 more" in run(monkeypatch, tmp_path, "-v", too_large=many).stdout
    whole = run(monkeypatch, tmp_path, "--json", binary=binary)
    assert '"skipped_paths": {"binary": ["a.bin", "b.bin"]}' in whole.stdout


def tried(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[Result, list[str]]:
    """What a command says, and the folders that were indexed for it."""
    indexed: list[str] = []

    class Host:
        async def index(self, params: IndexParams) -> AsyncGenerator[IndexReport, None]:
            indexed.append(params.path)
            yield EMPTY

        async def search(self, params: SearchParams) -> SearchReply:
            return SearchReply(root="/", hits=())

    serve(monkeypatch, Host())
    return CliRunner().invoke(cli, arguments, obj=Cli()), indexed


@pytest.mark.parametrize("where", ["home", "around", "/"])
def test_a_home_or_more_is_taken_only_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (home := tmp_path / "around" / "me").mkdir(parents=True)
    (home / "notes.txt").write_text("x")
    folder = {"home": home, "around": home.parent, "/": Path("/")}[where]
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(folder)
    for arguments, naming in ((("index",), str(folder)), (("search", "foo"), f"--path {folder}")):
        result, indexed = tried(monkeypatch, *arguments)
        assert isinstance(result.exception, UsageError) and indexed == []
        assert result.exception.remedy.endswith(f"name it: {naming}")
        result, indexed = tried(monkeypatch, *arguments, *naming.split())
        assert result.exception is None and indexed == [str(folder)] and "no repository" not in result.stderr
    if where == "home":
        result, indexed = tried(monkeypatch, "index", "notes.txt")
        assert isinstance(result.exception, UsageError) and indexed == []


def test_a_folder_without_a_repository_is_named_when_it_is_taken_unnamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("")
    result, indexed = tried(monkeypatch, "index", str(tmp_path / "a.py"))
    assert indexed and f"the whole folder {tmp_path} is taken" in result.stderr
    assert "taken" not in tried(monkeypatch, "index", str(tmp_path))[0].stderr
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert "taken" not in tried(monkeypatch, "index", str(tmp_path / "a.py"))[0].stderr


def test_a_command_that_is_nearly_right_is_named() -> None:
    result = CliRunner().invoke(cli, ("indx",), obj=Cli())
    assert result.exit_code == 2 and "Did you mean 'index'?" in result.stderr
    assert "Did you mean" not in CliRunner().invoke(cli, ("qqqqqq",), obj=Cli()).stderr


@pytest.mark.parametrize("group", ["models", "policy", "audit", "host", "eval", "bench"])
def test_no_summary_is_cut(group: str) -> None:
    shown = CliRunner().invoke(cli, (group, "--help"), obj=Cli()).stdout
    assert "..." not in shown.partition("Commands:")[2]
