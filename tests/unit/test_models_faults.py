"""What may go wrong with a pull or on the disk: nothing wrong is ever installed or used, nothing sound is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.errors import (
    ConfigError,
    PointsmanError,
    VerificationError,
)
from pointsman.models import download, pull
from pointsman.models.card import Card, Source, SourceFile
from pointsman.models.folders import Folders
from pointsman.models.locks import TrustLock
from pointsman.models.pull import PullProgress
from tests.models_http import (
    FileServer,
    card,
    leftovers,
    offer,
    package_card,
    package_server,
    sha256,
    store,
    tiny,
    wheel,
    wheel_name,
)

WEIGHTS = b"weights " * 50_000
OTHER = b"other weights " * 20_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with package_server(monkeypatch) as server:
        yield server


@pytest.mark.parametrize("where", [100, -100])
def test_a_corrupt_byte_installs_nothing(server: FileServer, tmp_path: Path, where: int) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    path = f"/files/{wheel_name('tiny-model==1.0')}"
    damaged = bytearray(server.files[path])
    damaged[where] ^= 1
    server.files[path] = bytes(damaged)
    with pytest.raises(VerificationError, match="does not match"):
        models.pull("tiny", accept_terms=False)
    assert not models.installed("tiny") and leftovers(tmp_path) == []


def test_a_member_that_is_not_the_known_one_installs_nothing(server: FileServer, tmp_path: Path) -> None:
    good, _ = package_card(WEIGHTS)
    evil = wheel("tiny-model==1.0", {"tiny_model/tiny.gguf": OTHER})
    offer(server, "tiny-model==1.0", evil)
    source = Source(kind="pypi", location="tiny-model==1.0", package_sha256={"tiny-model==1.0": sha256(evil)})
    models = store(tmp_path, server, card(source=source, files=good.files))
    with pytest.raises(VerificationError, match=r"tiny\.gguf"):
        models.pull("tiny", accept_terms=False)
    assert not models.installed("tiny")


def test_a_member_larger_than_known_is_not_unpacked(server: FileServer, tmp_path: Path) -> None:
    bomb = wheel("tiny-model==1.0", {"tiny_model/tiny.gguf": b"\0" * 50_000_000})
    offer(server, "tiny-model==1.0", bomb)
    source = Source(kind="pypi", location="tiny-model==1.0", package_sha256={"tiny-model==1.0": sha256(bomb)})
    file = SourceFile(name="tiny.gguf", member="tiny_model/tiny.gguf", sha256="a" * 64, bytes=1000)
    models = store(tmp_path, server, card(source=source, files=(file,)))
    with pytest.raises(VerificationError, match="longer than the catalogue says"):
        models.pull("tiny", accept_terms=False)


def in_parts(server: FileServer, pieces: list[bytes], *, whole: bytes, known: list[bytes]) -> Card:
    """A card of one file in a package for each of `pieces`; `known` are the pieces that the catalogue expects."""
    parts, hashes = [], {}
    for number, (piece, expected) in enumerate(zip(pieces, known, strict=True)):
        package, name = f"piece-{number}==2.0", f"piece{number}"
        built = wheel(package, {f"data/{name}": piece})
        offer(server, package, built)
        hashes[package] = sha256(built)
        parts.append(
            SourceFile(name=name, member=f"data/{name}", package=package, sha256=sha256(expected), bytes=len(expected))
        )
    file = SourceFile(name="whole.gguf", sha256=sha256(whole), bytes=len(whole), parts=tuple(parts))
    return card(source=Source(kind="pypi", location="piece-0==2.0", package_sha256=hashes), files=(file,))


def test_parts_are_joined_in_their_order(server: FileServer, tmp_path: Path) -> None:
    pieces = [b"first", b"second", b"third"]
    models = store(tmp_path, server, in_parts(server, pieces, whole=b"".join(pieces), known=pieces))
    models.pull("tiny", accept_terms=False)
    assert (models.verified_folder("tiny") / "whole.gguf").read_bytes() == b"firstsecondthird"


def test_a_wrong_part_and_a_wrong_whole_are_each_refused(server: FileServer, tmp_path: Path) -> None:
    pieces = [b"first", b"second"]
    wrong_part = in_parts(server, pieces, whole=b"firstsecond", known=[b"first", b"secund"])
    with pytest.raises(VerificationError, match="piece1"):
        store(tmp_path, server, wrong_part).pull("tiny", accept_terms=False)
    wrong_whole = in_parts(server, pieces, whole=b"secondfirst", known=pieces)
    with pytest.raises(VerificationError, match=r"whole\.gguf"):
        store(tmp_path, server, wrong_whole).pull("tiny", accept_terms=False)


def _flip(folder: Path) -> None:
    with (folder / "tiny.gguf").open("r+b") as file:
        file.seek(1000)
        file.write(b"?")


def _flip_in_secret(folder: Path) -> None:
    before = (folder / "tiny.gguf").stat()
    _flip(folder)
    os.utime(folder / "tiny.gguf", ns=(before.st_atime_ns, before.st_mtime_ns))


def _forge(folder: Path) -> None:
    """Change the file and everything in the models' folder that says what it should be."""
    _flip(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["tiny.gguf"]["sha256"] = sha256((folder / "tiny.gguf").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _link(folder: Path) -> None:
    (folder / "tiny.gguf").rename(folder.parent / "elsewhere")
    (folder / "tiny.gguf").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        _flip_in_secret,
        _forge,
        _link,
        lambda folder: (folder / "tiny.gguf").unlink(),
        lambda folder: (folder / "modeling_tiny.py").write_text("raise SystemExit"),
        lambda folder: (folder / "code").mkdir(),
    ],
    ids=["byte", "byte, time restored", "byte and manifest", "link", "missing", "added", "folder"],
)
def test_damage_is_found_before_use_and_healed_by_a_pull(server: FileServer, tmp_path: Path, damage: Any) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    models.pull("tiny", accept_terms=False)
    models.verified_folder("tiny")
    damage(models.folder("tiny"))
    with pytest.raises(VerificationError):
        models.verified_folder("tiny")
    with pytest.raises(VerificationError):
        models.verify("tiny")
    assert models.pull("tiny", accept_terms=False).changed
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS


def test_a_version_that_nothing_vouches_for_is_refused(server: FileServer, tmp_path: Path) -> None:
    store(tmp_path, server, tiny(server, WEIGHTS)).pull("tiny", accept_terms=False)
    (tmp_path / "config" / "models.lock.json").unlink()
    newer = store(tmp_path, server, tiny(server, OTHER, "tiny-model==2.0"))
    with pytest.raises(VerificationError, match="vouches"):
        newer.verify("tiny")
    store(tmp_path, server, tiny(server, WEIGHTS)).verify("tiny")  # the catalogue's own hashes still vouch for it


def test_a_lock_file_that_is_not_understood_is_not_overwritten(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    (tmp_path / "config" / "models.lock.json").write_text("{broken")
    with pytest.raises(ConfigError, match=r"models\.lock\.json"):
        models.pull("tiny", accept_terms=False)
    assert (tmp_path / "config" / "models.lock.json").read_text() == "{broken"


def test_a_full_disk_leaves_the_old_version(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, server, tiny(server, WEIGHTS)).pull("tiny", accept_terms=False)
    models = store(tmp_path, server, tiny(server, OTHER, "tiny-model==2.0"))

    def full(members: object, target: Path, should_stop: object) -> str:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pull, "extract", full)
        with pytest.raises(PointsmanError, match="disk is full"):
            models.pull("tiny", accept_terms=False)
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS
    assert not list((tmp_path / "data" / "models" / ".versions" / "tiny").glob(".*"))
    assert models.pull("tiny", accept_terms=False).changed


def test_a_disk_that_is_full_at_the_last_step_leaves_the_old_version(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, server, tiny(server, WEIGHTS)).pull("tiny", accept_terms=False)
    models = store(tmp_path, server, tiny(server, OTHER, "tiny-model==2.0"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for owner, name in ((Folders, "finish"), (TrustLock, "trust"), (Folders, "use")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            with pytest.raises(PointsmanError, match="disk is full"):
                models.pull("tiny", accept_terms=False)
        assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS
    assert models.pull("tiny", accept_terms=False).changed
    later = store(tmp_path, server, tiny(server, b"third" * 100, "tiny-model==3.0"))
    later.verify("tiny")  # a broken-off pull did not cost the pin that vouches for this version


def test_too_little_room_is_noticed_before_anything_is_fetched(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(PointsmanError, match=r"needs .* MB of disk"):
        models.pull("tiny", accept_terms=False)
    assert server.seen == []


def test_one_pull_at_a_time(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    with (
        Folders(tmp_path / "data" / "models").exclusive(),
        pytest.raises(PointsmanError, match="another pull is under way"),
    ):
        models.pull("tiny", accept_terms=False)
    models.pull("tiny", accept_terms=False)


def test_a_folder_of_somebody_elses_making_is_not_replaced(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    mine = tmp_path / "data" / "models" / "tiny"
    mine.mkdir(parents=True)
    (mine / "notes").write_text("mine")
    with pytest.raises(PointsmanError, match="in the way"):
        models.pull("tiny", accept_terms=False)
    assert (mine / "notes").read_text() == "mine" and not models.installed("tiny")


def test_stopping_keeps_the_part_for_the_next_pull(server: FileServer, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    models = store(tmp_path, server, tiny(server, content))
    asked: list[PullProgress] = []

    def late() -> bool:
        return any(step.stage == "download" for step in asked)

    with pytest.raises(download.Stopped):
        models.pull("tiny", accept_terms=False, progress=asked.append, should_stop=late)
    assert not models.installed("tiny")
    models.pull("tiny", accept_terms=False)
    assert server.seen[-1].headers["range"].startswith("bytes=")
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == content


PULL_AND_BE_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.models_http import package_card, wheel_name, store
from pointsman.models import pypi
url, home, content = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()
def locate(self, packages):
    return tuple(pypi.Wheel(package=p, url=url + "/files/" + wheel_name(p), sha256="") for p in packages)
pypi.Pip.locate = locate
pypi.Pip.certificates = lambda self: ""
made, _ = package_card(content, "tiny-model==2.0")
store(home, None, made).pull("tiny", accept_terms=False)
"""


def test_a_pull_that_is_killed_leaves_the_old_version_and_is_continued(server: FileServer, tmp_path: Path) -> None:
    content = os.urandom(4_000_000)
    (tmp_path / "content").write_bytes(content)
    store(tmp_path, server, tiny(server, WEIGHTS)).pull("tiny", accept_terms=False)
    models = store(tmp_path, server, tiny(server, content, "tiny-model==2.0"))
    server.pause = 0.05
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PULL_AND_BE_KILLED,
            server.url,
            str(tmp_path),
            str(tmp_path / "content"),
            str(Path(__file__).parents[2]),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    partial = tmp_path / "data" / "models" / ".partial"
    deadline = time.monotonic() + 30
    while not any(p.stat().st_size > 0 for p in partial.rglob("*.part")):
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    server.pause = 0.0
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS
    assert models.pull("tiny", accept_terms=False).changed
    assert server.seen[-1].headers["range"].startswith("bytes=")
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == content
    assert leftovers(tmp_path) == []
