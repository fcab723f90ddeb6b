"""`pointsman eval retrieval` and `eval completion` as a user types them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Home, make_home

SYSTEMS = ("hybrid", "bm25", "dense", "keyword")


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    """A home without any model."""
    return make_home(tmp_path / "home", None)


@pytest.fixture
def history(repository: Path) -> Path:
    """The small workspace with a second commit, which says what it is about."""
    file = repository / "shop/inventory.py"
    file.write_text(file.read_text() + "\n\ndef empty(shelf):\n    shelf.clear()\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run([*git, "commit", "-qam", "Let a shop clear out what it stores"], cwd=repository, check=True)
    return repository


def test_without_a_model_it_compares_four_ways_to_search(bare: Home, history: Path) -> None:
    report = bare.run("eval", "retrieval", "--path", history, "--embedder", "hash", "--json").json
    assert report.keys() == {"path", "embedder", "tasks", "skipped", "seconds"}
    assert report["embedder"] == "hash-256"
    assert report["tasks"].keys() == {"docstring", "commit"}
    docstring = report["tasks"]["docstring"]
    assert docstring["n"] >= 6
    assert tuple(docstring["systems"]) == SYSTEMS
    assert docstring["systems"]["hybrid"].keys() == {"mrr@10", "ndcg@10", "recall@1", "recall@5", "recall@10"}
    assert report["tasks"]["commit"]["systems"]["bm25"]["recall@10"][0] > 0
    # The docstrings are blanked in a copy, not here, and nothing stays behind.
    assert subprocess.run(["git", "status", "--short"], cwd=history, capture_output=True, check=True).stdout == b""
    assert bare.run("host", "status", "--json").json == {"running": False}
    assert not list((bare.path / "data").rglob("catalog.sqlite"))


def test_the_table_and_its_reading(bare: Home, history: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps({"query": "who takes percent off a price?", "path": "shop/cart.py"}) + "\n")
    shown = bare.run("eval", "retrieval", "--path", history, "--tasks", tasks, "--embedder", "hash").out
    assert "question (n=1)" in shown and "docstring" not in shown
    assert all(system in shown for system in SYSTEMS)
    assert "BM25 alone" in shown and "(paired)" in shown
    assert all(len(line) <= 80 or "paired" in line for line in shown.splitlines())


def test_a_folder_without_history_says_so(bare: Home, repository: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.py").write_bytes((repository / "shop/cart.py").read_bytes())
    done = bare.run("eval", "retrieval", "--path", plain, "--embedder", "hash", "--limit", "2")
    assert "commit: skipped" in done.err
    assert "docstring (n=2)" in done.out


@pytest.mark.parametrize("wrong", [("--kinds", "docstrings"), ("--kinds", "question"), ("--embedder", "gpt")])
def test_what_is_not_there_is_refused(bare: Home, repository: Path, wrong: tuple[str, str]) -> None:
    done = bare.run("eval", "retrieval", "--path", repository, *wrong, code=2)
    assert wrong[0] in done.err


def test_a_wrong_task_file_is_named(bare: Home, repository: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("not a task\n")
    done = bare.run("eval", "retrieval", "--path", repository, "--tasks", tasks, "--embedder", "hash", code=1)
    assert "tasks.jsonl line 1" in done.err
    bare.run("eval", "retrieval", "--path", repository, "--tasks", tmp_path / "none", code=4)


@pytest.mark.model
def test_with_the_default_embedder(fresh_home: Callable[..., Home], history: Path) -> None:
    home = fresh_home()
    report = home.run("eval", "retrieval", "--path", history, "--json").json
    assert not report["embedder"].startswith("hash")
    systems = report["tasks"]["docstring"]["systems"]
    # Ten hits are most of this workspace: an embedder that knows words must bring what is asked for among them.
    assert systems["dense"]["recall@10"][0] >= 0.8
    assert systems["hybrid"]["recall@10"][0] >= 0.8
    assert home.run("host", "status", "--json").json == {"running": False}


@pytest.mark.model
def test_completion_with_the_default_model(fresh_home: Callable[..., Home], repository: Path) -> None:
    home = fresh_home()
    command = ("eval", "completion", "--path", repository, "--kinds", "line,block", "--limit", "1")
    answers = repository.parent / "answers.jsonl"
    report = home.run(*command, "--answers", answers, "--json").json
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert {row["kind"] for row in rows} == {"line", "block"}
    assert all(row["truth"] and row["given"].keys() >= {"pipeline", "plain"} for row in rows)
    assert report["tasks"].keys() == {"line", "block"}
    line = report["tasks"]["line"]
    assert line["n"] == 1
    assert line["systems"].keys() == line["ms"].keys() == {"pipeline", "without retrieval", "plain"}
    assert line["systems"]["plain"].keys() == {"exact", "similarity", "answered"}
    assert line["gains"].keys() == {"pipeline over plain", "retrieval over none"}
    assert home.run("host", "status", "--json").json == {"running": False}
    assert not list((home.path / "data").rglob("catalog.sqlite"))
    assert subprocess.run(["git", "status", "--short"], cwd=repository, capture_output=True, check=True).stdout == b""


@pytest.mark.model
def test_completed_programs_are_run(fresh_home: Callable[..., Home], tmp_path: Path) -> None:
    before = 'def double(x):\n    """Twice x."""\n    return '
    test = "def check(f):\n    assert f(2) == 4\n"
    tests = {"passes": test, "fails": "def check(f):\n    assert False\n"}
    (tmp_path / "tasks").mkdir()
    for name, text in tests.items():
        row = {"prompt": before, "suffix": "\n", "canonical_solution": "x * 2", "test": text, "entry_point": "double"}
        (tmp_path / "tasks" / f"{name}.jsonl").write_text(json.dumps(row))
    done = fresh_home().run("eval", "completion", "--tasks", tmp_path / "tasks", "--json", code=None)
    if "no sandbox" in done.err:
        assert done.code == 1
        pytest.skip("no sandbox here, and without one no program runs")
    tasks = done.json["tasks"]
    assert tasks["passes"]["systems"]["pipeline"]["pass@1"][0] == 1.0
    assert tasks["fails"]["systems"]["pipeline"]["pass@1"][0] == 0.0


def test_completion_refuses_what_is_not_there(bare: Home, repository: Path, tmp_path: Path) -> None:
    assert "--kinds" in bare.run("eval", "completion", "--path", repository, "--kinds", "word", code=2).err
    bare.run("eval", "completion", "--tasks", tmp_path / "none", code=4)
    assert "models pull" in bare.run("eval", "completion", "--path", repository, "--limit", "1", code=4).err
    (tmp_path / "nothing").mkdir()
    assert "no code" in bare.run("eval", "completion", "--path", tmp_path / "nothing", code=1).err
