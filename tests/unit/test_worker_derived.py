"""Folders made from a model once: whole or absent, and replaced when the model's files change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pointsman.worker.derived import Derived, identity


def write(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")


def test_it_appears_whole(tmp_path: Path) -> None:
    kept = Derived(tmp_path, "a", "gguf", "1")
    assert not kept.there()
    assert kept.make(write) == kept.path
    assert kept.there()
    assert (kept.path / "model.safetensors").read_bytes() == b"weights"
    kept.drop()
    assert not kept.there()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def half(folder: Path) -> None:
        write(folder)
        raise RuntimeError("broken off")

    kept = Derived(tmp_path, "a", "gguf", "1")
    with pytest.raises(RuntimeError):
        kept.make(half)
    assert not kept.there()
    assert list(kept.path.parent.iterdir()) == []


def overwrite(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.write(b"W")


@pytest.mark.parametrize(
    "damage",
    [
        overwrite,
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "other.safetensors").write_bytes(b"new"),
        lambda folder: (folder / "derived.json").write_text("[]"),
        lambda folder: (folder / "derived.json").unlink(),
    ],
    ids=["overwritten", "missing", "added", "list damaged", "no list"],
)
def test_a_damaged_folder_counts_as_absent_and_is_replaced(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    kept = Derived(tmp_path, "a", "gguf", "1")
    kept.make(write)
    damage(kept.path)
    assert not kept.there()
    kept.make(write)
    assert kept.there()
    assert (kept.path / "model.safetensors").read_bytes() == b"weights"
    assert [entry.name for entry in kept.path.parent.iterdir()] == [kept.path.name]


def test_a_folder_that_was_copied_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Derived(tmp_path, "a", "gguf", "1")
    kept.make(write)
    os.utime(kept.path / "model.safetensors", (0, 0))
    assert kept.there()
    monkeypatch.setattr("hashlib.file_digest", None)
    assert kept.there()


def test_newer_files_replace_what_older_ones_gave_and_nothing_else(tmp_path: Path) -> None:
    others = [
        Derived(tmp_path, "a", "nf4-float32", "1"),
        Derived(tmp_path, "a-b", "gguf", "1"),
        Derived(tmp_path, "b", "gguf", "1"),
    ]
    old = Derived(tmp_path, "a", "gguf", "1")
    for each in (*others, old):
        each.make(write)
    new = Derived(tmp_path, "a", "gguf", "2")
    new.make(write)
    assert not old.there()
    assert new.there()
    assert all(other.there() for other in others)


def test_a_dead_process_s_half_is_removed_and_a_living_one_s_is_not(tmp_path: Path) -> None:
    kept = Derived(tmp_path, "a", "gguf", "1")
    dead, living = kept.path.parent / ".making-dead", kept.path.parent / ".making-living"
    for folder in (dead, living):
        folder.mkdir(parents=True)
    os.utime(dead, (0, 0))
    kept.make(write)
    assert not dead.exists()
    assert living.exists()


def test_who_is_second_uses_what_the_first_made(tmp_path: Path) -> None:
    kept = Derived(tmp_path, "a", "gguf", "1")

    def slow(folder: Path) -> None:
        Derived(tmp_path, "a", "gguf", "1").make(write)
        (folder / "model.safetensors").write_bytes(b"mine")

    kept.make(slow)
    assert (kept.path / "model.safetensors").read_bytes() == b"weights"


def test_identity_follows_the_files_or_the_given_hash(tmp_path: Path) -> None:
    file = tmp_path / "w"
    file.write_bytes(b"one")
    first = identity([file])
    assert identity([file]) == first
    file.write_bytes(b"other")
    assert identity([file]) != first
    assert identity([file], "abc") == identity([tmp_path / "absent"], "abc") != identity([file], "abd")
