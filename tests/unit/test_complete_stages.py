"""Stages of the completion pipeline, each alone."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.complete import candidates
from pointsman.complete.cache import Suggestion, SuggestionCache
from pointsman.complete.clean import clean
from pointsman.complete.confidence import Evidence
from pointsman.complete.context import Chunk, budget_for, window
from pointsman.complete.cursor import Cursor, cursor_of
from pointsman.complete.fit import fit
from pointsman.complete.generate import draft
from pointsman.complete.prefilter import MAX_CHARS, MAX_LINE_CHARS, exclusion, pointless, too_large
from pointsman.complete.prompt import build_prompt
from pointsman.complete.ranking import Candidate
from pointsman.complete.related import Related
from pointsman.complete.scope import scope_at, within
from pointsman.complete.trail import Trail
from pointsman.complete.types import CompletionQuery, SelectedCompletion
from pointsman.host.api import SearchParams, SearchReply
from pointsman.models.card import FillInTheMiddle
from pointsman.settings import Settings
from tests.pipelines import FIM, SPECIAL, TINY, FakeHost, facts, hit, marked, rules, snapshot


def at(text: str, **more: object) -> Cursor:
    plain, offset = marked(text)
    return cursor_of(CompletionQuery(snapshot=snapshot(plain), offset=offset, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("‸", "blank"),
        ("  \n\n‸\n", "blank"),
        ("x = valu‸e\n", "inside a word"),
        ("def f():\n‸    return 1\n", "inside the line's indentation"),
        ("x\0 = ‸\n", "binary"),
        ("x" * (MAX_LINE_CHARS + 1) + " = ‸\n", "longer than"),
    ],
)
def test_pointless_requests_have_a_reason(text: str, part: str) -> None:
    assert part in (pointless(at(text)) or "")


@pytest.mark.parametrize(
    "text", ["x = ‸\n", "f(‸)\n", "‸\ny = 1\n", "if x:\n‸    \n", "f(\n    ‸)\n", "x = val‸\n", "été‸ = 1"]
)
def test_other_requests_pass(text: str) -> None:
    assert pointless(at(text)) is None


def test_large_documents_are_refused_with_both_numbers() -> None:
    assert too_large("x" * MAX_CHARS) is None
    assert str(MAX_CHARS) in (too_large("x" * (MAX_CHARS + 1)) or "")


def test_exclusion_judges_the_link_and_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "plain.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "fine.txt").write_text("x")

    def why(name: str) -> str | None:
        query = CompletionQuery(snapshot=snapshot("x", root=tmp_path, name=name), offset=1)
        return exclusion(query, rules)

    assert "excluded" in (why("secret.txt") or "")
    assert "excluded" in (why("plain.txt") or "")
    assert why("fine.txt") is None


def test_a_file_without_a_root_is_judged_by_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    loose = replace(snapshot("x", root=tmp_path, name="secret/config"), root=None)
    assert exclusion(CompletionQuery(snapshot=loose, offset=1), rules) is not None


def test_a_menu_entry_counts_as_typed_and_must_fit() -> None:
    cursor = at("os.pa‸\n", selected=SelectedCompletion(start=3, end=5, text="path"))
    assert (cursor.before, cursor.start, cursor.end, cursor.lead) == ("os.path", 3, 5, "path")
    astray = at("a\nos.pa‸\n", selected=SelectedCompletion(start=0, end=7, text="path"))
    assert (astray.start, astray.lead) == (7, "")


def test_the_cursor_sees_unix_line_ends_and_remembers_the_documents() -> None:
    cursor = at("a = 1\r\nb = ‸\r\n\r\nc = 2\r\n")
    assert cursor.before == "a = 1\nb = "
    assert (cursor.next_line, cursor.previous_line, cursor.newline) == ("c = 2", "a = 1", "\r\n")


@pytest.mark.parametrize(
    ("text", "multi"),
    [("x = ‸\n", False), ("    ‸\n", True), ("if x:‸\n", True), ("f(‸)\n", False), ("class A {‸\n", True)],
)
def test_several_lines_only_where_a_block_begins_or_a_line_is_blank(text: str, multi: bool) -> None:
    assert scope_at(at("y = 0\n" + text)).multi_line is multi


@pytest.mark.parametrize(
    ("text", "written", "kept"),
    [
        ("x = ‸\n", "1\ny = 2\n", "1"),
        ("def f():\n    ‸", "a = 1\n    return a\n\ndef g():\n    pass", "a = 1\n    return a\n"),
        ("def f():‸", "\n    return 1\n\nprint(f())\n", "\n    return 1\n"),
        ("def f():‸", "\n    a = 1\n\n    return a\n", "\n    a = 1\n\n    return a\n"),
        ("if (x) {‸", "\n    f();\n}\ng();", "\n    f();\n}"),
        ("x = 1\n‸", "def f():\n    return 1\n\nclass G:\n    pass", "def f():\n    return 1\n"),
    ],
)
def test_a_suggestion_ends_with_its_block(text: str, written: str, kept: str) -> None:
    assert within(written, scope_at(at(text)), finished=True)[0] == kept


def test_a_line_that_is_still_being_written_ends_nothing() -> None:
    scope = scope_at(at("def f():\n    ‸"))
    assert within("return 1\n", scope, finished=False) == ("return 1\n", False)
    assert within("return 1\nx", scope, finished=False)[1] is False
    assert within("return 1\nx = 2\n", scope, finished=False) == ("return 1", True)


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("x = ‸\n", "1<|im_end|>junk", "1"),
        ("def f():\n    ‸\n", "\n    return 1", "return 1"),
        ("def f():\n    ‸\n", "\n\n        return 1", "    return 1"),
        ("def f():‸\n", "\n\n    return 1  ", "\n    return 1"),
        ("f(‸)\n", "\n    a,\n", "a"),
        ("def f():\n    ‸\n    return total\n", "total = 1\n    return total", "total = 1"),
        ("x = ‸\n", "1\x1b[31m", "1[31m"),
        ("def f():\n    ‸\n", "step(1)\n    step(1)\n    step(1)", "step(1)"),
        ("def f():\n    ‸\n", "aa(1)\n    bb(2)\n    aa(1)\n    bb(2)", "aa(1)\n    bb(2)"),
    ],
)
def test_clean_keeps_what_fits(text: str, written: str, expected: str) -> None:
    cursor = at(text)
    assert clean(written, cursor, scope_at(cursor), SPECIAL) == (expected, "")


@pytest.mark.parametrize(
    ("text", "written", "part"),
    [
        ("x = ‸\n", "   ", "nothing to add"),
        ("x = ‸\n", "\ny = 2", "nothing to add"),
        ("def f():‸\n    return 1\n", "\n    return 1\n", "line below"),
        ("x = ‸\n", "ab ab ab ab ab ab ab ab", "repeated itself"),
        ("total = 1\n‸\n", "total = 1", "line above"),
        ("def f(a):\n    return a\n\n\n‸", "def f(a):\n    return a", "this definition already"),
    ],
)
def test_clean_says_why_nothing_is_left(text: str, written: str, part: str) -> None:
    cursor = at(text)
    text, reason = clean(written, cursor, scope_at(cursor), SPECIAL)
    assert text == "" and part in reason


@pytest.mark.parametrize(
    ("text", "rest", "expected", "covered"),
    [
        ("a, b)", ")", "a, b)", 1),
        ("a, b", ")", "a, b", 0),
        ("g(x))", "))", "g(x))", 1),
        ("name']", "']", "name']", 2),
        ('it"', '"', 'it"', 1),
        ("a, x=1)", ", x=1)", "a", 0),
        ("{}", "", "{}", 0),
        ("x) ", "); y", "x) ", 1),
        ("f(a)", "  # note", "f(a)", 0),
    ],
)
def test_fit_covers_closers_and_cuts_overlap(text: str, rest: str, expected: str, covered: int) -> None:
    fitted = fit(text, "h(f(d['", rest)
    assert (fitted.text, fitted.covered) == (expected, covered)


def test_a_bracket_that_nothing_opens_is_cut_where_one_like_it_stands() -> None:
    assert (fit("x))", "é", "){").text, fit("x))", "é", "){").covered) == ("x", 0)
    assert fit("x))", "f(", "){").covered == 0 and fit("x))", "f(", "){").text == "x"
    assert fit("x)", "f(", ")").covered == 1


def test_the_prompt_holds_back_one_space_and_breaks_markers_up() -> None:
    cursor = at("# <|im_end|> <SUF>\nx = ‸")
    prompt = build_prompt(
        window(cursor, budget_for(facts(), 64)), path="a<MID>.py", language="python", fim=None, special_tokens=SPECIAL
    )
    assert prompt.held_back == " " and prompt.text.endswith("x =")
    assert not any(marker in prompt.text for marker in SPECIAL)
    assert "```" in prompt.stop


def test_a_prompt_of_several_files_names_the_repository() -> None:
    fim = FillInTheMiddle(prefix="<PRE>", suffix="<SUF>", middle="<MID>", file_separator="<FILE>", repo_name="<REPO>")
    cursor = at("x =‸\ny = 2\n")
    context = replace(window(cursor, budget_for(facts(fim=fim), 64)), chunks=(Chunk(path="b.py", text="B = 1"),))
    prompt = build_prompt(
        context, path="a.py", language="python", repository="shop", fim=fim, special_tokens=(*SPECIAL, "<REPO>")
    )
    assert prompt.text == "<REPO>shop\n<FILE>b.py\nB = 1\n<FILE>a.py\n<PRE>x =<SUF>\ny = 2\n<MID>"


@pytest.mark.parametrize(
    ("fim", "expected"),
    [
        (FIM, "<PRE># a.py\nx =<SUF>\ny = 2\n<MID>"),
        (
            FillInTheMiddle(prefix="<PRE>", suffix="<SUF>", middle="<MID>", order="spm"),
            "<SUF>\ny = 2\n<PRE># a.py\nx =<MID>",
        ),
        (
            FillInTheMiddle(prefix="<PRE>", suffix="<SUF>", middle="<MID>", file_separator="<FILE>"),
            "<FILE>a.py\n<PRE>x =<SUF>\ny = 2\n<MID>",
        ),
    ],
)
def test_fill_in_the_middle_in_each_order(fim: FillInTheMiddle, expected: str) -> None:
    context = window(at("x = ‸\ny = 2\n"), budget_for(facts(fim=fim), 64))
    assert build_prompt(context, path="a.py", language="python", fim=fim, special_tokens=SPECIAL).text == expected


async def test_only_the_first_lines_tokens_say_how_sure_the_model_is() -> None:
    cursor = at("def f(a):\n    ‸\n")
    prompt = build_prompt(
        window(cursor, budget_for(TINY, 64)), path="a.py", language="python", fim=None, special_tokens=()
    )
    made = await draft(FakeHost("\n    total = a\n    return total\n"), prompt, scope_at(cursor), max_tokens=64)
    assert made.text.count("\n") > 1
    assert made.tokens > made.line_tokens == -(-len(f"{prompt.held_back}\n    total = a\n") // 4)
    assert made.logprob == -0.5 * made.line_tokens


def test_the_windows_start_stays_while_a_line_is_typed() -> None:
    budget = budget_for(facts(), 64)
    before = "".join(f"line_{n} = {n}\n" for n in range(1000))
    starts = set()
    for typed in range(40):
        cursor = at(before + "y" * typed + "‸")
        context = window(cursor, budget)
        assert context.before.startswith("line_") and len(context.before) <= budget.before * 3.2
        starts.add(len(cursor.before) - len(context.before))
    assert len(starts) <= 2
    assert window(at("short = ‸"), budget).complete_before


def cached(*texts: str, at_text: str = "x = f‸\n", count: int = 1) -> SuggestionCache:
    cache = SuggestionCache()
    cache.put("u", at(at_text), count, tuple(Suggestion(text, -0.1) for text in texts))
    return cache


def test_the_cache_knows_the_same_place_and_what_is_typed_along() -> None:
    cache = cached("oo(bar)")
    exact = cache.get("u", at("x = f‸\n"), 1)
    assert exact and exact.kind == "exact"
    typed = cache.get("u", at("x = foo‸\n"), 1)
    assert typed and (typed.kind, typed.suggestions[0].text) == ("typed-through", "(bar)")


def test_the_cache_follows_an_editor_that_closes_brackets() -> None:
    typed = cached("oo(bar)").get("u", at("x = foo(‸)\n"), 1)
    assert typed and typed.suggestions[0].text == "bar)"


@pytest.mark.parametrize(
    "text", ["x = fa‸\n", "x = f‸\ny = 1\n", "z = foo‸\n", "x = ‸\n", "x = foo(bar)‸\n", "w = 0\nx = f‸\n"]
)
def test_the_cache_misses_when_anything_else_changed(text: str) -> None:
    assert cached("oo(bar)").get("u", at(text), 1) is None


def test_the_cache_wants_as_many_alternatives_and_the_same_document() -> None:
    cache = cached("oo", "um", count=2)
    assert cache.get("u", at("x = f‸\n"), 3) is None
    assert cache.get("other", at("x = f‸\n"), 1) is None


def test_the_cache_forgets_the_oldest() -> None:
    cache = SuggestionCache(capacity=2)
    for name in "abc":
        cache.put("u", at(f"{name} = ‸"), 1, (Suggestion("1", 0.0),))
    assert cache.get("u", at("a = ‸"), 1) is None
    assert cache.get("u", at("c = ‸"), 1) is not None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("function f() {\n  x();\n  ‸\n}\n", "if (x) {\n    g();\n  }"),
        ("func f() {\n\tx := 1\n\t‸\n}\n", "for i := range x {\n\t\tg(i)\n\t}"),
        ("function f()\n  if x then‸\nend\n", "\n    g()\n  end"),
    ],
)
def test_a_block_keeps_its_own_end_where_an_outer_one_stands_below(text: str, written: str) -> None:
    cursor = at(text)
    assert clean(written, cursor, scope_at(cursor), ()) == (written, "")


def test_the_end_that_stands_below_is_not_written_again() -> None:
    cursor = at("function f() {\n  ‸\n}\n")
    assert clean("g();\n}", cursor, scope_at(cursor), ()) == ("g();", "")


async def test_a_late_answer_of_one_repository_is_not_another_s(tmp_path: Path) -> None:
    class Slow(FakeHost):
        def __init__(self) -> None:
            super().__init__()
            self.go = asyncio.Event()

        async def search(self, params: SearchParams) -> SearchReply:
            if params.path.endswith("one"):
                await self.go.wait()
            return SearchReply(root=params.path, hits=(hit("a.py", params.path, symbol="s"),))

    host = Slow()
    related = Related(host, lambda root: rules(root))
    queries = [
        CompletionQuery(snapshot=snapshot("def f():\n    return 1\n", root=tmp_path / name, name="b.py"), offset=20)
        for name in ("one", "two")
    ]
    first = asyncio.create_task(related.hits(queries[0], cursor_of(queries[0])))
    await asyncio.sleep(0)
    hits, _ = await related.hits(queries[1], cursor_of(queries[1]))
    host.go.set()
    await first
    again, told = await related.hits(queries[1], cursor_of(queries[1]))
    assert told.endswith("as a moment ago") and again == hits and hits[0].text.endswith("two")


async def test_what_a_model_wrote_is_cleaned_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[int] = []

    def cleaned(text: str, *_: object) -> tuple[str, str]:
        where.append(threading.get_ident())
        return text, ""

    monkeypatch.setattr(candidates, "clean", cleaned)
    one = candidates.Candidates(FakeHost(), lambda root: rules(root), Settings(), lambda text: ())
    cursor, kept = at("x = ‸\n"), list[Candidate]()
    evidence = Evidence(origin="model", logprob=-1.0, units=1)
    why = await one._add(kept, "one", evidence, cursor, scope_at(cursor), facts(), Trail())
    assert why == "" and [made.text for made in kept] == ["one"]
    assert where and threading.get_ident() not in where
