"""`pointsman bench` as a user types it, on a small repository; without a model but for typing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Home, make_home


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    """A home without any model."""
    return make_home(tmp_path / "home", None)


def is_untouched(home: Home, repository: Path) -> bool:
    changed = subprocess.run(["git", "status", "--short"], cwd=repository, capture_output=True, check=True).stdout
    return not changed and not list((home.path / "data").rglob("catalog.sqlite"))


def test_index_tells_each_step_and_embeds_nothing_twice(bare: Home, repository: Path) -> None:
    report = bare.run("bench", "index", "--path", repository, "--embedder", "hash", "--json").json
    assert (report["files"], report["skipped"]) == (5, {"excluded": 1})
    assert 0 < report["seconds"]["words"] <= report["seconds"]["parsed"] <= report["seconds"]["embedded"]
    assert report["changed_file_ms"]["n"] == report["branch_switch"]["files"] == 5
    assert report["branch_switch"]["there"]["embedded"] > 0
    assert report["branch_switch"]["back"]["embedded"] == 0
    assert report["peak_memory_mb"] > 20
    assert report["machine"].keys() == {"cores", "memory_mb", "load"}
    assert is_untouched(bare, repository)


def test_index_draws_a_table(bare: Home, repository: Path) -> None:
    shown = bare.run("bench", "index", "--path", repository, "--switched", "2", "--embedder", "hash").out
    assert "a branch of 2 files" in shown and "embedded 0" in shown


def test_search_over_the_repository(bare: Home, repository: Path) -> None:
    report = bare.run("bench", "search", "--path", repository, "--queries", "20", "--embedder", "hash", "--json").json
    assert (report["files"], report["synthetic"], report["mode"]) == (5, False, "exact")
    assert report["nearest_found"] == 1.0
    assert report["search_ms"]["n"] == 20 and report["search_ms"]["p50"] <= report["search_ms"]["p95"]
    assert report["resident_mb"] >= report["private_mb"] > 0
    assert len(report["beside"]) == 1
    assert is_untouched(bare, repository)


def test_search_over_made_up_chunks(bare: Home, repository: Path) -> None:
    command = ("bench", "search", "--path", repository, "--chunks", "1030", "--queries", "20", "--embedder", "hash")
    report = bare.run(*command, "--json").json
    assert (report["files"], report["chunks"], report["synthetic"], report["path"]) == (52, 1030, True, "")
    assert report["changed_file_ms"]["n"] == 9
    shown = bare.run(*command).out
    assert "made-up code: 52 files, 1030 chunks" in shown and "times as long" in shown
    assert is_untouched(bare, repository)


def test_a_folder_without_text_and_another_embedder_are_refused(bare: Home, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for kind in ("index", "search"):
        assert "text" in bare.run("bench", kind, "--path", empty, "--embedder", "hash", code=1).err
        assert "--embedder" in bare.run("bench", kind, "--path", empty, "--embedder", "gpt", code=2).err
        bare.run("bench", kind, "--path", tmp_path / "none", code=4)


@pytest.fixture
def history(repository: Path) -> Path:
    """The small workspace with a second commit that adds a line."""
    file = repository / "shop/inventory.py"
    file.write_text(file.read_text() + "\n\ndef empty(shelf):\n    shelf.clear()\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run([*git, "commit", "-qam", "Empty a shelf"], cwd=repository, check=True)
    return repository


@pytest.mark.model
def test_typing_beside_llama_cpp(fresh_home: Callable[..., Home], history: Path) -> None:
    home = fresh_home()
    command = ("bench", "typing", "--path", history, "--limit", "60")
    report = home.run(*command, "--json").json
    assert (report["bursts"], report["commits"], report["pace_ms"]) == (1, 1, 0)
    assert report["keystrokes"] == sum(map(len, ("def empty(shelf):", "shelf.clear()"))) + 4
    assert list(report["systems"]) == ["pointsman", "llama.cpp"]
    for system in report["systems"].values():
        assert system["asked"] == report["keystrokes"]
        assert 0 < system["answered"] <= 1
        assert 0 < system["items_ms"]["p50"] <= system["items_ms"]["p95"]
        assert system["tokens"]["generated"] > 0 and system["cpu_seconds"] > 0
    ours = report["systems"]["pointsman"]
    assert {"context", "queue", "prefill", "decode", "clean", "total"} <= ours["stages_ms"].keys()
    assert sum(ours["source"].values()) == pytest.approx(1.0, abs=0.01)
    assert report["beside"]["bars"].keys() == {"p50", "p95"}
    assert home.run("host", "status", "--json").json == {"running": False}
    assert is_untouched(home, history)


@pytest.mark.model
def test_typing_on_at_a_pace_and_alone(fresh_home: Callable[..., Home], history: Path) -> None:
    done = fresh_home().run("bench", "typing", "--path", history, "--limit", "60", "--pace", "20", "--alone")
    assert "34 keystrokes" in done.out and "they came from" in done.out
    assert "llama.cpp: skipped" in done.err


def test_typing_needs_a_history_and_a_model(bare: Home, history: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert "--path" in bare.run("bench", "typing", "--path", tmp_path / "plain", code=1).err
    assert "models pull" in bare.run("bench", "typing", "--path", history, code=4).err
