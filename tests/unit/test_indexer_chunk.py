"""Chunks, their lines, and the terms they are found by."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman_indexer.chunk import LONGEST, Chunk, chunk
from pointsman_indexer.lines import Lines
from pointsman_indexer.outline import outline
from pointsman_indexer.parse import parse
from pointsman_indexer.terms import document_vector, query_vector, terms


def chunks(source: str | bytes, language: str = "python", path: str = "a.py") -> list[Chunk]:
    data = source.encode() if isinstance(source, str) else source
    return chunk(path, language, Lines(data), parse(data, language))


def spans(found: list[Chunk]) -> list[tuple[int, int, str, str]]:
    return [(one.start_line, one.end_line, one.symbol, one.kind) for one in found]


def test_module_head_functions_class_head_and_methods() -> None:
    source = (
        '"""Head."""\nimport os\n\n\n# Says.\n@wraps\ndef run():\n    return 1\n\n\nclass Cart(Base):\n'
        '    """Doc."""\n\n'
        "    limit = 3\n\n    def add(self):\n        return 2\n\n    def total(self):\n        return 3\n"
    )
    assert spans(chunks(source)) == [
        (1, 2, "", "module"),
        (5, 8, "run", "function"),
        (11, 14, "Cart", "class"),
        (16, 17, "Cart.add", "method"),
        (19, 20, "Cart.total", "method"),
    ]


def test_a_class_without_members_stays_whole_and_a_bare_head_joins_its_first_member() -> None:
    assert spans(chunks("class A:\n    x = 1\n    y = 2\n")) == [(1, 3, "A", "class")]
    assert spans(chunks("class A:\n    def f(self):\n        pass\n\n    def g(self):\n        pass\n")) == [
        (1, 3, "A.f", "method"),
        (5, 6, "A.g", "method"),
    ]


def test_a_long_function_is_split_with_its_header() -> None:
    source = "def long(x):\n" + "".join(f"    step_{n}(x)\n" + "\n" * (n % 10 == 0) for n in range(400))
    found = chunks(source)
    assert len(found) > 3
    assert all(one.end_line - one.start_line < LONGEST and one.symbol == "long" for one in found)
    assert found[0].header == "" and all(one.header == "def long(x):" for one in found[1:])
    assert "def long(x):" in found[2].embedding_text and found[2].embedding_text.startswith("a.py\nlong\n")


def test_text_without_a_grammar_is_windows() -> None:
    found = chunks("".join(f"line {n}\n" for n in range(100)), "text", "a.txt")
    assert [(one.start_line, one.end_line, one.kind) for one in found] == [
        (1, 40, "text"),
        (36, 75, "text"),
        (71, 100, "text"),
    ]


def test_one_endless_line_is_cut() -> None:
    [one] = chunks(b"x" * 1_000_000, "text", "a.txt")
    assert (one.start_line, one.end_line, len(one.text)) == (1, 1, 8000)


def test_the_hash_is_of_content_not_of_place() -> None:
    first, second = chunks("def f():\n    pass\n")[0], chunks("\n\n\ndef f():\n    pass\n", path="b.py")[0]
    assert first.sha256 == second.sha256 and first.start_line != second.start_line
    assert chunks("def f():\n    pass  \n")[0].sha256 != first.sha256


@pytest.mark.parametrize("language", ["python", "javascript", "markdown", "text"])
@settings(max_examples=40, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            [
                "def f():\n",
                "    x = 1\r\n",
                "class A:\n",
                "# c\n",
                "\n",
                "function g() {\n",
                "}\r",
                "## H\n",
                "word\n",
                "\xff\u2028",
            ]
        ),
        max_size=60,
    )
)
def test_every_line_with_a_word_is_in_a_chunk_and_text_is_exact(language: str, pieces: list[str]) -> None:
    data = "".join(pieces).encode()
    lines = Lines(data)
    covered: set[int] = set()
    for one in chunk("p", language, lines, parse(data, language)):
        assert one.text == lines.text(one.start_line, one.end_line)
        covered |= set(range(one.start_line, one.end_line + 1))
    assert {n for n in range(1, len(lines) + 1) if re.search(r"\w", lines.text(n, n))} <= covered


def test_lines() -> None:
    lines = Lines(b"a\r\nb\rc\n\nd\x0c\xe2\x80\xa8e")
    assert [lines.text(n, n) for n in range(1, len(lines) + 1)] == ["a\r\n", "b\r", "c\n", "\n", "d\x0c\u2028e"]
    assert len(Lines(b"")) == 0 and len(Lines(b"\n")) == 1 and lines.at(10_000) == 5


def test_terms_split_identifiers_and_keep_them_whole() -> None:
    assert list(terms("parseHTTPHeader2 snake_case_name CONST_X cookies")) == [
        *("parsehttpheader2", "parse", "http", "header"),
        *("snake_case_name", "snake", "case", "name"),
        *("const_x", "const"),
        "cookie",
    ]
    assert list(terms("x" * 100)) == []


@pytest.mark.parametrize(
    "one, many", [("cookie", "cookies"), ("query", "queries"), ("class", "classes"), ("box", "boxes")]
)
def test_singular_and_plural_are_one_term(one: str, many: str) -> None:
    assert list(terms(one)) == list(terms(many))


def test_bm25_weights_saturate_and_suffer_from_length() -> None:
    once, thrice = document_vector("needle"), document_vector("needle needle needle")
    buried = document_vector("needle " + "hay " * 500)
    [index] = query_vector("needle").indices
    weight = {v: dict(zip(v.indices, v.values, strict=True))[index] for v in (once, thrice, buried)}
    assert weight[buried] < weight[once] < weight[thrice] < 3 * weight[once]


def test_outline_keeps_its_budget_and_prefers_what_is_asked_for() -> None:
    source = b"class Cart:\n    def add(self):\n        pass\n\n    def refund_order(self):\n        pass\n\nX = 1\n"
    files = {"a.py": parse(source, "python").symbols}
    whole = outline(files, 200)
    assert whole.splitlines()[:2] == ["a.py:", "1: class Cart:"] and "add(self)" in whole and "X = 1" in whole
    small = outline(files, 14, "how is an order refunded: refund")
    assert "refund_order" in small and "class Cart" not in small
    assert outline(files, 0) == ""
