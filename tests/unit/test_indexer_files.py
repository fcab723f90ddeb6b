"""Which files there are, and reading them without being led astray."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from pathlib import Path

import pytest

import pointsman_indexer.git
from pointsman_indexer import Exclusions, find_root
from pointsman_indexer.errors import IndexerError
from pointsman_indexer.files import blob_id, read
from pointsman_indexer.git import revision
from pointsman_indexer.listing import Walk, look, walk
from tests.unit.indexer_repo import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def names(root: Path, *patterns: str) -> list[str]:
    return [entry.path for entry in walk(root, Exclusions(root, patterns)).files]


def test_tracked_and_untracked_but_not_ignored(repo: Repo) -> None:
    repo.write("a.py", "a")
    repo.write(".gitignore", "*.log\nbuild/\n")
    repo.commit()
    repo.write("new/ü b.py", "b")
    repo.write("x.log", "no")
    repo.write("build/out.py", "no")
    (repo.root / "gone.py").write_text("")
    repo.git("add", "gone.py")
    (repo.root / "gone.py").unlink()
    assert names(repo.root) == [".gitignore", "a.py", "new/ü b.py"]


def test_reasons_for_skipping(repo: Repo, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("no")
    repo.write("ok.py", "")
    repo.write(".env", "no")
    repo.write("big.py", b"x" * (1024 * 1024 + 1))
    repo.write("package-lock.json", "{}")
    (repo.root / "link.py").symlink_to(outside / "secret.py")
    (repo.root / "folder").symlink_to(outside)
    os.mkfifo(repo.root / "pipe.py")
    Repo(repo.root / "inner").write("x.py", "no")
    Repo(repo.root / ".aws").write("credentials", "no")
    found = walk(repo.root, Exclusions(repo.root))
    assert [entry.path for entry in found.files] == ["ok.py"]
    assert found.skipped == {"excluded": 2, "too_large": 1, "generated": 1, "symlink": 2, "submodule": 1}
    assert found.places == {
        "submodule": ["inner/"],
        "too_large": ["big.py"],
        "generated": ["package-lock.json"],
        "symlink": ["folder", "link.py"],
    }, "and nothing of what is excluded"


def test_a_tracked_folder_that_became_a_link_is_not_followed(repo: Repo, tmp_path: Path) -> None:
    repo.write("d/a.py", "mine")
    repo.commit()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("theirs")
    (repo.root / "d" / "a.py").unlink()
    (repo.root / "d").rmdir()
    (repo.root / "d").symlink_to(outside)
    assert names(repo.root) == []
    assert read(repo.root, "d/a.py") is None


def test_reading_refuses_links_and_pipes(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("theirs")
    (repo.root / "link").symlink_to(tmp_path / "x")
    os.mkfifo(repo.root / "pipe")
    assert read(repo.root, "link") is None
    assert read(repo.root, "pipe") is None
    assert read(repo.root, "missing") is None


def test_blob_ids_are_gits(repo: Repo) -> None:
    repo.write("a.py", "print()\n")
    found = read(repo.root, "a.py")
    assert found is not None
    assert found.blob == repo.git("hash-object", "a.py").strip() == blob_id(b"print()\n")


def test_git_runs_nothing_that_the_repository_configures(repo: Repo) -> None:
    repo.write("a.py", "a")
    repo.commit()
    mark = repo.root / "ran"
    script = repo.write(".git/evil", f"#!/bin/sh\ntouch '{mark}'\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "filter.x.clean", "filter.x.process", "core.sshCommand", "core.pager", "core.editor"):
        repo.git("config", key, str(script))
    repo.write(".gitattributes", "* filter=x\n")
    hooks = repo.root / ".git" / "hooks"
    for hook in ("post-index-change", "post-checkout", "fsmonitor-watchman"):
        (hooks / hook).write_bytes(script.read_bytes())
        (hooks / hook).chmod(0o755)
    repo.write("a.py", "other")
    assert names(repo.root) == [".gitattributes", "a.py"]
    assert revision(repo.root)
    assert not mark.exists()


def test_a_hooks_environment_does_not_lead_to_another_repository(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("mine.py", "")
    other = Repo(tmp_path / "other")
    other.write("theirs.py", "")
    other.commit()
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git" / "index"))
    assert names(repo.root) == ["mine.py"]
    assert revision(repo.root) == ""


def test_without_git_the_ignore_files_still_hold(tmp_path: Path) -> None:
    for path in (
        "a.py",
        "sub/b.py",
        "sub/keep.log",
        "sub/no.log",
        "no.log",
        "node_modules/x/i.js",
        "sub/out/o.py",
        ".env",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "sub" / ".gitignore").write_text("!keep.log\n/out/\n")
    found = walk(tmp_path, Exclusions(tmp_path))
    assert not found.by_git
    assert sorted(entry.path for entry in found.files) == [
        *(".gitignore", "a.py", "sub/.gitignore", "sub/b.py", "sub/keep.log"),
    ]


def test_where_git_refuses_the_folder_is_walked(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("a.py", "")
    repo.write("b.log", "")
    repo.write(".gitignore", "*.log\n")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    refused = subprocess.run(["git", "ls-files"], cwd=repo.root, capture_output=True, text=True, check=False)
    assert "dubious ownership" in refused.stderr
    found = walk(repo.root, Exclusions(repo.root))
    assert not found.by_git
    assert [entry.path for entry in found.files] == [".gitignore", "a.py"]


@pytest.mark.parametrize("place", [".gitignore", "sub/.gitignore", ".git/info/exclude"])
def test_a_pipe_among_the_files_that_git_opens_keeps_nobody_waiting(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    repo.write("sub/a.py", "")
    (repo.root / place).unlink(missing_ok=True)
    os.mkfifo(repo.root / place)
    monkeypatch.setattr("pointsman_indexer.git._SECONDS", 1)
    done: queue.Queue[Walk] = queue.Queue()

    def twice() -> None:
        for _ in range(2):
            done.put(walk(repo.root, Exclusions(repo.root)))

    threading.Thread(target=twice, daemon=True).start()  # it would wait in `open`, for ever
    for found in (done.get(timeout=60), done.get(timeout=60)):
        assert not found.by_git
        assert [entry.path for entry in found.files] == ["sub/a.py"]
    assert (repo.root in pointsman_indexer.git._stuck) == (place == "sub/.gitignore")


def test_a_linked_gitignore_ignores_nothing_without_git_either(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("*.py\n")
    (tmp_path / "a.py").write_text("")
    (tmp_path / ".gitignore").symlink_to("list")
    assert names(tmp_path) == ["a.py", "list"]


def test_a_hard_link_is_judged_by_its_own_name(repo: Repo) -> None:
    """What docs/security.md says under its limits: as with a copy, nothing tells it from a file of its own."""
    repo.write("private/x.py", "a = 1\n")
    (repo.root / "copy.py").hardlink_to(repo.root / "private" / "x.py")
    assert names(repo.root, "private/") == ["copy.py"]


def test_names_that_are_not_utf8_are_skipped(repo: Repo) -> None:
    Path(os.fsdecode(os.fsencode(repo.root) + b"/\xff.py")).write_text("")
    found = walk(repo.root, Exclusions(repo.root))
    assert found.files == [] and found.skipped == {"unreadable": 1}
    hidden = walk(repo.root, Exclusions(repo.root, ["*.py"]))
    assert hidden.skipped == {"excluded": 1} and not hidden.places


def test_roots(repo: Repo, tmp_path: Path) -> None:
    file = repo.write("a/b/c.py", "")
    repo.commit()
    assert find_root(file) == find_root(file.parent) == find_root(repo.root) == repo.root
    repo.git("worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    assert find_root(tmp_path / "tree" / "a" / "b" / "c.py") == tmp_path / "tree"
    library = Repo(tmp_path / "library")
    library.write("l.py", "")
    library.commit()
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "vendor/lib")
    assert find_root(repo.root / "vendor" / "lib" / "l.py") == repo.root / "vendor" / "lib"
    assert names(repo.root / "vendor" / "lib") == ["l.py"]
    assert names(tmp_path / "tree") == ["a/b/c.py"]
    lonely = tmp_path / "lonely" / "x.py"
    lonely.parent.mkdir()
    lonely.write_text("")
    assert find_root(lonely) == lonely.parent


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(IndexerError, match="not a folder"):
        walk(tmp_path / "missing", Exclusions(tmp_path))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")
def test_the_kernels_own_files_are_not_read() -> None:
    assert Path("/proc/self/environ").read_bytes()
    assert read(Path("/proc/self").resolve(), "environ") is None


def with_submodule(repo: Repo, tmp_path: Path) -> None:
    library = Repo(tmp_path / "library")
    library.write("lib/code.py", "")
    library.write(".gitignore", "*.log\n")
    library.commit()
    repo.write("own.py", "")
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "vendor/lib")
    repo.commit()
    repo.write("vendor/lib/new.py", "")
    repo.write("vendor/lib/noise.log", "")


def test_a_submodule_belongs_to_the_repository(repo: Repo, tmp_path: Path) -> None:
    with_submodule(repo, tmp_path)
    found = walk(repo.root, Exclusions(repo.root))
    inner = [f"vendor/lib/{path}" for path in (".gitignore", "lib/code.py", "new.py")]
    assert [entry.path for entry in found.files] == [".gitmodules", "own.py", *inner]
    assert names(repo.root, "vendor/lib/") == [".gitmodules", "own.py"]
    repo.git("submodule", "deinit", "-q", "-f", "vendor/lib")
    found = walk(repo.root, Exclusions(repo.root))
    assert [entry.path for entry in found.files] == [".gitmodules", "own.py"] and found.skipped == {"submodule": 1}


def test_links_within_the_root_leave_nothing_out(repo: Repo) -> None:
    repo.write("pkg/real.py", "")
    repo.write(".gitignore", "built/\n")
    repo.write("built/made.py", "")
    (repo.root / "alias.py").symlink_to("pkg/real.py")
    (repo.root / "folder").symlink_to("pkg")
    (repo.root / "pkg" / "up").symlink_to("..")
    (repo.root / "ignored").symlink_to("built")
    (repo.root / "broken").symlink_to("nowhere")
    found = walk(repo.root, Exclusions(repo.root))
    assert [entry.path for entry in found.files] == [".gitignore", "pkg/real.py"]
    assert found.skipped == {"symlink": 2}


def seen(root: Path, *paths: str, known: tuple[str, ...] = ()) -> list[str]:
    return [entry.path for entry in look(root, paths, known, Exclusions(root)).files]


def test_looking_at_paths_finds_what_a_walk_would(repo: Repo, tmp_path: Path) -> None:
    with_submodule(repo, tmp_path)
    repo.write(".gitignore", "*.log\n")
    repo.write("d/a.py", "")
    repo.write("d/e/b.py", "")
    repo.write("d/x.log", "")
    repo.write("d/.env", "")
    Repo(repo.root / "foreign").write("x.py", "")
    (repo.root / "link.py").symlink_to("own.py")
    everything = [entry.path for entry in walk(repo.root, Exclusions(repo.root)).files]
    for path in everything:
        assert seen(repo.root, path) == seen(repo.root, path, known=(path,)) == [path]
    assert seen(repo.root, "d", "d/e", "gone.py") == ["d/a.py", "d/e/b.py"]
    assert seen(repo.root, "vendor/lib/lib") == ["vendor/lib/lib/code.py"]
    strangers = ("d/x.log", "d/.env", "foreign/x.py", "link.py", "vendor/lib/noise.log", "[d]/a.py", ":(top)own.py")
    assert seen(repo.root, *strangers) == []


def test_looking_at_paths_without_git(tmp_path: Path) -> None:
    for path in ("a/b.py", "a/c.log", "other.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert seen(tmp_path, "a") == seen(tmp_path, "a/b.py", "a/c.log") == ["a/b.py"]
