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


def test_module_head_functions_and_a_class_with_its_short_methods() -> None:
    source = (
        '"""Head."""\nimport os\n\n\n# Says.\n@wraps\ndef run():\n    return 1\n\n\nclass Cart(Base):\n'
        '    """Doc."""\n\n    limit = 3\n\n    def add(self):\n        return 2\n\n'
        "    def total(self):\n        a = 1\n        b = 2\n        return a + b\n"
    )
    found = chunks(source)
    assert spans(found) == [
        (1, 2, "", "module"),
        (5, 8, "run", "function"),
        (11, 17, "Cart", "class"),
        (19, 22, "Cart.total", "method"),
    ]
    assert [one.names for one in found] == [(), ("run",), ("Cart", "Cart.add"), ("Cart.total",)]
    assert [one.doc for one in found] == ["Head.", "Says.", "Doc.", ""]
    assert found[3].scope == "class Cart(Base):" and found[3].signature == "def total(self):"


def test_a_bare_class_head_joins_its_first_long_method_and_documented_ones_stay_alone() -> None:
    assert spans(chunks("class A:\n    x = 1\n    y = 2\n")) == [(1, 3, "A", "class")]
    source = (
        "class A:\n    def f(self):\n        a = 1\n        b = 2\n        return a + b\n\n"
        '    def g(self):\n        """Doc."""\n        return 1\n\n'
        "    @property\n    def x(self):\n        return self._x\n\n    def y(self):\n        return 2\n"
    )
    found = chunks(source)
    assert spans(found) == [(1, 5, "A.f", "method"), (7, 9, "A.g", "method"), (11, 16, "A", "class")]
    assert found[0].names == ("A", "A.f") and found[2].names == ("A.x", "A.y")
    assert found[2].header == "class A:"


def test_constants_share_a_chunk_and_one_among_functions_has_its_own() -> None:
    body = "    a = 1\n    b = 2\n    return a + b\n\n\n"
    source = f"import os\n\nA = 1\nB = 2\n\n\ndef f():\n{body}LATE = 3\n\n\ndef g():\n{body}"
    found = chunks(source)
    assert [(one.symbol, one.kind) for one in found] == [
        *(("", "module"), ("f", "function"), ("LATE", "variable"), ("g", "function"))
    ]
    assert found[0].names == ("A", "B")


def test_what_says_nothing_alone_goes_with_what_it_leads_to() -> None:
    body = "        a = 1\n        b = 2\n        return a + b\n"
    source = f"import os\nif os:\n    def f():\n{body}else:\n    def h():\n{body}\n# Title.\n\n\ndef g():\n{body}"
    assert [one.text.splitlines()[0] for one in chunks(source)] == ["import os", "else:", "# Title."]


def test_overloads_and_accessors_are_one_chunk() -> None:
    source = (
        "@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...\n"
        "def f(x):\n    a = 1\n    b = 2\n    return x\n\n\ndef g(x):\n    a = 1\n    b = 2\n    return x\n"
    )
    assert spans(chunks(source)) == [(1, 8, "f", "function"), (11, 14, "g", "function")]
    typed = "export function f(a: string): A;\nexport function f(a: number): A {\n  go();\n  go();\n  return a;\n}\n"
    assert spans(chunks(typed, "typescript", "a.ts")) == [(1, 6, "f", "function")]


def test_members_of_an_interface_share_a_chunk() -> None:
    source = "export interface Store {\n  /** How many. */\n  size(): number;\n  get(key: Key): Cookie;\n}\n"
    [one] = chunks(source, "typescript", "a.ts")
    assert (one.symbol, one.names) == ("Store", ("Store", "Store.size", "Store.get"))


def test_a_long_function_is_split_at_statements_with_its_header() -> None:
    step = "    if step(x):\n        one(\n            x,\n        )\n    else:\n        two(x)\n"
    source = (
        "class Cart(Base):\n    limit = 1\n    y = 2\n\n    def long(\n        self,\n        x: int,\n    ) -> int:\n"
    )
    source += '        """Say.\n\n        More.\n        """\n' + "".join(
        f"    {line}\n" for line in (step * 40).splitlines()
    )
    parts = [one for one in chunks(source) if one.symbol == "Cart.long"]
    assert len(parts) > 2 and all(one.end_line - one.start_line < 81 for one in parts)
    assert parts[0].header == "" and parts[0].doc == "Say.\nMore."
    assert {one.header for one in parts[1:]} == {"def long(self, x: int) -> int:\nSay."}
    assert {one.text.splitlines()[0] for one in parts[1:]} == {"        if step(x):"}
    told = parts[1].embedding_text.splitlines()
    assert told[:4] == ["cart long", "def long(self, x: int) -> int:", "Say.", "if step(x):"]
    assert told[-1] == "class Cart(Base):"


def test_functions_of_a_long_function_have_chunks_of_their_own() -> None:
    inner = "".join(f"    def step_{n}(x):\n" + "        go(x)\n" * 10 + "\n" for n in range(9))
    found = chunks(f"def factory():\n    a = 1\n    b = 2\n    c = 3\n{inner}    return a\n")
    assert [one.symbol for one in found] == ["factory", *(f"factory.step_{n}" for n in range(9)), "factory"]
    assert found[1].scope == "def factory():" and found[-1].header == "def factory():"


def test_a_string_over_lines_is_not_cut() -> None:
    text = "def f():\n" + "    go()\n" * 50 + '    x = """\n' + "word\n" * 60 + '    """\n' + "    go()\n" * 50
    assert not any(one.text.startswith("word") for one in chunks(text))


def test_sections_of_markdown_have_their_path_and_short_ones_merge() -> None:
    long = "word\n" * 20
    fence = "```\n" + "# code\n\n" * 50 + "```\n"
    source = f"# Guide\n\n{long}\n## One\n\na\n\n## Two\n\nb\n\n## Three\n\n{long}\n{fence}"
    found = chunks(source, "markdown", "a.md")
    assert [one.symbol for one in found] == ["Guide", "Guide", "Guide.Three", "Guide.Three"]
    assert found[1].names == ("Guide.One", "Guide.Two") and found[1].header == "# Guide"
    assert found[3].text == fence
    assert found[2].embedding_text.startswith("Guide.Three\n")


@pytest.mark.parametrize("language, line", [("json", '"k{}": [1, 2],'), ("yaml", "k{}: 1"), ("toml", "[t{}]\na = 1\n")])
def test_data_is_windows_not_a_chunk_a_key(language: str, line: str) -> None:
    source = "\n".join(line.format(n) for n in range(60))
    source = f'{{{source} "z": 1}}' if language == "json" else source
    found = chunks(source, language, f"a.{language}")
    assert len(found) <= 6 and all(one.kind == "text" for one in found)
    assert sum(len(one.names) for one in found) == 60 + (language == "json")


def test_the_text_to_embed_has_the_telling_things_first_and_no_path() -> None:
    source = (
        "# Copyright 2020. All rights reserved.\n\n# Reads cookies.\nimport os\n\n\n"
        "@cached\ndef parse_cookieHeader(\n    value: str,\n    strict: bool = True,\n) -> dict:\n"
        '    """Split a header.\n\n    Raises nothing.\n    """\n\n'
        f"    key = '{'x' * 300}'\n    table = [\n" + "        1,\n" * 30 + "    ]\n    return key\n"
    )
    head, function = chunks(source, path="some/where.py")
    assert head.embedding_text.startswith("Reads cookies.\nimport os\n")
    assert head.embedding_text.endswith("All rights reserved.") and head.doc == "Reads cookies."
    told = function.embedding_text.splitlines()
    assert told[:5] == [
        "parse cookie header",
        "def parse_cookieHeader(value: str, strict: bool = True) -> dict:",
        *("Split a header.", "Raises nothing.", "@cached"),
    ]
    assert told[-1].strip() == "return key" and len(told) < 15 and len(function.embedding_text) < 500
    assert "where" not in function.embedding_text


@pytest.mark.parametrize(
    "language, source, signature, doc",
    [
        ("go", "package a\n\n// Get gives\n// one.\nfunc (j *Jar) Get() int {\n\ta()\n\tb()\n\treturn 1\n}\n",
         "func (j *Jar) Get() int {", "Get gives\none."),
        ("java", "class A {\n  int a;\n  int b;\n  /**\n   * Gets.\n   */\n  @Override\n  int get(\n    int a,\n"
         "    int b) {\n    go();\n    return 1;\n  }\n}\n", "int get(int a, int b) {", "Gets."),
        ("rust", "/// Says.\n#[inline]\nfn get<'a>(x: &'a str) -> &'a str {\n    go();\n    go();\n    x\n}\n",
         "fn get<'a>(x: &'a str) -> &'a str {", "Says."),
        ("python", "# Title.\n\n# Says.\nasync def f(x):  # why\n    a = 1\n    b = 2\n    return x\n",
         "async def f(x):  # why", "Says."),
        ("python", "X = [\n    'one',\n    'two',\n    'three',\n    'four',\n    'five',\n]\n",
         "X = ['one', 'two', 'three', 'four', 'five']",
         ""),
    ],
)  # fmt: skip
def test_signature_and_documentation(language: str, source: str, signature: str, doc: str) -> None:
    one = chunks(source, language)[-1]
    assert (one.signature, one.doc) == (signature, doc)


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
    assert chunks("def f():\n\n    pass  \n")[0].sha256 == first.sha256
    assert chunks("def f():\n    go()\n")[0].sha256 != first.sha256


@pytest.mark.parametrize(
    "source, language",
    [
        ("def f():\n" + "    x = 1\n" * 100_000, "python"),
        ("def f():\n    pass\n\n\n" * 20_000, "python"),
        ("class A:\n" + "    def f(self):\n        return 1\n" * 5_000, "python"),
        ("function a() {};" * 60_000, "javascript"),
        ("/* " + 'a \\"' * 250_000, "javascript"),
        ("# a\n\ntext\n" * 10_000, "markdown"),
        ("package a\nfunc f() {\n" + "x = `\n" * 20_001 + "}\n", "go"),
    ],
    ids=["long", "many", "class", "line", "quotes", "sections", "backticks"],
)
def test_a_file_at_the_limits_is_chunked_as_any_other(source: str, language: str) -> None:
    data = source.encode()
    found = chunks(data, language)
    assert_sound(data, found)
    assert all(one.sha256 for one in found)


PIECES = {
    "python": [
        "def f(a,\n      b):\n", "    x = 1\r\n", "class A:\n", "# c\n", "\n", "    def g(self):\n        pass\n",
        '    """doc\n', '    """\n', "X = 1\n", "@wraps\n", "else:\n", "    if x:\n        y()\n" * 50,
        "é" * 5000 + "\n"],
    "javascript": [
        "function g() {\n", "}\r", "class A {\n", "/** doc\n", " */\n", "const x = `\n", "`;\n",
        "go();\n" * 90, "a() {}\n"],
    "markdown": ["# H\n", "## H\n", "```\n", "word\n" * 30, "\n", "\xff\u2028", "word\r"],
    "json": ["{\n", '"a": 1,\n' * 70, "}\n", "x" * 9000, "\n"],
    "text": ["word\n" * 30, "\n", "é" * 9000, "\r\n"],
}  # fmt: skip


@pytest.mark.parametrize("language", PIECES)
@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_any_file_is_covered_by_small_exact_chunks(language: str, draw: st.DataObject) -> None:
    data = "".join(draw.draw(st.lists(st.sampled_from(PIECES[language]), max_size=40))).encode()
    found = chunks(data, language)
    assert_sound(data, found)
    assert found == chunks(data, language)


def assert_sound(data: bytes, found: list[Chunk]) -> None:
    """Every line with a word is in one chunk, or in several windows of text; chunks are exact and within limits."""
    lines = Lines(data)
    covered: set[int] = set()
    for one in found:
        whole = lines.bytes(one.start_line, one.end_line)
        assert one.end_line - one.start_line < LONGEST and len(one.text.encode()) <= 8000
        assert one.text == whole.decode() if len(whole) <= 8000 else one.start_line == one.end_line
        span = range(one.start_line, one.end_line + 1)
        assert one.kind == "text" or covered.isdisjoint(span)
        covered.update(span)
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
    assert outline({"a\n1: class B.py": files["a.py"]}, 200).splitlines()[0] == "a\ufffd1: class B.py:"
