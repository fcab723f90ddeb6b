"""The commands as a user types them: real model, real index, real processes."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from pointsman.cli.app import cli

from .conftest import Home, make_home

pytestmark = pytest.mark.model


def test_index_reports_what_it_did_and_reuses_it(home: Home, repository: Path) -> None:
    first = home.run("index", repository, "--json").json
    assert first.keys() >= {"root", "files", "chunks", "skipped", "seconds", "embedded", "reused", "model", "revision"}
    assert first["files"] == 5
    assert first["embedded"] == first["chunks"] > 5
    assert first["skipped"] == {"excluded": 1}
    assert re.fullmatch("[0-9a-f]{40}", first["revision"])
    second = home.run("index", repository, "--json").json
    assert (second["files"], second["chunks"], second["embedded"]) == (first["files"], first["chunks"], 0)


def test_adapting_to_too_small_a_repository_counts_what_is_missing(home: Home, repository: Path) -> None:
    refused = home.run("index", repository, "--adapt", code=1)
    assert refused.out == "" and "of 100" in refused.err and "of 30" in refused.err
    assert "was not adapted" in home.run("index", repository, "--no-adapt").out
    assert home.run("index", repository, "--json").json["model"] == "code-minilm"


def test_a_team_shares_an_index(fresh_home: Callable[..., Home], repository: Path, tmp_path: Path) -> None:
    file = tmp_path / "team.snapshot"
    theirs, ours = fresh_home(), fresh_home()
    made = theirs.run("index", repository, "--export", file, "--json").json
    assert made["exported"] == made["files"] == 5 and made["embedded"] > 5
    taken = ours.run("index", repository, "--import", file, "--json").json
    assert (taken["imported"], taken["embedded"], taken["chunks"]) == (5, 0, made["chunks"])
    query = ("search", "take goods off the shelf", "--path", repository, "--json")
    assert ours.run(*query).json["hits"] == theirs.run(*query).json["hits"]
    assert "5 files written to" in theirs.run("index", repository, "--export", file).out
    assert "0 files taken over from" in ours.run("index", repository, "--import", file).out  # they are known by now
    file.write_bytes(b"no snapshot")
    assert "damaged" in ours.run("index", repository, "--import", file, code=1).err
    ours.run("index", repository, "--import", tmp_path / "none", code=4)
    ours.run("index", repository, "--export", tmp_path / "none" / "file", code=4)
    ours.run("index", repository, "--export", tmp_path, code=2)


def test_search_finds_by_name_and_by_meaning(home: Home, repository: Path) -> None:
    by_name = home.run("search", "apply_discount", "--path", repository, "--json").json
    assert by_name["hits"][0]["path"] == "shop/cart.py"
    assert by_name["hits"][0]["symbol"].endswith("apply_discount")
    by_meaning = home.run("search", "take goods off the shelf", "--path", repository, "-k", "3", "--json").json
    assert "shop/inventory.py" in {hit["path"] for hit in by_meaning["hits"]}
    for hit in by_meaning["hits"]:
        assert hit.keys() >= {
            "path",
            "start_line",
            "end_line",
            "symbol",
            "kind",
            "language",
            "score",
            "sha",
            "fresh",
            "text",
        }
        assert hit["fresh"]
        lines = (repository / hit["path"]).read_text().splitlines()
        assert "\n".join(lines[hit["start_line"] - 1 : hit["end_line"]]).strip() == hit["text"].strip()


def test_search_by_language(home: Home, repository: Path) -> None:
    hits = home.run("search", "cart", "--path", repository, "--lang", "typescript", "--json").json["hits"]
    assert hits and {hit["language"] for hit in hits} == {"typescript"}
    assert home.run("search", "cart", "--path", repository, "--lang", "TS", "--json").json["hits"] == hits
    refused = home.run("search", "cart", "--path", repository, "--lang", "cobol", code=2)
    assert "cobol" in refused.err and "typescript" in refused.err


def test_uses_tells_where_none_can_be_known(home: Home, repository: Path) -> None:
    (repository / "stock.cpp").write_text("class Shelf {\n  int take_one(int count) { return count - 1; }\n};\n")
    found = home.run("uses", "Shelf::take_one", "--path", repository, "--json").json
    assert [place["symbol"] for place in found["definitions"]] == ["Shelf.take_one"]
    assert (found["uses"], found["note"]) == ([], "uses are not known for cpp")
    assert found["note"] in home.run("uses", "take_one", "--path", repository).err


def test_a_secret_file_is_absent_everywhere(home: Home, repository: Path) -> None:
    found = home.run("search", "CANARY_IN_ENV never-to-be-indexed-7c1d", "--path", repository, "--json")
    assert found.json["hits"], "by meaning something is always near"
    assert "never-to-be-indexed" not in found.out.replace('"query": "CANARY_IN_ENV never-to-be-indexed-7c1d"', "")
    complete = home.run("complete", f"{repository / '.env'}:1:5", "--json").json
    assert complete["items"] == [] and "exclu" in complete["reason"]
    kept = subprocess.run(
        ["grep", "-rl", "never-to-be-indexed-7c1d", str(home.path)], capture_output=True, text=True, check=False
    )
    assert kept.stdout == ""


def test_complete_answers_with_stages_and_timings(home: Home, repository: Path) -> None:
    file = repository / "shop" / "cart.py"
    file.write_text(file.read_text() + "\n\ndef subtract(a, b):\n    return ")
    line = len(file.read_text().splitlines())
    answer = home.run("complete", f"{file}:{line}:12", "--json").json
    assert answer["model"] == "smollm2-135m"
    assert answer["items"][0]["text"].strip()
    assert answer["items"][0]["score"] < 0
    assert answer["timings_ms"].keys() >= {"context", "queue", "prefill", "decode", "clean", "total"}
    assert {stage["stage"] for stage in answer["stages"]} >= {"prefilter", "cache"}
    assert answer["reason"] is None


def test_ask_cites_places_that_exist(home: Home, repository: Path) -> None:
    answer = home.run("ask", "How is a discount applied to a total?", "--path", repository, "--json").json
    assert not answer["abstained"]
    assert answer["route"]["target"] == "local"
    assert any(citation["path"] == "shop/cart.py" for citation in answer["citations"])
    for citation in answer["citations"]:
        lines = (repository / citation["path"]).read_text().splitlines()
        assert 1 <= citation["start_line"] <= citation["end_line"] <= len(lines)
        assert f"[{citation['n']}]" in answer["answer"]


def test_ask_says_so_when_the_repository_does_not_answer(home: Home, repository: Path) -> None:
    answer = home.run(
        "ask", "Which kubernetes namespace hosts the zeppelin telemetry?", "--path", repository, "--json"
    ).json
    assert answer["abstained"] and answer["citations"] == []


def test_ask_says_what_the_repository_does_not_know(home: Home, repository: Path) -> None:
    question = "How is the total of a cart charged to PayPal?"
    answer = home.run("ask", question, "--path", repository, "--json").json
    assert answer["abstained"] and "nothing in it speaks of PayPal" in answer["answer"]
    assert all((repository / citation["path"]).is_file() for citation in answer["citations"])


@pytest.mark.parametrize(
    ("question", "path"),
    [("What does this project do?", "README.md"), ("What calls reserve?", "shop/cart.py")],
)
def test_ask_about_the_whole_and_about_callers(home: Home, repository: Path, question: str, path: str) -> None:
    answer = home.run("ask", question, "--path", repository, "--json").json
    assert not answer["abstained"] and path in {citation["path"] for citation in answer["citations"]}
    for citation in answer["citations"]:
        assert (repository / citation["path"]).is_file() and f"[{citation['n']}]" in answer["answer"]


def test_refactor_without_an_endpoint_is_local_and_says_so(home: Home, repository: Path) -> None:
    place = f"{repository / 'shop' / 'cart.py'}:39-43"
    done = home.run("refactor", place, "add type hints", "--json", code=None)
    result = done.json
    assert done.code == (0 if result["edits"] else 1) and result["route"]["target"] == "local"
    assert "no closed" in result["route"]["reason"] or "endpoint" in result["route"]["reason"]
    assert result.keys() >= {"route", "request_id", "edits", "diff", "checks", "redactions", "applied"}
    assert not result["applied"]
    for edit in result["edits"]:
        assert edit["path"] == "shop/cart.py" and re.fullmatch("[0-9a-f]{40}", edit["base_sha"])


@pytest.mark.parametrize(
    ("module", "name", "before"),
    [
        ("cart", "apply_discount", ""),
        ("parity", "is_even", ""),
        ("parity", "is_even", '"""Of numbers."""\n\n\ndef test_nothing():\n    assert True\n'),
    ],
)
def test_tests_come_whole_or_not_at_all(home: Home, repository: Path, module: str, name: str, before: str) -> None:
    """As a rule the smallest model manages the second and not the first; the tree is sound either way."""
    (repository / "shop" / "parity.py").write_text("def is_even(number):\n    return number % 2 == 0\n")
    file = repository / "tests" / f"test_{module}.py"
    if before:
        file.parent.mkdir()
        file.write_text(before)

    def there() -> str:
        return file.read_text() if file.exists() else ""

    def others() -> set[str]:
        command = ["git", "status", "--porcelain", "--untracked-files=all"]
        listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
        return {line[3:] for line in listed.splitlines()} - {f"tests/test_{module}.py"}

    change = ("refactor", f"{repository / 'shop' / module}.py:{name}", "cover the limits", "--tests", "--json")
    only = home.run(*change, code=None)
    shown = only.json
    assert only.code == (0 if shown["edits"] else 1)
    assert shown["route"]["target"] == "local" and not shown["applied"]
    assert [edit["path"] for edit in shown["edits"]] == [f"tests/test_{module}.py"] if shown["edits"] else shown["note"]
    assert there() == before, "nothing is written that was not asked for"

    done = home.run(*change, "--apply", code=None)
    assert others() == {"shop/parity.py"}
    if done.code == 0:
        assert done.json["applied"] and done.json["checks"]["parses"]
        tests = [node.name for node in ast.parse(there()).body if isinstance(node, ast.FunctionDef)]
        assert len(tests) > before.count("def ") and all(test.startswith("test_") for test in tests)
        assert f"from shop.{module} import {name}\n" in there() and there().endswith("\n")
        assert before.partition("def ")[2] in there(), "what was there stays"
    else:
        assert done.code == 1 and there() == before
        assert re.search("nothing to apply: .|not applied: .", done.err) and len(done.err.strip().splitlines()) == 1


def test_asking_for_the_closed_model_without_one_is_refused(home: Home, repository: Path) -> None:
    place = f"{repository / 'shop' / 'cart.py'}:39-43"
    refused = home.run("refactor", place, "add type hints", "--target", "closed", code=3)
    assert refused.out == "" and len(refused.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["complete", "nowhere.py:1:1"], 4),
        (["complete", "README.md"], 2),
        (["complete", "README.md:999:1"], 2),
        (["refactor", "README.md:9-2", "x"], 2),
        (["search"], 2),
        (["frobnicate"], 2),
        (["models", "info", "no-such-model"], 4),
        (["index", "no-such-folder"], 4),
    ],
)
def test_exit_codes(home: Home, repository: Path, arguments: list[str], code: int) -> None:
    result = home.run(*arguments, code=code, cwd=repository)
    assert result.out == "" and result.err.strip()


def test_without_models_every_command_names_the_pull(tmp_path: Path, repository: Path) -> None:
    empty = make_home(tmp_path / "empty", None)
    try:
        for arguments in (["index", "."], ["index", "--adapt"], ["complete", "shop/cart.py:4:1"], ["ask", "why?"]):
            assert "models pull" in empty.run(*arguments, code=4, cwd=repository).err
    finally:
        empty.run("host", "stop", code=None)


@pytest.mark.parametrize("command", cli.list_commands(click.Context(cli)))
def test_every_command_has_help(home: Home, command: str) -> None:
    assert "Usage:" in home.run(command, "--help").out


def test_the_torch_engine_serves_on_a_cpu_too(fresh_home: Callable[..., Home], repository: Path) -> None:
    torch = fresh_home(POINTSMAN_ENGINE="torch")
    answer = torch.run("complete", f"{repository / 'shop' / 'cart.py'}:43:12", "--json").json
    assert answer["items"] or answer["reason"]
    engines = torch.run("host", "status", "--json").json["engines"]
    # One that writes, and perhaps already the one that embeds for the index.
    assert {(engine["name"], engine["state"]) for engine in engines} >= {("torch", "ready")}
    assert {engine["name"] for engine in engines} == {"torch"}
