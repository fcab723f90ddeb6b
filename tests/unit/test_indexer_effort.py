"""How hard lines are to change: by syntax alone, in several languages."""

from __future__ import annotations

# ruff: noqa: E501
import pytest

from pointsman_indexer.effort import Effort, measure

CODE = {
    "python": "def f(a):\n    if a:\n        for b in a:\n            while b:\n                b -= 1\n    return a and b\n",
    "javascript": "function f(a) {\n  if (a) {\n    for (const b of a) {\n      while (b) { b--; }\n    }\n  }\n  return a ? 1 : 2;\n}\n",
    "go": "package p\nfunc f(a []int) int {\n\tif a != nil {\n\t\tfor range a {\n\t\t\tfor {\n\t\t\t}\n\t\t}\n\t}\n\treturn 1\n}\n",
}


@pytest.mark.parametrize("language", CODE)
def test_nested_branches_count_more(language: str) -> None:
    found = measure(CODE[language].encode(), language, 1, 99)
    assert found.symbols == 1 and 6 <= found.difficulty <= 8


def test_words_in_comments_and_strings_add_nothing() -> None:
    text = "def f():\n    # if if for while case\n    return 'if for while ? : && ||'\n"
    assert measure(text.encode(), "python", 1, 3) == Effort(1, 0)


def test_only_the_lines_asked_for() -> None:
    text = "def f(a):\n    if a:\n        pass\n\n\ndef g(a):\n    return a\n"
    assert measure(text.encode(), "python", 6, 7) == Effort(1, 0)
    assert measure(text.encode(), "python", 1, 7) == Effort(2, 1)


@pytest.mark.parametrize("language", ["", "plain", "python"])
def test_any_bytes_are_measured(language: str) -> None:
    assert measure(bytes(range(256)) * 40, language, 1, 9).difficulty >= 0
    assert measure(b"", language, 1, 1) == Effort(0, 0)
