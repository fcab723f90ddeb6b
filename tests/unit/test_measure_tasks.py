"""Masked code, files of tasks, and how answers are scored."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pointsman.cli.eval_policy import _cases
from pointsman.errors import PointsmanError
from pointsman.measure.infilling import given, program
from pointsman.measure.masks import cut, masked
from pointsman.measure.plain import plain
from pointsman.measure.score import answer, figures, similarity
from pointsman.measure.task import MASKS, Task
from tests.pipelines import TINY, FakeHost

SOURCE = '''"""A documentation of several
lines, none of which is asked for."""

# Nor is this comment about prices.
def price(count, unit):
    if count > 10:
        discount = count * unit / 10
        return count * unit - discount
    return count * unit
'''


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "price.py").write_bytes(SOURCE.replace("\n", "\r\n").encode())
    (root / "notes.md").write_text("# Notes about prices\n")
    (root / "latin.py").write_bytes("name = 'é'\n".encode("latin-1"))
    return root


def test_each_mask_fits_its_file_and_no_answer_is_left_in_the_copy(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    tasks = masked(repository, copy, MASKS, 100, 0, ())
    assert {task.kind for task in tasks} == set(MASKS)
    for task in tasks:
        assert task.path == "pkg/price.py" and task.language == "python"
        assert task.before + task.truth + task.after == SOURCE
    lines = [task.truth for task in tasks if task.kind == "line"]
    assert lines == [line.strip() for line in SOURCE.splitlines()[4:]]
    assert [task.truth for task in tasks if task.kind == "block"] == [
        "\n".join(SOURCE.splitlines()[5:]).strip(),
        "discount = count * unit / 10\n        return count * unit - discount",
    ]
    for task in tasks:
        if task.kind == "rest":
            assert task.before.splitlines()[-1].strip() and "\n" not in task.truth
    left = (copy / "pkg" / "price.py").read_text()
    assert left.count("\n") == SOURCE.count("\n")
    assert not [line for line in lines if line in left]
    assert (copy / "notes.md").read_bytes() == (repository / "notes.md").read_bytes()
    assert (copy / "latin.py").read_bytes() == (repository / "latin.py").read_bytes()


def test_the_same_seed_draws_the_same(repository: Path, tmp_path: Path) -> None:
    drawn = [masked(repository, tmp_path / str(n), ("line",), 2, seed, ()) for n, seed in enumerate((3, 3))]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 2


def test_cutting_takes_overlaps_and_keeps_line_ends() -> None:
    assert cut("ab\ncd\nef", [(1, 4), (3, 7)]) == "a\n\nf"


def test_similarity_is_levenshteins() -> None:
    assert similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert (similarity("", ""), similarity("a", ""), similarity("ab", "ab")) == (1.0, 0.0, 1.0)


def test_only_the_lines_asked_for_count() -> None:
    assert answer("a = 1  \nb = 2\n", 1) == "a = 1"
    assert answer("a = 1  \nb = 2\n", 0) == "a = 1\nb = 2"
    assert figures("x = 1\ny", "x = 1", 1, None) == {"exact": 1.0, "similarity": 1.0, "answered": 1.0}
    assert figures("", "x = 1", 1, False) == {"exact": 0.0, "similarity": 0.0, "answered": 0.0, "pass@1": 0.0}


@pytest.mark.parametrize(
    ("before", "lines", "prompt", "held", "solid", "written", "text"),
    [
        ("def one():\n    ", 1, "def one():\n   ", " ", True, " return 1", "return 1"),
        ("def one():\n    ", 0, "def one():\n   ", " ", True, " return 1\n\nx = 2", "return 1\n"),
        ("x = ma", 1, "x =", " ma", False, " max(y)", "x(y)"),
        ("def one():\n", 1, "def one():\n", "", False, "    return 1", "    return 1"),
    ],
)
async def test_the_peer_joins_its_answer_to_what_stands_there_as_the_pipeline_does(
    before: str, lines: int, prompt: str, held: str, solid: bool, written: str, text: str
) -> None:
    host = FakeHost(written)
    task = Task(kind="line", path="a.py", language="python", before=before, after="\n", truth="return 1", lines=lines)
    assert await plain(host, TINY, task, 16) == text  # type: ignore[arg-type]
    sampling = host.asked[0].request.sampling
    assert (host.prompt, sampling.begin, sampling.solid) == (prompt, held, solid)


ROW = {
    "prompt": "def one():\n",
    "suffix": "",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "entry_point": "one",
}


def test_rows_become_documents_with_a_line_of_their_own_for_the_cursor(tmp_path: Path) -> None:
    (tmp_path / "HumanEval-SingleLineInfilling.jsonl.gz").write_bytes(gzip.compress(json.dumps(ROW).encode()))
    (tmp_path / "mine.jsonl").write_text(json.dumps(ROW | {"path": "a.go", "test": "", "suffix": "}"}) + "\n\n")
    single, mine = given(tmp_path, 5, 0)
    assert (single.kind, single.lines, single.language) == ("HumanEval-SingleLineInfilling", 1, "python")
    assert (single.before, single.truth, single.after) == ("def one():\n", "    return 1", "\n")
    assert program(single, "X").startswith("X\ndef check") and program(single, "X").rstrip().endswith("check(one)")
    assert (mine.kind, mine.lines, mine.language, mine.tail, mine.after) == ("mine", 0, "go", "", "\n}")


def test_a_row_may_hold_any_character_that_ends_a_line_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    file.write_bytes((json.dumps(ROW | {"suffix": "# \u2028 \x85"}, ensure_ascii=False) + "\r\n").encode())
    assert [task.after for task in given(file, 5, 0)] == ["\n# \u2028 \x85"]
    file.write_text('{"task": "\u2028", "expect": "local"}\n', "utf-8")
    assert [case["task"] for case in _cases(file)] == ["\u2028"]


@pytest.mark.parametrize("line", ["not JSON", "[]", '{"prompt": ""}', json.dumps(ROW | {"entry_point": "a b"})])
def test_a_wrong_row_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text(f"{json.dumps(ROW)}\n{line}\n")
    with pytest.raises(PointsmanError, match=r"t\.jsonl line 2"):
        given(file, 5, 0)
