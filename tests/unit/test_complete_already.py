"""Definitions that stand in the same block are not suggested again."""

from __future__ import annotations

import pytest

from pointsman.complete import already
from pointsman.complete.already import is_definition, without_known
from pointsman.complete.cursor import Cursor, cursor_of
from pointsman.complete.scope import width
from pointsman.complete.types import CompletionQuery
from tests.pipelines import marked, snapshot


def at(text: str) -> Cursor:
    plain, offset = marked(text)
    return cursor_of(CompletionQuery(snapshot=snapshot(plain), offset=offset))


CLASSES = "class A:\n    def __init__(self):\n        pass\n\n\nclass B:\n    ‸\n"
BASKET = "export class Basket {\n  add(item) {\n    this.items.push(item);\n  }\n  ‸\n}\n"
PROPERTY = """class A:
    @property
    def x(self):
        return 1

    @x.setter
    def x(self, value):
        self._x = value

    ‸
"""
NESTED = """class A {
    static class B {
        public String toString() {
            return b;
        }
    }

    ‸
}
"""
OVERLOADS = "@overload\ndef f(a: int) -> int: ...\n@overload\ndef f(\n    a: str\n) -> str: ...\n‸"


@pytest.mark.parametrize(
    ("text", "written", "left"),
    [
        ("def f(a):\n    return a\n\n\n‸", "def f(a):\n    return a", ""),
        ("def f(a):\n    return a\n\n\n‸", "def f(a, b):\n    return a", "def f(a, b):\n    return a"),
        ("def f(a):\n    return a\n\n\ndef ‸", "f(a):", ""),
        ("‸\n\n\ndef f(a):\n    return a\n", "def f(a):", ""),
        ("def f(a):\n    return a\n\n\n‸", "x = 1\n@cached\ndef f(a):\n    return a", "x = 1"),
        ("def f(a):\n    return a\n\n\n‸", "total = 1", "total = 1"),
        (CLASSES, "def __init__(self):\n        pass", "def __init__(self):\n        pass"),
        (CLASSES.replace("    ‸", "‸"), "class A:\n    x = 1", ""),
        (BASKET, "add(item) {\n    return item;\n  }", ""),
        (BASKET, "total(prices) {\n    return 1;\n  }", "total(prices) {\n    return 1;\n  }"),
        (BASKET.replace("  ‸\n}", "}\n\n‸"), "export class Basket {\n  add(item) {", ""),
        (OVERLOADS, "def f(a):", "def f(a):"),
        (OVERLOADS, "def f(\n    a: int | str", "def f(\n    a: int | str"),
        ("class A:\n    def f(self):\n        pass\n\n\n‸", "def f(self):\n    pass", ""),
        ("if (x) {\n  const a = 1;\n}\n‸", "const a = 1;", "const a = 1;"),
        ("const a = 1;\n‸", "const a = 1;\nconst b = 2;", ""),
        ("if x:\n    act(1)\n‸", "if x:\n    act(1)", "if x:\n    act(1)"),
        ("if x:\n    def f():\n        pass\nelse:\n    ‸", "def f():\n        return 1", "def f():\n        return 1"),
    ],
)
def test_a_definition_comes_once_in_its_block(text: str, written: str, left: str) -> None:
    assert without_known(written, at(text)) == left


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "var body: some View {\n    HStack(spacing: 8) {\n        A()\n    }\n    ‸\n}",
            "HStack(spacing: 8) {\n    }",
        ),
        ("fun f() {\n    withContext(Dispatchers.IO) {\n    }\n    ‸\n}", "withContext(Dispatchers.IO) {\n    }"),
        ("suspend {\n    await run(a) {\n    }\n    ‸\n}", "await run(a) {\n    }"),
        ("@area.register(int)\ndef _(shape):\n    return 1\n\n\n‸", "@area.register(str)\ndef _(shape):\n    return 2"),
        ("@area.register(int)\ndef _(shape):\n    return 1\n\n\n@area.register(str)\n‸", "def _(shape):\n    return 2"),
        (PROPERTY, "@x.deleter\n    def x(self):\n        del self._x"),
        ("#[cfg(unix)]\nfn home() -> P {\n}\n\n‸", "#[cfg(windows)]\nfn home() -> P {\n}"),
        ("#ifdef A\nint now(void) {\n    return 1;\n}\n#else\n‸\n#endif", "int now(void) {\n    return 2;\n}"),
        ("#ifdef A\n‸\n#else\nint now(void) {\n    return 1;\n}\n#endif", "int now(void) {\n    return 2;\n}"),
        (NESTED, "public String toString() {\n        return a;\n    }"),
    ],
)
def test_what_looks_alike_and_is_another_stays(text: str, written: str) -> None:
    assert without_known(written, at(text)) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (PROPERTY, "@property\n    def x(self):\n        return 1"),
        ("class A\n{\n  add(item) {\n  }\n  ‸\n}", "add(item) {\n  }"),
        ("class A {\npublic:\n  A(int b) {\n  }\n  ‸\n}", "A(int b) {\n  }"),
        ("int now(void) {\n    return 1;\n}\n‸", "int now(void) {\n    return 2;\n}"),
    ],
)
def test_what_comes_again_goes(text: str, written: str) -> None:
    assert without_known(written, at(text)) == ""


def test_lines_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def counted(line: str) -> int:
        measured.append(line)
        return width(line)

    monkeypatch.setattr(already, "width", counted)
    text = "x = 1\n" * 1000 + "‸"
    written = "\n".join(f"def f{number}():\n    pass" for number in range(20))
    assert without_known(written, at(text)) == written
    assert len(measured) <= 1000 + 40


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("async def f(", True),
        ("pub(crate) fn main() {", True),
        ("func (s *Server) Run() error {", True),
        ("static int total(int a) {", True),
        ("  total(prices) {", True),
        ("export default function () {", True),
        ("} else if (a) {", False),
        ("while (running(a)) {", False),
        ("for (let i = 0; i < n; i++) {", False),
        ("act(() => {", False),
        ("if ready(a) {", False),
        ("definition = 1", False),
        ("class_name(1)", False),
        ("f(" + "a" * 1000 + ") {", False),
    ],
)
def test_what_begins_a_definition(line: str, is_one: bool) -> None:
    assert is_definition(line) is is_one
