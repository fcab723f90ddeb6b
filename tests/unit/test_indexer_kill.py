"""A process that is killed at any moment leaves an index that the next update makes right."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman_indexer import HashEmbedder, Index
from tests.unit.indexer_repo import Repo, function, state

CHILD = """
import os, signal, sys
from pathlib import Path
from pointsman_indexer import HashEmbedder, Index

root, data, at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
seen = 0

def count(frame, event, argument):
    global seen
    if "pointsman_indexer" in frame.f_code.co_filename:
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

with Index.open(root, data, HashEmbedder(32), exclude=["excluded/"]) as index:
    sys.setprofile(count)
    index.update()
    sys.setprofile(None)
print(seen)
"""


def build(folder: Path) -> tuple[Repo, Path]:
    """A repository that was indexed, and then changed in every way."""
    repo = Repo(folder / "repo")
    for number in range(12):
        repo.write(f"f{number}.py", function(f"old_{number}", f"return {number}") + function(f"kept_{number}"))
    repo.write("excluded/x.py", function("excluded_canary"))
    data = folder / "data"
    with Index.open(repo.root, data, HashEmbedder(32)) as index:
        index.update()
    for number in range(6):
        repo.write(f"f{number}.py", function(f"new_{number}", f"return -{number}") + function(f"kept_{number}"))
    (repo.root / "f10.py").unlink()
    (repo.root / "f11.py").rename(repo.root / "moved.py")
    repo.write("added.py", function("added"))
    return repo, data


def run(repo: Repo, data: Path, at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(repo.root), str(data), str(at)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many calls, in and out of the library, the update makes."""
    repo, data = build(tmp_path_factory.mktemp("whole"))
    done = run(repo, data, 0)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("part", range(8))
def test_killed_anywhere_the_next_update_heals(tmp_path: Path, calls: int, part: int) -> None:
    repo, data = build(tmp_path)
    at = random.SystemRandom().randrange(calls * part // 8 + 1, calls * (part + 1) // 8)
    killed = run(repo, data, at)
    assert killed.returncode == -signal.SIGKILL, f"call {at} of {calls}: {killed.stderr}"
    with Index.open(repo.root, data, HashEmbedder(32), exclude=["excluded/"]) as index:
        report = index.update()
        catalogue, store = state(index)
        assert catalogue == store, f"killed at call {at} of {calls}"
        assert report.files == 12 and not index._catalog.has_dirty()
        for name, path in (("new_3", "f3.py"), ("old_8", "f8.py"), ("old_11", "moved.py"), ("added", "added.py")):
            hit = index.search(name, 1)[0]
            assert (hit.symbol, hit.path, hit.fresh) == (name, path, True), f"killed at call {at} of {calls}"
        assert all(hit.symbol not in ("old_3", "old_10", "excluded_canary") for hit in index.search("old_3 old_10", 50))
    for file in data.rglob("*"):
        assert not file.is_file() or b"excluded_canary" not in file.read_bytes(), f"killed at call {at} of {calls}"
