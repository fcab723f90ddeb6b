"""Writing edits to disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.errors import NotFound, PointsmanError
from pointsman.refactor.apply import apply
from pointsman.refactor.edits import file_edit
from pointsman.refactor.types import FileEdit
from tests.pipelines import snapshot


def edit(root: Path, name: str = "pkg/a.py", old: str = "a = 1\n", new: str = "a = 2\n") -> FileEdit:
    made = file_edit(snapshot(old, root=root, name=name), new)
    assert made is not None
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "a.py").write_text("a = 1\n")
    (root / "pkg" / "b.py").write_text("b = 1\n")
    return root


def leftovers(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "pkg").iterdir())


def test_it_writes_and_keeps_mode_bom_and_line_ends(root: Path) -> None:
    file = root / "pkg" / "a.py"
    old = "\ufeffa = 1\r\n"
    file.write_bytes(old.encode())
    file.chmod(0o750)
    apply([edit(root, old=old, new="\ufeffa = 2\r\n")], root)
    assert file.read_bytes() == b"\xef\xbb\xbfa = 2\r\n" and file.stat().st_mode & 0o777 == 0o750
    assert leftovers(root) == ["a.py", "b.py"]


def test_a_file_that_changed_is_refused(root: Path) -> None:
    made = edit(root)
    (root / "pkg" / "a.py").write_text("a = 3\n")
    with pytest.raises(PointsmanError, match="no longer"):
        apply([made], root)
    assert (root / "pkg" / "a.py").read_text() == "a = 3\n"


def test_all_or_nothing_when_one_was_changed(root: Path) -> None:
    stale = edit(root, name="pkg/b.py", old="b = 0\n", new="b = 2\n")
    with pytest.raises(PointsmanError):
        apply([edit(root), stale], root)
    assert (root / "pkg" / "a.py").read_text() == "a = 1\n"


def test_all_or_nothing_when_writing_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.replace, []

    def failing(*args: object, **kwargs: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(PointsmanError, match="nothing was changed"):
        apply([edit(root), edit(root, name="pkg/b.py", old="b = 1\n", new="b = 2\n")], root)
    assert (root / "pkg" / "a.py").read_text() == "a = 1\n" and (root / "pkg" / "b.py").read_text() == "b = 1\n"
    assert leftovers(root) == ["a.py", "b.py"]


def test_a_file_that_is_gone_is_not_found(root: Path) -> None:
    made = edit(root)
    (root / "pkg" / "a.py").unlink()
    with pytest.raises(NotFound):
        apply([made], root)


@pytest.mark.parametrize("path", ["../outside.py", "/etc/passwd", "pkg/../../outside.py", ""])
def test_paths_out_of_the_root_are_refused(root: Path, path: str) -> None:
    outside = root.parent / "outside.py"
    outside.write_text("a = 1\n")
    with pytest.raises(PointsmanError):
        apply([replace(edit(root), path=path)], root)
    assert outside.read_text() == "a = 1\n"


@pytest.mark.parametrize("where", ["file", "folder"])
def test_links_are_not_followed(root: Path, where: str) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("a = 1\n")
    if where == "file":
        (root / "pkg" / "a.py").unlink()
        (root / "pkg" / "a.py").symlink_to(outside / "a.py")
    else:
        (root / "pkg").rename(root / "old")
        (root / "pkg").symlink_to(outside)
    with pytest.raises(PointsmanError):
        apply([edit(root)], root)
    assert (outside / "a.py").read_text() == "a = 1\n"


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    made = edit(root)
    (root / "pkg" / "a.py").unlink()
    os.mkfifo(root / "pkg" / "a.py")
    with pytest.raises(PointsmanError):
        apply([made], root)
