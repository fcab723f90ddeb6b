"""Characters that nobody sees: one list for the changes, the suggestions and the finder of secrets."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from pointsman.complete.clean import clean
from pointsman.complete.cursor import cursor_of
from pointsman.complete.scope import scope_at
from pointsman.complete.types import CompletionQuery
from pointsman.gateway import views
from pointsman.hidden import IN_CODE, IN_TEXT, without_hidden
from tests.pipelines import snapshot

NAMED = (
    *("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u3164\ufe00\ufe0f\uffa0\U000e0000\U000e0041\U000e007f"),
    *("\U000e0100\U000e01ef\u200b\u200d\u202e\u2066\u2069\ufeff\x85\u2028\u2029\xad\x0b\x1b"),
)


@pytest.mark.parametrize("char", NAMED, ids=lambda char: f"U+{ord(char):04X}")
def test_nobody_who_looks_for_them_overlooks_one(char: str) -> None:
    assert IN_CODE.search(char) and IN_TEXT.search(char) and without_hidden(f"a{char}b") == "ab"
    view = views.folded(f"gh{char}p")
    assert view is not None and view.text == "ghp"


def test_formatting_characters_that_are_no_letters_are_in_the_list() -> None:
    shown = {"ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"}  # these stand around or below what they are about
    missed = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(char) in {"Cf", "Zl", "Zp"} and not IN_CODE.search(char)
    ]
    assert [char for char in missed if unicodedata.name(char).split()[0] not in shown] == []


def test_what_code_needs_stays() -> None:
    assert (
        not IN_CODE.search("a\tb\r\n\x0c\xe4\u4e2d\u0301 \U0001f600")
        and IN_TEXT.search("\r")
        and IN_TEXT.search("\x0c")
    )


@pytest.mark.parametrize("char", ["\u034f", "\ufe0f", "\u3164", "\u2028", "\U000e0100"])
def test_a_suggestion_holds_none(char: str) -> None:
    cursor = cursor_of(CompletionQuery(snapshot=snapshot("x = \n"), offset=4))
    text, _ = clean(f"to{char}tal", cursor, scope_at(cursor), ())
    assert text == "total"
