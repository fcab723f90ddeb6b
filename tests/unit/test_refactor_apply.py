"""Writing edits to disk."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.errors import NotFound, PointsmanError
from pointsman.refactor.apply import apply
from pointsman.refactor.edits import file_edit
from pointsman.refactor.journal import recover
from pointsman.refactor.place import Place
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


def new_file(name: str = "pkg/new/c.py", text: str = "c = 1\n") -> FileEdit:
    return FileEdit(path=name, base_sha="", diff="", new_text=text)


def test_a_new_file_is_made_with_its_folders(root: Path) -> None:
    apply([edit(root), new_file()], root)
    assert (root / "pkg/new/c.py").read_text() == "c = 1\n" and (root / "pkg/a.py").read_text() == "a = 2\n"
    with pytest.raises(PointsmanError, match="there already"):
        apply([new_file()], root)


def test_a_new_file_and_its_folder_go_again_when_another_edit_fails(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(PointsmanError, match="nothing was changed"):
        apply([new_file(), edit(root)], root)
    assert leftovers(root) == ["a.py", "b.py"] and (root / "pkg/a.py").read_text() == "a = 1\n"


def test_a_new_file_behind_a_link_is_refused(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "pkg" / "new").symlink_to(outside)
    with pytest.raises(PointsmanError):
        apply([new_file()], root)
    (root / "pkg" / "d.py").symlink_to(outside / "d.py")
    with pytest.raises(PointsmanError):
        apply([new_file("pkg/d.py")], root)
    assert list(outside.iterdir()) == []


_KILLED = """
import os, signal, sys
from pathlib import Path
from pointsman.refactor.apply import apply
from tests.unit.test_refactor_apply import edit, new_file
root, journal, after = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def counted(real):
    def call(*args, **kwargs):
        global after
        if kwargs:  # a rename or link of the edits; the journal's own have no descriptors
            if after == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            after -= 1
        return real(*args, **kwargs)
    return call
os.replace, os.link = counted(os.replace), counted(os.link)
apply([edit(root), new_file(), edit(root, name="pkg/b.py", old="b = 1\\n", new="b = 2\\n")], root, journal)
"""


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_after_kill_9_between_renames_the_next_run_puts_everything_back(root: Path, tmp_path: Path, after: int) -> None:
    journal = tmp_path / "journal"
    command = [sys.executable, "-c", _KILLED, str(root), str(journal), str(after)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode
    assert ended == (0 if after == 3 else -9)
    assert (root / "pkg/a.py").read_text() == ("a = 1\n" if after == 0 else "a = 2\n")
    told = recover(journal)
    assert len(told) == (0 if after == 3 else after) and recover(journal) == ()
    wanted = "2" if after == 3 else "1"
    assert [(root / f"pkg/{name}.py").read_text() for name in "ab"] == [f"{name} = {wanted}\n" for name in "ab"]
    assert (root / "pkg/new/c.py").exists() == (after == 3)
    assert list(journal.glob("*.json")) == [] and list(root.rglob("*.tmp")) == []


def test_what_somebody_wrote_since_stays(root: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    command = [sys.executable, "-c", _KILLED, str(root), str(journal), "1"]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    (root / "pkg/a.py").write_text("mine\n")
    assert recover(journal) == ("pkg/a.py was changed since and stays as it is",)
    assert (root / "pkg/a.py").read_text() == "mine\n"


def test_what_cannot_be_put_back_now_is_tried_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"
    command = [sys.executable, "-c", _KILLED, str(root), str(journal), "1"]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=False)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Place, "restore", full)
        (line,) = recover(journal)
        assert "could not be put back" in line and str(journal) in line
        (file,) = journal.glob("*.json")
        os.utime(file, (1, 1))
        (line,) = recover(journal)
        assert "unrestored" in line and recover(journal) == ()
        file.with_suffix(".unrestored").rename(file)
    assert recover(journal) == ("pkg/a.py is as it was before an interrupted --apply",)
    assert (root / "pkg/a.py").read_text() == "a = 1\n" and recover(journal) == ()


def test_a_journal_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    (tmp_path / "x.json").chmod(0o600)
    assert recover(tmp_path) == () and [p.name for p in tmp_path.glob("x*")] == ["x.unreadable"]
