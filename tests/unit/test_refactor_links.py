"""A link in a repository leads nowhere else, for reading into a prompt as for writing; one within it stays usable."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pointsman.cli.app import main
from pointsman.errors import PointsmanError, UsageError
from pointsman.ondisk import real, snapshot_of
from pointsman.refactor.types import Part, RefactorQuery
from pointsman.refactor.work import work_of
from tests.pipelines import rules, snapshot


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "pkg").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / "pkg" / "a.py").write_text("x = 1\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "theirs.py").write_text("y = 2\n")
    return root


@pytest.mark.parametrize("way", ["file", "folder", "chain", "relative", "another repository", "from outside"])
def test_a_link_out_of_its_repository_is_refused(repo: Path, tmp_path: Path, way: str) -> None:
    out, link = tmp_path / "out", repo / "link.py"
    path = link
    if way == "file":
        link.symlink_to(out / "theirs.py")
    elif way == "relative":
        link.symlink_to("pkg/../../out/theirs.py")
    elif way == "chain":
        (repo / "next.py").symlink_to(out / "theirs.py")
        link.symlink_to("next.py")
    elif way == "from outside":
        link.symlink_to(out / "theirs.py")
        path = tmp_path / "mine.py"
        path.symlink_to(link)
    else:
        if way == "another repository":
            subprocess.run(["git", "init", "-q", out], check=True)
        (repo / "folder").symlink_to(out)
        path = repo / "folder" / "theirs.py"
    for root in (None, repo, tmp_path):
        with pytest.raises(UsageError, match="is a link out of repo") as refused:
            snapshot_of(path, root)
        assert str(out) in refused.value.remedy
    assert snapshot_of(out / "theirs.py").text == "y = 2\n"


def test_links_that_stay_and_ways_to_the_repository_are_followed(repo: Path, tmp_path: Path) -> None:
    (repo / "same.py").symlink_to("pkg/a.py")
    (repo / "inner").symlink_to("pkg")
    (tmp_path / "work").symlink_to(repo)
    (tmp_path / "elsewhere").symlink_to("out")
    file = repo / "pkg" / "a.py"
    for path in (repo / "same.py", repo / "inner" / "a.py", tmp_path / "work" / "same.py", repo / "pkg/../same.py"):
        assert real(path) == file and snapshot_of(path).relative == "pkg/a.py"
    assert snapshot_of(tmp_path / "elsewhere" / "theirs.py").text == "y = 2\n"  # a folder of the user's own
    assert real(repo / "none.py") == repo / "none.py"


def test_without_a_repository_a_file_that_is_a_link_stays_in_its_folder(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "link.py").symlink_to("../repo/pkg/a.py")
    (tmp_path / "out" / "same.py").symlink_to("theirs.py")
    with pytest.raises(UsageError, match="out of out"):
        snapshot_of(tmp_path / "out" / "link.py")
    assert snapshot_of(tmp_path / "out" / "same.py").text == "y = 2\n"


def test_a_circle_of_links_is_told(repo: Path) -> None:
    (repo / "one").symlink_to("two")
    (repo / "two").symlink_to("one")
    with pytest.raises(UsageError, match="circle"):
        real(repo / "one")


def test_what_an_editor_has_open_through_a_link_is_not_changed_either(repo: Path, tmp_path: Path) -> None:
    (repo / "link.py").symlink_to(tmp_path / "out" / "theirs.py")
    part = Part(snapshot=snapshot("y = 2\n", root=repo, name="link.py"), start_line=1, end_line=1)
    with pytest.raises(UsageError, match="link out of"):
        work_of(RefactorQuery(parts=(part,), instruction="double it"), rules)


@pytest.mark.parametrize("command", [["refactor", "link.py", "double it", "--apply"], ["complete", "link.py:1:1"]])
def test_a_command_refuses_it_as_a_usage_error(
    repo: Path,
    tmp_path: Path,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(repo)
    (repo / "link.py").symlink_to(tmp_path / "out" / "theirs.py")
    with pytest.raises(SystemExit) as ended:
        main(command)
    shown = capsys.readouterr()
    assert ended.value.code == 2 and shown.out == "" and len(shown.err.strip().splitlines()) == 1
    assert (tmp_path / "out" / "theirs.py").read_text() == "y = 2\n"


def test_a_name_that_cannot_be_looked_at_is_an_error_in_words(repo: Path) -> None:
    with pytest.raises(PointsmanError, match="cannot be read: File name too long"):
        real(repo / ("x" * 300))
