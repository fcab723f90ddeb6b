"""Figures against sums done by hand; tasks and searches on a small repository made for it."""

from __future__ import annotations

import json
from collections import Counter
from math import log2
from pathlib import Path

import pytest

from pointsman_indexer import HashEmbedder, IndexerError, Progress
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.evaluate.keyword import KeywordSearch
from pointsman_indexer.evaluate.metrics import figures, interval, percentile, summary
from pointsman_indexer.evaluate.run import SYSTEMS, evaluate
from pointsman_indexer.evaluate.tasks import Place, commit_tasks, docstring_tasks, file_tasks

from .indexer_repo import CountingEmbedder, Repo

COOKIES = '''"""Where requests come in."""


def split_jar(line):
    """Take the header of stored crumbs apart into a mapping."""
    found = {}
    for part in line.split(";"):
        name, _, rest = part.partition("=")
        found[name.strip()] = rest.strip()
    return found


class Sender:
    def retry(self, times):
        """Try again after a pause that doubles."""
        for number in range(times):
            self.wait(2**number)
            if self.send():
                return True
        return False


class AsyncSender:
    async def retry(self, times):
        """Try again after a pause that doubles."""
        for number in range(times):
            await self.wait(2**number)
            if await self.send():
                return True
        return False
'''
TAX = '''def gross_price(net, rate):
    """Gross price of a net price and a rate in percent."""
    if rate < 0:
        raise ValueError(rate)
    return net * (100 + rate) // 100
'''


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.write("shop/cookies.py", COOKIES)
    made.write("shop/tax.py", TAX)
    made.write("README.md", "# Shop\n\nSells crumbs.\n")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "Read the crumbs that a browser sends back")
    made.write("shop/tax.py", TAX.replace("rate < 0", "not 0 <= rate <= 100"))
    made.git("commit", "-q", "-a", "-m", "Refuse a rate of more than everything (#12)")
    return made


def chunk(path: str, start: int, text: str, symbol: str = "") -> Chunk:
    end = start + text.count("\n")
    return Chunk(
        path=path, start_line=start, end_line=end, symbol=symbol, kind="function", language="python", text=text
    )


def test_figures_of_one_answer_found_third() -> None:
    found = figures([None, None, 0, 0], 1)
    assert found["mrr@10"] == pytest.approx(1 / 3)
    assert found["ndcg@10"] == pytest.approx(1 / log2(4))
    assert (found["recall@1"], found["recall@5"], found["recall@10"]) == (0, 1, 1)


def test_figures_of_several_answers() -> None:
    # Three answers: the second is given first and again third, the first fourth, the last never.
    found = figures([1, None, 1, 0], 3)
    assert found["mrr@10"] == 1
    assert found["ndcg@10"] == pytest.approx((1 + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / log2(4)))
    assert found["recall@1"] == 1
    assert found["recall@5"] == pytest.approx(2 / 3)


def test_figures_of_nothing_found_and_of_what_comes_too_late() -> None:
    assert set(figures([], 2).values()) == {0}
    assert set(figures([None] * 10 + [0], 1).values()) == {0}


def test_an_interval_holds_the_mean_and_narrows_with_more_values() -> None:
    few, many = interval([0.0, 1.0] * 10), interval([0.0, 1.0] * 500)
    for value, low, high in (few, many):
        assert low <= value == 0.5 <= high
    assert many[2] - many[1] < few[2] - few[1]
    # The standard error of a fair coin's mean is 0.5 / sqrt(n); the interval is 1.96 of them to each side.
    assert many[2] - many[1] == pytest.approx(2 * 1.96 * 0.5 / 1000**0.5, rel=0.15)
    assert interval([0.25]) == (0.25, 0.25, 0.25)
    assert interval([0.0, 1.0, 1.0]) == interval([0.0, 1.0, 1.0])


def test_a_summary_is_of_each_figure() -> None:
    assert summary([{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0}])["b"] == (1.0, 1.0, 1.0)
    assert summary([]) == {}


def test_percentiles_by_nearest_rank() -> None:
    assert [percentile([3.0, 1.0], percent) for percent in (50, 95)] == [1.0, 3.0]
    assert percentile([float(number) for number in range(100, 0, -1)], 95) == 95


def test_keywords_count_different_words_before_many_of_one() -> None:
    search = KeywordSearch(
        [chunk("a.py", 1, "cookie cookie cookie"), chunk("b.py", 1, "Parse the COOKIE"), chunk("c.py", 1, "nothing")]
    )
    assert [hit.path for hit in search.find("where do we parse a cookie?", 10)] == ["b.py", "a.py"]
    assert [hit.path for hit in search.find("parse a cookie", 1)] == ["b.py"]
    assert search.find("unheard", 10) == []


def test_keywords_give_neighbouring_parts_of_a_function_as_one() -> None:
    search = KeywordSearch([chunk("a.py", 1, "cookie\njar", "f"), chunk("a.py", 3, "cookie", "f")])
    (hit,) = search.find("cookie", 10)
    assert (hit.start_line, hit.end_line) == (1, 3)


def test_docstrings_ask_for_functions_in_a_copy_without_them(repo: Repo, tmp_path: Path) -> None:
    tasks = {task.query: task for task in docstring_tasks(repo.root, tmp_path / "copy", 100)}
    copied = (tmp_path / "copy/shop/cookies.py").read_text()
    assert "crumbs" not in copied and "doubles" not in copied
    assert len(copied.splitlines()) == len(COOKIES.splitlines())
    crumbs = tasks["Take the header of stored crumbs apart into a mapping"]
    assert crumbs.answers == ((Place(path="shop/cookies.py", start_line=4, end_line=10),),)
    assert crumbs.few_shared
    assert not tasks["Gross price of a net price and a rate in percent"].few_shared
    twice = tasks["Try again after a pause that doubles"]
    assert [place.start_line for place in twice.answers[0]] == [14, 24]


def test_tasks_are_drawn_alike_each_time_and_leave_out_what_is_excluded(repo: Repo, tmp_path: Path) -> None:
    first = docstring_tasks(repo.root, tmp_path / "one", 2)
    assert len(first) == 2
    assert first == docstring_tasks(repo.root, tmp_path / "two", 2)
    (only,) = docstring_tasks(repo.root, tmp_path / "three", 9, ["cookies.py"])
    assert only.answers[0][0].path == "shop/tax.py"
    assert not (tmp_path / "three/shop/cookies.py").exists()


def test_a_comment_that_documents_is_no_part_of_the_answer(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "go")
    repo.write("a.go", "package a\n\n// Twice gives the double of any number it is handed.\nfunc Twice(n int) int {\n")
    repo.write(
        "b.go",
        "package a\n\n// Half gives the lesser part of any number it is handed.\n"
        "func Half(n int) int {\n\treturn n / 2\n}\n",
    )
    places = [task.answers[0][0] for task in docstring_tasks(repo.root, tmp_path / "copy", 9)]
    assert Place(path="b.go", start_line=4, end_line=6) in places


def test_commits_ask_for_their_files(repo: Repo) -> None:
    newest, oldest = commit_tasks(repo.root, 10)
    assert newest.query == "Refuse a rate of more than everything"
    assert newest.answers == ((Place(path="shop/tax.py"),),)
    assert {places[0].path for places in oldest.answers} == {"shop/cookies.py", "shop/tax.py", "README.md"}


def test_a_task_file(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    rows = [
        {"query": "where?", "path": "a.py", "start_line": 3, "end_line": 9, "also": [{"path": "b.py"}]},
        {"query": "which line?", "path": "a.py", "start_line": 5, "kind": "line"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    first, second = file_tasks(file, 10)
    assert first.answers == ((Place(path="a.py", start_line=3, end_line=9), Place(path="b.py")),)
    assert (first.kind, second.kind) == ("question", "line")
    assert second.answers == ((Place(path="a.py", start_line=5, end_line=5),),)


@pytest.mark.parametrize(
    "row",
    ["{", "[]", '"text"', '{"query": "x"}', '{"query": "", "path": "a"}', '{"query": "x", "path": "a", "also": 1}'],
)
def test_a_wrong_row_is_named_but_not_quoted(tmp_path: Path, row: str) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text('{"query": "x", "path": "a"}\n' + row)
    with pytest.raises(IndexerError, match=r"^tasks\.jsonl line 2: not a task$") as caught:
        file_tasks(file, 10)
    assert caught.value.remedy


def test_the_questions_of_the_benchmark_are_tasks() -> None:
    file = Path(__file__).parents[2] / "bench" / "data" / "questions.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(file_tasks(file, 1000)) == len(rows) == len({row["query"] for row in rows}) == 597
    assert Counter(row["split"] for row in rows) == {"train": 153, "dev": 60, "test": 216, "held": 48, "other": 120}
    learned_from = {row["package"] for row in rows if row["split"] == "train"}
    assert not learned_from & {row["package"] for row in rows if row["split"] == "test"}


def test_an_evaluation_of_a_repository(repo: Repo, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps({"query": "gross price", "path": "shop/tax.py", "start_line": 1, "end_line": 5}))
    stages: list[str] = []
    report = evaluate(repo.root, HashEmbedder(), tasks_file=file, progress=lambda step: stages.append(step.stage))
    assert {kind: found["n"] for kind, found in report["tasks"].items()} == {"docstring": 3, "commit": 2, "question": 1}
    assert report["skipped"] == {}
    assert "ask" in stages
    for found in report["tasks"].values():
        assert tuple(found["systems"]) == SYSTEMS
        for figures_ in found["systems"].values():
            assert all(low <= value <= high for value, low, high in figures_.values())
        assert found["query_ms"]["p50"] <= found["query_ms"]["p95"]
    question = report["tasks"]["question"]
    assert question["systems"]["bm25"]["mrr@10"] == (1.0, 1.0, 1.0)
    assert report["tasks"]["docstring"]["few_shared"]["n"] == 2
    assert json.loads(json.dumps(report))["embedder"] == "hash-256"


def test_the_copy_and_the_repository_are_embedded_once_where_they_are_alike(repo: Repo) -> None:
    both, plain = CountingEmbedder(), CountingEmbedder()
    evaluate(repo.root, both)
    evaluate(repo.root, plain, kinds=["commit"])
    documents = [text for text in both.seen if "Sells crumbs" in text]
    assert len(documents) == 1
    assert set(plain.seen) <= set(both.seen)


def test_without_history_and_documentation_it_says_why(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/a.py").write_text("def f(x):\n    return x\n")
    report = evaluate(tmp_path / "bare", HashEmbedder())
    assert report["tasks"] == {}
    assert report["skipped"].keys() == {"docstring", "commit"}


def test_what_progress_raises_ends_it(repo: Repo) -> None:
    def stop(step: Progress) -> None:
        raise IndexerError("stopped")

    with pytest.raises(IndexerError, match="stopped"):
        evaluate(repo.root, HashEmbedder(), progress=stop)
    assert not (repo.root / "index").exists()
