"""Where a model's quotation stands: repaired when there is one place, refused with the reason when there is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pointsman.refactor.answer import new_document
from pointsman.refactor.checks import check, parses_alone
from pointsman.refactor.content import is_configuration, new_addresses, new_hidden
from pointsman.refactor.lines import select
from tests.pipelines import snapshot

CODE = (
    "class Cart:\n"
    "    def total(self, items):\n"
    "        price = 0\n"
    "        for item in items:\n"
    '            price += item["price"]  # gross\n'
    "        return price\n"
    "\n"
    "    def count(self, items):\n"
    "        return len(items)\n"
)
WANTED = CODE.replace("len(items)", "len(list(items))")


def answered(search: str, replace: str, text: str = CODE) -> tuple[str | None, str]:
    answer = f"Sure:\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"
    selection = select(text, 1, text.count("\n"))
    placed = new_document(answer, selection, lambda code: parses_alone(code, "python"))
    return placed.text, placed.reason


@pytest.mark.parametrize(
    ("search", "replace"),
    [
        ("        return len(items)", "        return len(list(items))"),
        ("return len(items)", "return len(list(items))"),
        ("        return len(items)   ", "        return len(list(items))"),
        ("def count(self, items):\n    return len(items)", "def count(self, items):\n    return len(list(items))"),
        (
            "\tdef count(self, items):\n\t    return len(items)",
            "\tdef count(self, items):\n\t    return len(list(items))",
        ),
        (
            "    def count(self, item):\n        return len(items)",
            "    def count(self, items):\n        return len(list(items))",
        ),
    ],
    ids=["exact", "no indentation", "blanks at the end", "shifted", "tabs", "one letter off"],
)
def test_a_sloppy_quotation_with_one_place_is_repaired(search: str, replace: str) -> None:
    assert answered(search, replace) == (WANTED, "")


def test_typography_is_undone_on_both_sides() -> None:
    search = "            price += item[\u201cprice\u201d]  # gross"
    assert answered(search, search.replace("gross", "net"))[0] == CODE.replace("gross", "net")


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        ("        return nothing_of_the_kind(at_all, never)", "not in the selection"),
        ("", "empty"),
        ("x = 1\n", "not in the selection"),
    ],
)
def test_a_quotation_without_a_place_is_refused_with_the_reason(search: str, reason: str) -> None:
    text, why = answered(search, "pass")
    assert text is None and reason in why and "change 1 of 1" in why


def test_equal_and_nearly_equal_places_are_not_guessed_between() -> None:
    twice = "def first_one(a, b):\n    return a + b\n\n\ndef first_two(a, b):\n    return a + b\n"
    assert "2 places" in answered("    return a + b", "    return a", twice)[1]
    near = answered("def first_ten(a, b):\n    return a + b", "pass", twice)
    assert near == (None, "change 1 of 1 has no place: its search text is nearly that of several places")


def test_a_second_change_without_a_place_undoes_the_first() -> None:
    answer = (
        "<<<<<<< SEARCH\n        price = 0\n=======\n        price = 1\n>>>>>>> REPLACE\n"
        "<<<<<<< SEARCH\n        gone = 0\n=======\n        gone = 1\n>>>>>>> REPLACE\n"
    )
    placed = new_document(answer, select(CODE, 1, 9), lambda code: False)
    assert placed.text is None and placed.reason.startswith("change 2 of 2")


def test_a_block_that_is_cut_off_is_refused() -> None:
    placed = new_document("<<<<<<< SEARCH\n        price = 0\n=======\n   ", select(CODE, 1, 9), lambda code: False)
    assert placed.text is None and "no end" in placed.reason


def test_quotes_of_a_word_processor_in_a_whole_answer_are_straightened_only_when_they_break_it() -> None:
    def whole(answer: str) -> str | None:
        return new_document(answer, select("x = 'a'\n", 1, 1), lambda code: parses_alone(code, "python")).text

    assert whole("```\nx = \u2018b\u2019\n```") == "x = 'b'\n"
    assert whole("```\nx = 'it\u2019s'\n```") == "x = 'it\u2019s'\n"


def test_new_addresses_count_in_configuration_alone() -> None:
    base, new = '{"a": "https://one.example/"}', '{"a": "https://one.example/", "$schema": "https://evil.example/?d=1"}'
    assert new_addresses(base, new, "conf/app.JSON") == 1 and new_addresses(base, new, "src/app.py") == 0
    assert new_addresses(base, base, "a.json") == 0
    assert new_addresses("a: 1\n", "a: //evil.example/x\n", ".hidden") == 1
    assert is_configuration("a/x.yml") and is_configuration(".env.local") and not is_configuration("README.md")


def test_hidden_characters_are_counted_when_they_are_new() -> None:
    assert new_hidden("a\u200b", "a\u200b") == 0 and new_hidden("a", "a\u202e\U000e0041\x1b") == 3
    for char in "\x0b\x85\u034f\u115f\u180e\u2028\u2029\u3164\ufe0f\uffa0\U000e0100":
        assert new_hidden("// a", f"// a{char}b") == 1 and new_hidden(f"a{char}", f"b = a{char}") == 0
    assert new_hidden("// a\r\n", "// a\rb()\r\n") == 1 and new_hidden("a\r", "a\rb\r") == 0
    selection = select("x = 1\n", 1, 1)
    checks = replace(check(snapshot("x = 1\n"), "x = '\u202e'\n", selection), secrets=2)
    assert not checks.sound and checks.parses
    assert checks.failures() == ("it brings 1 invisible characters", "it holds 2 values that look like secrets")
