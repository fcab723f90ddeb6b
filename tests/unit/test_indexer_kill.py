"""A process that is killed at any moment leaves an index that the next update makes right.

`POINTSMAN_KILLS=200` kills two hundred times; a few are enough for every day. A failure names its seed:
`POINTSMAN_SEED` kills at the same calls again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman_indexer import HashEmbedder, Index
from pointsman_indexer.terms import query_vector
from tests.unit.indexer_repo import Repo, function, state

KILLS = int(os.environ.get("POINTSMAN_KILLS", "8"))
SEED = int(os.environ.get("POINTSMAN_SEED") or random.SystemRandom().randrange(1_000_000))
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
QUERIES = ("new_3", "old_8", "old_11", "added", "old_3 old_10", "kept", "excluded_canary")


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


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index built at once of what the repository comes to."""
    folder = tmp_path_factory.mktemp("scratch")
    repo, _ = build(folder)
    with Index.open(repo.root, folder / "fresh", HashEmbedder(32), exclude=["excluded/"]) as index:
        index.update()
        yield index


def content(index: Index) -> tuple[object, ...]:
    """All that two indexes of the same files have in common: all that can be asked of them. Scores are rounded, for in
    which order a store adds up terms depends on when it first saw them."""
    chunks = dict(index._catalog.all_chunks())
    symbols = {path: index._catalog.symbols(path) for path in {one.path for one in chunks.values()}}
    store = index._stores.live
    words = {query: _rounded(store.lexical(query_vector(query), 100)) for query in QUERIES}
    vectors = HashEmbedder(32).embed(QUERIES, kind="query")
    meaning = {query: dict(store.dense(vector, 100)) for query, vector in zip(QUERIES, vectors, strict=True)}
    hits = {query: index.search(query, 20) for query in QUERIES}
    return chunks, symbols, words, meaning, hits, index.counts()


def _rounded(found: list[tuple[str, float]]) -> dict[str, float]:
    return {id_: round(value, 4) for id_, value in found}


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_anywhere_the_next_update_heals(tmp_path: Path, calls: int, scratch: Index, part: int) -> None:
    repo, data = build(tmp_path)
    at = random.Random(f"{SEED} {part}").randrange(calls * part // KILLS + 1, calls * (part + 1) // KILLS)
    moment = f"killed at call {at} of {calls}, POINTSMAN_SEED={SEED}"
    killed = run(repo, data, at)
    assert killed.returncode == -signal.SIGKILL, f"{moment}: {killed.stderr}"
    with Index.open(repo.root, data, HashEmbedder(32), exclude=["excluded/"]) as index:
        index.update()
        catalogue, store = state(index)
        assert catalogue == store, moment
        assert not index._catalog.unread() and index._catalog.waiting_count() == (0, 0)
        assert content(index) == content(scratch), moment
    for file in data.rglob("*"):
        assert not file.is_file() or b"excluded_canary" not in file.read_bytes(), moment
