"""Every language gives named symbols; nothing makes the parser fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman_indexer.languages import _GRAMMARS, language_of, languages_called
from pointsman_indexer.parse import parse

SAMPLES: dict[str, tuple[str, str, set[tuple[str, str]]]] = {
    "python": (
        "a.py",
        "import os\n\n@wraps\ndef run(x):\n    '''Doc.'''\n\nclass Cart(Base):\n"
        "    def add(self): pass\n    @property\n"
        "    async def total(self): pass\n\nLIMIT: int = 3\n",
        {
            ("run", "function"),
            ("Cart", "class"),
            ("Cart.add", "method"),
            ("Cart.total", "method"),
            ("LIMIT", "variable"),
        },
    ),
    "javascript": (
        "a.mjs",
        "export class Cart { add() {} static of() {} total = () => 1 }\nfunction run() {}\n"
        "export const go = () => {};\n"
        "exports.late = function () {};\nfunction* gen() {}\n",
        {
            *(("Cart", "class"), ("Cart.add", "method"), ("Cart.of", "method"), ("Cart.total", "method")),
            *(("run", "function"), ("go", "function"), ("late", "function"), ("gen", "function")),
        },
    ),
    "typescript": (
        "a.ts",
        "export abstract class Cart<T> { add(): void {} abstract q(): void }\ninterface Shape { area(): number }\n"
        "type Id = string;\nenum Colour { Red }\nnamespace N { export function f() {} }\n"
        "export const go = (): void => {};\n",
        {
            *(("Cart", "class"), ("Cart.add", "method"), ("Cart.q", "method"), ("Shape", "interface")),
            *(("Shape.area", "method"), ("Id", "type"), ("Colour", "enum"), ("N", "module"), ("N.f", "method")),
            ("go", "function"),
        },
    ),
    "tsx": (
        "a.tsx",
        "export function App(p: Props) { return <div>{p.x}</div>; }\nconst Row = () => <li/>;\n",
        {("App", "function"), ("Row", "function")},
    ),
    "go": (
        "a.go",
        "package p\n\n// Cart holds.\ntype Cart struct { n int }\ntype Shape interface { Area() int }\n"
        "func (c *Cart) Add(x int) {}\nfunc (l List[T]) Len() int { return 0 }\nfunc Run() {}\nconst Max = 1\n",
        {
            *(("Cart", "struct"), ("Shape", "interface"), ("Shape.Area", "method"), ("Cart.Add", "method")),
            *(("List.Len", "method"), ("Run", "function"), ("Max", "constant")),
        },
    ),
    "rust": (
        "a.rs",
        "/// Doc\n#[derive(Debug)]\npub struct Cart<T> { n: T }\n"
        "impl<T> Shape for Cart<T> { fn area(&self) -> u8 { 0 } }\n"
        "trait Shape { fn area(&self) -> u8; }\nenum Colour { Red }\n"
        "mod inner { pub fn run() {} }\nmacro_rules! m { () => {} }\n",
        {
            *(
                ("Cart", "struct"),
                ("Cart", "impl"),
                ("Cart.area", "method"),
                ("Shape", "trait"),
                ("Shape.area", "method"),
            ),
            *(("Colour", "enum"), ("inner", "module"), ("inner.run", "method"), ("m", "macro")),
        },
    ),
    "java": (
        "A.java",
        "package a;\n/** Doc */\n@X public class Cart<T> { Cart() {} void add() {} interface Shape { int area(); } }\n"
        "enum Colour { RED }\nrecord Point(int x) {}\n",
        {
            *(("Cart", "class"), ("Cart.Cart", "constructor"), ("Cart.add", "method"), ("Cart.Shape", "interface")),
            *(("Cart.Shape.area", "method"), ("Colour", "enum"), ("Point", "class")),
        },
    ),
    "c": (
        "a.c",
        "#define MAX(a) (a)\nstatic char **run(int x) { return 0; }\nint total(void);\nstruct cart { int n; };\n"
        "typedef struct { int x; } point;\nenum colour { RED };\n",
        {
            *(("MAX", "macro"), ("run", "function"), ("total", "function"), ("cart", "struct"), ("point", "type")),
            ("colour", "enum"),
        },
    ),
    "cpp": (
        "a.cpp",
        "namespace shop::inner {\ntemplate <class T>\n"
        "class Cart : Base { public: Cart(); ~Cart() {} int add(T x) const { return 0; } };\n}\n"
        "int &shop::Cart::total() { return n; }\nstruct Point { int x; };\n"
        "enum class Colour { Red };\nusing Id = int;\n",
        {
            *(("shop.inner", "module"), ("shop.inner.Cart", "class"), ("shop.inner.Cart.add", "method")),
            *(
                ("shop.inner.Cart.Cart", "method"),
                ("shop.inner.Cart.~Cart", "method"),
                ("shop.Cart.total", "function"),
                ("Point", "struct"),
            ),
            *(("Colour", "enum"), ("Id", "type")),
        },
    ),
    "csharp": (
        "A.cs",
        "namespace Shop { public class Cart { public int N { get; set; } public Cart() {} public void Add() {} }\n"
        "interface IShape { int Area(); } struct P {} enum Colour { Red } record R(int X); }\n",
        {
            *(("Shop", "module"), ("Shop.Cart", "class"), ("Shop.Cart.N", "property"), ("Shop.Cart.Add", "method")),
            *(
                ("Shop.Cart.Cart", "constructor"),
                ("Shop.IShape", "interface"),
                ("Shop.IShape.Area", "method"),
                ("Shop.P", "struct"),
            ),
            *(("Shop.Colour", "enum"), ("Shop.R", "class")),
        },
    ),
    "ruby": (
        "a.rb",
        "module Shop\n  class Cart < Base\n    LIMIT = 3\n    def add(x)\n    end\n"
        "    def self.build; end\n  end\nend\n",
        {
            *(("Shop", "module"), ("Shop.Cart", "class"), ("Shop.Cart.add", "method"), ("Shop.Cart.build", "method")),
            ("Shop.Cart.LIMIT", "constant"),
        },
    ),
    "php": (
        "a.php",
        "<?php\nnamespace Shop;\nclass Cart { public function add() {} }\ninterface Shape {}\n"
        "trait T {}\nfunction run() {}\n"
        "enum Colour { case Red; }\n",
        {
            *(("Cart", "class"), ("Cart.add", "method"), ("Shape", "interface"), ("T", "trait"), ("run", "function")),
            ("Colour", "enum"),
        },
    ),
    "bash": (
        "a.sh",
        "run() {\n  echo\n}\nfunction stop {\n  :\n}\nLIMIT=3\n",
        {("run", "function"), ("stop", "function"), ("LIMIT", "variable")},
    ),
    "json": ("a.json", '{"name": "x", "scripts": {"test": "y"}}', {("name", "key"), ("scripts", "key")}),
    "yaml": ("a.yml", 'name: x\n"on":\n  push:\n    - a\n', {("name", "key"), ("on", "key")}),
    "toml": (
        "a.toml",
        "a = 1\n[tool.x]\nb = 2\n[[arr]]\nc = 1\n",
        {("a", "key"), ("tool.x", "table"), ("arr", "table")},
    ),
    "markdown": (
        "a.md",
        "# Guide\ntext\n\n## Use it\nmore\n\n## *Fix* it\n",
        {("Guide", "section"), ("Guide.Use it", "section"), ("Guide.*Fix* it", "section")},
    ),
}


def test_every_grammar_has_a_sample() -> None:
    assert SAMPLES.keys() == _GRAMMARS.keys()


@pytest.mark.parametrize("language", SAMPLES)
def test_named_symbols(language: str) -> None:
    path, source, expected = SAMPLES[language]
    assert language_of(path) == language
    parsed = parse(source.encode(), language)
    assert parsed.complete and not parsed.errors
    assert {(symbol.qualified, symbol.kind) for symbol in parsed.symbols} == expected


# YAML's grammar makes one error of all of a broken document.
@pytest.mark.parametrize("language", sorted(SAMPLES.keys() - {"yaml"}))
def test_broken_code_keeps_the_symbols_before_the_break(language: str) -> None:
    source = SAMPLES[language][1].encode()
    for cut in range(0, len(source), 7):
        lines = source.count(b"\n", 0, cut)
        broken = parse(source[:cut] + b"\xff((([[[\"'`<<" + source[cut:], language)
        before = {(one.name, one.start_line) for one in parse(source, language).symbols if one.end_line <= lines}
        assert before <= {(one.name, one.start_line) for one in broken.symbols}, f"cut at {cut}"


NAMES: dict[str, tuple[str, str, set[tuple[str, str]]]] = {
    "C header": (
        "c",
        '#ifndef A_H\n#define A_H\n#ifdef __cplusplus\nextern "C" {\n#endif\nint cart_add(int, int);\n'
        "#if WIDE\nchar *cart_name(void);\n#else\nint cart_id(void);\n#endif\n"
        "#ifdef __cplusplus\n}\n#endif\n#endif\n",
        {("A_H", "macro"), ("cart_add", "function"), ("cart_name", "function"), ("cart_id", "function")},
    ),
    "C guard": (
        "c",
        "#ifndef A_H\nstatic const int LIMIT = 3;\nint cart_add(int, int);\n#endif\n"
        "int run(void) {\n#ifdef DEBUG\n  int depth = 0;\n#endif\n  int count(int);\n  return 0;\n}\n",
        {("LIMIT", "variable"), ("cart_add", "function"), ("run", "function")},
    ),
    "C++ header": (
        "cpp",
        '#ifndef A_H\nextern "C" { int cart_add(int, int); }\nextern "C" int one(void);\n'
        "namespace shop {\nint price();\ntemplate <class T> T most(T);\n}\n"
        "class Cart {\n  Cart(int);\n  int get();\n#ifdef X\n  Cart(double);\n#endif\n};\n#endif\n",
        {
            *(("cart_add", "function"), ("one", "function"), ("shop", "module"), ("shop.price", "method")),
            *(("shop.most", "method"), ("Cart", "class"), ("Cart.Cart", "method"), ("Cart.get", "method")),
        },
    ),
    "C++ locals": (
        "cpp",
        "int run(int a) {\n  Lock guard(mutex());\n  int y(a);\n  if (a) {\n    Scope scope(open());\n  }\n"
        "  return y;\n}\n",
        {("run", "function")},
    ),
    "C++ below conditions": (
        "cpp",
        "#if A\n#if B\nint price(int);\n#endif\n#endif\nclass Cart {\n#ifdef X\n  void add(int);\n#else\n  Cart(int);\n"
        "#endif\n};\nvoid run(int a) {\n#ifdef X\n  Lock guard(mutex());\n#if Y\n  Lock inner(mutex());\n#endif\n"
        "#elif Z\n  Lock third(mutex());\n#else\n  Lock other(mutex());\n#endif\n  switch (a) {\n  case 1:\n#ifdef X\n"
        "    Lock last(mutex());\n#endif\n    break;\n  }\n}\n",
        {
            *(("price", "function"), ("Cart", "class"), ("Cart.add", "method"), ("Cart.Cart", "method")),
            ("run", "function"),
        },
    ),
    "C below a condition": (
        "c",
        "#ifdef X\nint price(int);\nchar *name(void);\n#endif\n"
        "void run(void) {\n#ifdef X\n  int count(int);\n  char *label(void);\n#endif\n}\n",
        {("price", "function"), ("name", "function"), ("run", "function")},
    ),
    "several of one declaration": (
        "go",
        "package p\n\nvar x, y = 1, 2\n",
        {("x", "variable"), ("y", "variable")},
    ),
    "several of one statement": ("c", "int a = 1, b = 2;\n", {("a", "variable"), ("b", "variable")}),
    "quotes": (
        "markdown",
        "# `Cart`\n\n## Use `bar`\n\n## `a` and `b`\n",
        {("Cart", "section"), ("Cart.Use `bar`", "section"), ("Cart.`a` and `b`", "section")},
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_what_is_a_definition_and_what_it_is_called(case: str) -> None:
    language, source, expected = NAMES[case]
    assert {(symbol.qualified, symbol.kind) for symbol in parse(source.encode(), language).symbols} == expected


IMPORTS: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "python": (
        "import os.path, numpy as np\nfrom ..a.b import (c as d,  # why\n  e)\nfrom . import *\n",
        [("os.path", "", "os.path"), ("numpy", "", "np"), ("..a.b", "c", "d"), ("..a.b", "e", "e"), (".", "*", "")],
    ),
    "typescript": (
        "import d, { a as b, type T } from './x';\nimport * as ns from '../y';\nimport './side';\n"
        "export * from './z';\nexport { q as r } from './w';\nconst { k: m } = require('./n');\nexport const n = 1;\n",
        [
            *(("./x", "a", "b"), ("./x", "T", "T"), ("./x", "default", "d"), ("../y", "", "ns"), ("./side", "", "")),
            *(("./z", "*", ""), ("./w", "q", "r"), ("./n", "k", "m")),
        ],
    ),
    "go": (
        'package p\nimport (\n"fmt"\nm "example.com/x/y/v2"\n. "z"\n_ "q"\n)\n',
        [("fmt", "", "fmt"), ("example.com/x/y/v2", "", "m"), ("z", "*", ""), ("q", "", "")],
    ),
    "rust": (
        "pub(crate) use a::{b::{self, c as d}, e::*};\nmod f;\nmod g { }\n",
        [("a", "b", "b"), ("a::b", "c", "d"), ("a::e", "*", ""), ("self::f", "", "f")],
    ),
    "java": (
        "import a.b.C;\nimport static a.D.max;\nimport a.e.*;\n",
        [("a.b", "C", "C"), ("a.D", "max", "max"), ("a.e", "*", "")],
    ),
}


@pytest.mark.parametrize("language", IMPORTS)
def test_imports_as_module_name_and_alias(language: str) -> None:
    source, expected = IMPORTS[language]
    parsed = parse(source.encode(), language)
    assert [(one.module, one.name, one.alias) for one in parsed.imports] == expected


def test_uses_are_kept_when_they_may_be_resolved() -> None:
    source = (
        "from a import b\n\n\ndef f(x, g):\n    y = b(x)\n    x.some_call(b=1)\n"
        "    return len(y), g, x.attribute\n\n\ng = f\n"
    )
    found = {
        (one.name, one.kind, one.receiver, one.inside, one.lines)
        for all_ in parse(source.encode(), "python").references
        for one in all_.each()
    }
    assert found == {("b", "call", "", "f", (5,)), ("some_call", "call", "?", "f", (6,)), ("f", "name", "", "g", (10,))}


def test_errors_are_line_ranges() -> None:
    parsed = parse(b"def ok():\n    pass\n\nx = = 3 )\n", "python")
    assert [symbol.name for symbol in parsed.symbols] == ["ok"]
    assert parsed.errors == ((4, 4),)


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("python", "x = 1  # not doc\n# one\n# two\n@a\n@b(\n  1)\ndef f():\n  pass\n", (2, 8)),
        ("python", "x = 1  # trailing\ndef f():\n  pass\n", (2, 3)),
        ("python", "# apart\n\ndef f():\n  pass\n", (3, 4)),
        ("rust", "/// Doc\n#[inline]\n\nfn g() {}\n/// Mine\n#[a]\nfn f() {}\n", (5, 7)),
        ("javascript", "/**\n * Doc\n */\nexport function f() {\n}\n", (1, 5)),
        ("cpp", "// Doc\ntemplate <class T>\nT f(T x) { return x; }\n", (1, 3)),
        ("go", "package p\n// Doc\r\nfunc f() {\r\n}\r\n", (2, 4)),
    ],
)
def test_a_symbol_begins_with_its_documentation(language: str, source: str, expected: tuple[int, int]) -> None:
    symbol = next(symbol for symbol in parse(source.encode(), language).symbols if symbol.name == "f")
    assert (symbol.start_line, symbol.end_line) == expected


def test_lines_end_at_a_lone_carriage_return_too() -> None:
    symbols = parse(b"x = 1\ry = 2\r\n\r\ndef f():\n    pass\n", "python").symbols
    assert next(symbol for symbol in symbols if symbol.name == "f").start_line == 4


@pytest.mark.parametrize("language", SAMPLES)
@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=300) | st.text(alphabet="(){}[]<>\"'`:;,.#/*-+=\n\t abcdef0\\$%&|!?@~^_", max_size=300))
def test_any_bytes_parse(language: str, data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode()
    parsed = parse(raw, language)
    lines = raw.count(b"\n") + raw.count(b"\r") + 1
    assert all(1 <= symbol.start_line <= symbol.end_line <= lines for symbol in parsed.symbols)


DEEP = {
    "brackets": b"[" * 100_000,
    "mixed": b"({[" * 33_000,
    "balanced": b"[" * 50_000 + b"]" * 50_000,
    "dashes": b"- " * 50_000 + b"x",
    "stairs": b"".join(b" " * depth + b"a:\n" for depth in range(700)),
    "quotes": b"> " * 3_000 + b"x\n",
    "functions": b"".join(b" " * depth + b"def f%d():\n" % depth for depth in range(700)),
    "one line": b"x=1;" * 250_000,
    "one line of 5 MB": b"x=1;" * 1_250_000,
}


@pytest.mark.parametrize("shape", DEEP)
@pytest.mark.parametrize("language", ["python", "javascript", "cpp", "json", "yaml", "markdown"])
def test_pathological_nesting_ends(language: str, shape: str) -> None:
    parsed = parse(DEEP[shape], language)
    assert all(symbol.depth < 64 for symbol in parsed.symbols)


def test_languages_by_name_and_first_line() -> None:
    assert language_of("src/Makefile") == "make"
    assert language_of("a/.bashrc") == "bash"
    assert language_of("x.unknown") is None
    assert language_of("bin/tool", b"#!/usr/bin/env python3\n") == "python"
    assert language_of("x.h", b"int f(void);\n") == "c"
    assert language_of("x.h", b"namespace a {}\n") == "cpp"
    assert language_of("style.css") == "css"


@pytest.mark.parametrize(
    ("name", "languages"),
    [
        ("python", {"python"}),
        ("Python", {"python"}),
        (".py", {"python"}),
        ("shell", {"bash"}),
        ("c++", {"cpp"}),
        ("C#", {"csharp"}),
        ("jsx", {"javascript"}),
        ("ts", {"typescript", "tsx"}),
        ("tsx", {"tsx"}),
        ("cobol", set()),
        ("", set()),
    ],
)
def test_a_language_goes_by_many_names(name: str, languages: set[str]) -> None:
    assert languages_called(name) == languages
