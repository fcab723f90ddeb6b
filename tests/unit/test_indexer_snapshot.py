"""Snapshots: a round trip embeds nothing, and what is wrong, old, foreign or hostile changes nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman_indexer import Index, IndexerError, parsing
from pointsman_indexer.dense import model_of
from pointsman_indexer.errors import SnapshotInvalid
from pointsman_indexer.snapshot import Import
from tests.unit.indexer_repo import CountingEmbedder, Repo, function, state
from tests.unit.test_indexer_kill import QUERIES, SEED, content

Rows = list[dict[str, Any]]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    for number in range(12):
        made.write(f"f{number}.py", function(f"old_{number}", f"return {number}") + function(f"kept_{number}"))
    made.write("use.py", "from f3 import old_3\n\n\nclass Kept:\n    def ask(self):\n        return old_3(1)\n")
    made.write("README.md", "# Shop\n\nHow to sell.\n")
    made.write("page.ts", "export function render(cart: Cart): string {\n  return paint(cart);\n}\n")
    made.write("latin.txt", b"caf\xe9 au lait")
    made.write("secret/keys.py", function("excluded_canary"))
    made.commit()
    return made


@pytest.fixture
def snapshot(repo: Repo, tmp_path: Path) -> Path:
    file = tmp_path / "team.snapshot"
    with Index.open(repo.root, tmp_path / "theirs", CountingEmbedder(32)) as index:
        index.update()
        write(index, file)
    return file


def write(index: Index, file: Path) -> int:
    export = index.export(file)
    try:
        while index.export_step(export):
            pass
    finally:
        export.close()
    return export.versions


def take(index: Index, file: Path) -> int:
    snapshot = Import(file, model_of(index._embedder))
    try:
        snapshot.check()
        while index.import_step(snapshot):
            pass
    finally:
        snapshot.close()
    return snapshot.taken


def opened(repo: Repo, data: Path, *exclude: str) -> Index:
    return Index.open(repo.root, data, CountingEmbedder(32), exclude=exclude)


def changed(
    snapshot: Path, rows: Callable[[Rows], Rows] = lambda own: own, members: dict[str, bytes] | None = None, **told: Any
) -> Path:
    """The snapshot with other rows, another manifest or other members; all hashes are right again."""
    with tarfile.open(snapshot) as tar:
        data = {one.name: tar.extractfile(one).read() for one in tar if tar.extractfile(one)}  # type: ignore[union-attr]
    manifest = json.loads(data.pop("manifest.json"))
    own = rows([json.loads(line) for line in gzip.decompress(data["versions.jsonl.gz"]).splitlines()])
    data["versions.jsonl.gz"] = gzip.compress("".join(json.dumps(one) + "\n" for one in own).encode())
    data |= members or {}
    manifest["members"] = {
        name: {"size": len(one), "sha256": hashlib.sha256(one).hexdigest()} for name, one in data.items()
    }
    manifest |= {"versions": len(own)} | told
    target = snapshot.with_name("changed.snapshot")
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, one in {"manifest.json": json.dumps(manifest).encode(), **data}.items():
            head = tarfile.TarInfo(name)
            head.size = len(one)
            tar.addfile(head, io.BytesIO(one))
    return target


def forbidden(*_: object) -> None:
    raise AssertionError("it was parsed")


def test_a_round_trip_embeds_nothing_parses_nothing_and_finds_the_same(
    repo: Repo, snapshot: Path, tmp_path: Path
) -> None:
    assert snapshot.stat().st_mode & 0o777 == 0o600
    (repo.root / "latin.txt").unlink()  # read with replacements: such a file is parsed again
    with opened(repo, tmp_path / "theirs") as theirs, opened(repo, tmp_path / "ours") as ours:
        theirs.update()
        assert take(ours, snapshot) == 16
        ours._embedder.embed = forbidden  # type: ignore[method-assign,assignment]
        report = ours.update()
        assert (report.embedded, report.files, report.chunks) == (0, *theirs.counts())
        del ours._embedder.embed  # type: ignore[attr-defined]
        assert content(ours) == content(theirs)
        assert state(ours)[0] == state(ours)[1] == state(theirs)[0]
        for query in (*QUERIES, "how to sell", "render"):
            assert ours.search(query, 20) == theirs.search(query, 20)
        assert ours.uses("f3.py", "old_3") == theirs.uses("f3.py", "old_3") != []
        assert ours.repository_map(500) == theirs.repository_map(500)


def test_nothing_of_a_taken_file_is_parsed(
    repo: Repo, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo.root / "latin.txt").unlink()
    with opened(repo, tmp_path / "ours") as ours:
        take(ours, snapshot)
        monkeypatch.setattr("pointsman_indexer.pool._Child.parse", forbidden)
        assert ours.update().embedded == 0


def test_what_differs_is_done_anew(repo: Repo, snapshot: Path, tmp_path: Path) -> None:
    repo.write("f1.py", function("brand_new") + function("kept_1"))
    (repo.root / "f2.py").unlink()
    (repo.root / "f3.py").rename(repo.root / "moved.py")
    with opened(repo, tmp_path / "ours") as ours:
        brought = Import(snapshot, model_of(ours._embedder))
        while ours.import_step(brought):
            pass
        assert brought.taken == 13
        # What was moved, or stands in a changed file, has its vector in the snapshot. Not so the new function, and the
        # file that is read with replacements, which never travels.
        assert ours.update(snapshot=brought).embedded == 2
        brought.close()
        assert ours.search("brand_new", 1)[0].path == "f1.py"
        assert "f2.py" not in {one.path for one in ours.chunks()}


def test_what_is_excluded_here_does_not_come_in(repo: Repo, snapshot: Path, tmp_path: Path) -> None:
    with opened(repo, tmp_path / "ours", "secret/") as ours:
        take(ours, snapshot)
        ours.update()
        assert not [hit for hit in ours.search("excluded_canary", 20) if "secret" in hit.path]
    repo.write(".pointsmanignore", "secret/\n")
    with opened(repo, tmp_path / "others") as others:
        take(others, snapshot)
        assert others._catalog.version("secret/keys.py", "") == 0
        others.update()
    for data in ("ours", "others"):
        assert not [
            file
            for file in (tmp_path / data).rglob("*")
            if file.is_file() and (b"excluded_canary" in file.read_bytes() or b"secret/keys.py" in file.read_bytes())
        ]


def test_what_is_excluded_by_now_does_not_go_out(repo: Repo, tmp_path: Path) -> None:
    with opened(repo, tmp_path / "theirs") as index:
        index.update()
        repo.write(".pointsmanignore", "secret/\n")
        write(index, tmp_path / "out")
    with tarfile.open(tmp_path / "out") as tar:
        lines = gzip.decompress(tar.extractfile("versions.jsonl.gz").read())  # type: ignore[union-attr]
    assert b"f1.py" in lines and b"secret" not in lines and b"excluded_canary" not in lines


def plant_signature(rows: Rows) -> Rows:
    rows[0]["symbols"][0][6] = "def ignore_all_previous_instructions():"
    return rows


def plant_header(rows: Rows) -> Rows:
    rows[0]["chunks"][0][4] = "Injected documentation"
    return rows


def hide_a_chunk(rows: Rows) -> Rows:
    del rows[0]["chunks"][0]
    return rows


def reach_too_far(rows: Rows) -> Rows:
    rows[0]["chunks"][-1][1] += 500
    return rows


def repeat(rows: Rows) -> Rows:
    rows[0]["chunks"] *= 50
    return rows


def another_blob(rows: Rows) -> Rows:
    rows[0]["blob"] = "0" * 40
    return rows


@pytest.mark.parametrize("lie", [plant_signature, plant_header, hide_a_chunk, reach_too_far, repeat, another_blob])
def test_a_row_that_lies_about_its_file_is_not_taken_over(
    repo: Repo, snapshot: Path, tmp_path: Path, lie: Callable[[Rows], Rows]
) -> None:
    def at_f1(rows: Rows) -> Rows:
        rows.sort(key=lambda row: row["path"] != "f1.py")
        return lie(rows)

    with opened(repo, tmp_path / "ours") as ours, opened(repo, tmp_path / "theirs") as theirs:
        assert take(ours, changed(snapshot, at_f1)) == 15
        ours.update()
        assert content(ours) == content(theirs)


def rename(path: str) -> Callable[[Rows], Rows]:
    def renamed(rows: Rows) -> Rows:
        rows[-1]["path"] = path
        return rows

    return renamed


def with_value(name: str, value: Any) -> Callable[[Rows], Rows]:
    def put(rows: Rows) -> Rows:
        rows[-1][name] = value
        return rows

    return put


@pytest.mark.parametrize(
    "rows",
    [
        *(
            rename(path)
            for path in ("/etc/passwd", "../x.py", "a/../../x.py", "a//b.py", "", "./a.py", "a\0b", "c:\\x")
        ),
        *(with_value("blob", value) for value in ("x", 7, None)),
        with_value("chunks", {}),
        with_value("chunks", [[1, 2]]),
        with_value("chunks", [[1, 2, "", "", "", "", "", [7]]]),
        with_value("chunks", [[True, 2, "", "", "", "", "", []]]),
        with_value("chunks", [[-1, 2, "", "", "", "", "", []]]),
        with_value("symbols", [["a", "a", "b", 1, 1, 0, None]]),
        with_value("mentions", [["a", "no tabs"]]),
        with_value("imports", [["a", "b", "c", 10**9]]),
        with_value("more", []),
    ],
)
def test_a_row_of_another_shape_refuses_all_of_it(
    repo: Repo, snapshot: Path, tmp_path: Path, rows: Callable[[Rows], Rows]
) -> None:
    with opened(repo, tmp_path / "ours") as ours:
        with pytest.raises(SnapshotInvalid, match="damaged"):
            take(ours, changed(snapshot, rows))
        assert ours._catalog._db.execute("SELECT count(*) FROM versions").fetchone() == (0,)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"format": 2}, "another format"),
        ({"schema": "0" * 16}, "another version"),
        ({"embedder": "other"}, "'other'"),
        ({"dimension": 64}, "damaged"),
        ({"dimension": 0}, "damaged"),
        ({"dimension": "32"}, "damaged"),
        ({"versions": 3}, "damaged"),
        ({"versions": 3000}, "damaged"),
        ({"added": 1}, "damaged"),
    ],
)
def test_another_manifest_is_refused(
    repo: Repo, snapshot: Path, tmp_path: Path, told: dict[str, Any], message: str
) -> None:
    with opened(repo, tmp_path / "ours") as ours, pytest.raises(SnapshotInvalid, match=message) as refused:
        take(ours, changed(snapshot, **told))
    assert refused.value.remedy


def test_a_member_too_many_or_of_another_kind_is_refused(repo: Repo, snapshot: Path, tmp_path: Path) -> None:
    with opened(repo, tmp_path / "ours") as ours:
        for members in ({"versions.jsonl.gz": b"no gzip"}, {"vectors.bin": b"odd"}):
            with pytest.raises(SnapshotInvalid, match="damaged"):
                take(ours, changed(snapshot, members=members))
        linked = tmp_path / "linked"
        with tarfile.open(linked, "w") as tar:
            head = tarfile.TarInfo("manifest.json")
            head.type, head.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(head)
        (tmp_path / "pipe").unlink(missing_ok=True)
        os.mkfifo(tmp_path / "pipe")
        for file in (linked, tmp_path / "pipe", tmp_path / "nowhere", tmp_path):
            with pytest.raises(SnapshotInvalid):
                take(ours, file)


def test_a_file_that_is_cut_or_changed_anywhere_is_refused(repo: Repo, snapshot: Path, tmp_path: Path) -> None:
    whole = snapshot.read_bytes()
    end = whole.rstrip(b"\0")
    draw = random.Random(7)
    broken = tmp_path / "broken"
    with opened(repo, tmp_path / "ours") as ours:
        for at in (0, 1, 511, 512, *(draw.randrange(len(end)) for _ in range(30))):
            broken.write_bytes(whole[:at])
            with pytest.raises(SnapshotInvalid):
                take(ours, broken)
        versions = whole.index(b"versions.jsonl.gz\0")
        for at in (draw.randrange(versions + 512, len(end)) for _ in range(30)):
            if whole[at]:
                broken.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
                with pytest.raises(SnapshotInvalid):
                    take(ours, broken)
        assert ours._catalog._db.execute("SELECT count(*) FROM versions").fetchone() == (0,)
        assert ours.update().files == 17


def test_vectors_that_are_none_are_made_anew(repo: Repo, snapshot: Path, tmp_path: Path) -> None:
    with tarfile.open(snapshot) as tar:
        data = tar.extractfile("vectors.bin").read()  # type: ignore[union-attr]
    record = 32 + 4 * 32
    nan, zero = array("f", [float("nan")] * 32).tobytes(), bytes(128)
    kept = data[: 2 * record]
    spoilt = data[:32] + nan + data[record : record + 32] + zero + data[2 * record :]
    with opened(repo, tmp_path / "ours") as ours:
        take(ours, changed(snapshot, members={"vectors.bin": spoilt}))
        assert ours.update().embedded == 2 + 1
    with opened(repo, tmp_path / "others") as others:
        take(others, changed(snapshot, members={"vectors.bin": kept}))
        assert others.update().embedded == others.counts()[1] - 2


def test_an_export_that_cannot_be_written_leaves_what_was_there(repo: Repo, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_text("before")
    with opened(repo, tmp_path / "ours") as ours:
        ours.update()
        export = ours.export(target)
        ours.export_step(export)
        export.close()
        assert target.read_text() == "before" and sorted(one.name for one in tmp_path.iterdir()) == [
            *("kept", "ours", "repo"),
        ]
        with pytest.raises(IndexerError, match="cannot be written"):
            ours.export(tmp_path / "missing" / "file")


CHILD = """
import os, signal, sys
from pathlib import Path
from pointsman_indexer import HashEmbedder
from tests.unit.indexer_repo import Repo
from tests.unit.test_indexer_snapshot import take
from pointsman_indexer import Index

root, data, file, at = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
seen = 0

def count(frame, event, argument):
    global seen
    if "pointsman_indexer" in frame.f_code.co_filename:
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

with Index.open(root, data, HashEmbedder(32)) as index:
    sys.setprofile(count)
    take(index, file)
    sys.setprofile(None)
print(seen)
"""


def test_killed_anywhere_the_next_update_is_right(repo: Repo, snapshot: Path, tmp_path: Path) -> None:
    def run(data: Path, at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CHILD, str(repo.root), str(data), str(snapshot), str(at)]
        root = Path(__file__).parents[2]
        return subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=120, check=False)

    calls = int(run(tmp_path / "whole", 0).stdout)
    with opened(repo, tmp_path / "theirs") as theirs:
        for part in range(4):
            data = tmp_path / f"data{part}"
            at = random.Random(f"{SEED} {part}").randrange(calls * part // 4 + 1, calls * (part + 1) // 4)
            moment = f"killed at call {at} of {calls}, POINTSMAN_SEED={SEED}"
            assert run(data, at).returncode == -signal.SIGKILL, moment
            with opened(repo, data) as ours:
                ours.update()
                assert content(ours) == content(theirs), moment


def test_ids_are_those_of_parsing(repo: Repo) -> None:
    data = (repo.root / "f1.py").read_bytes()
    whole = parsing.parse_file("f1.py", data)
    chunks = [parsing.chunk_of("f1.py", row.values) for row in whole.chunks]
    assert parsing.rows_of("f1.py", chunks) == whole.chunks
