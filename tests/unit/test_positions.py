"""Positions and edits against a reference that recomputes everything from the whole text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.lsp.positions import Encoding, Lines, code_points

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
PIECES = ["a", "bc", " ", "\t", "é", "😋", "e\u0301", "\n", "\r", "\r\n", "\x0c", "\x0b", "\u2028", "\u0085", "字"]
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
encodings = st.sampled_from(ENCODINGS)


def reference_lines(text: str) -> list[tuple[int, str]]:
    """(start, content) of each line."""
    found, start = [], 0
    for ending in re.finditer(r"\r\n|\r|\n", text):
        found.append((start, text[start : ending.start()]))
        start = ending.end()
    return [*found, (start, text[start:])]


def units(text: str, encoding: Encoding) -> int:
    codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    return len(text.encode(codec)) // size


def reference_offset(text: str, line: int, character: int, encoding: Encoding) -> int:
    lines = reference_lines(text)
    if line >= len(lines):
        return len(text)
    start, content = lines[line]
    column = 0
    while column < len(content) and units(content[: column + 1], encoding) <= character:
        column += 1
    return start + column


@given(texts, encodings, st.integers(0, 40), st.integers(0, 40))
def test_offsets_are_those_of_the_whole_text(text: str, encoding: Encoding, line: int, character: int) -> None:
    assert Lines(text).offset(line, character, encoding) == reference_offset(text, line, character, encoding)


@given(texts, encodings)
def test_every_offset_survives_the_round_trip(text: str, encoding: Encoding) -> None:
    lines = Lines(text)
    assert lines.text == text and len(lines) == len(reference_lines(text))
    inside_crlf = {match.start() + 1 for match in re.finditer("\r\n", text)}
    for offset in range(len(text) + 1):
        back = lines.offset(*lines.position(offset, encoding), encoding)
        assert back == (offset - 1 if offset in inside_crlf else offset)


@given(
    texts,
    encodings,
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9), st.integers(0, 8), st.integers(0, 9), texts), max_size=12),
)
def test_edits_leave_what_editing_the_whole_text_leaves(
    text: str, encoding: Encoding, edits: list[tuple[int, int, int, int, str]]
) -> None:
    lines = Lines(text)
    for first, left, last, right, new in edits:
        start, end = sorted(
            (reference_offset(text, first, left, encoding), reference_offset(text, last, right, encoding))
        )
        before, text = text, text[:start] + new + text[end:]
        assert lines.edit((first, left), (last, right), new, encoding).applied(before) == text
        assert lines.text == text
        assert [lines.line(n) for n in range(len(lines))] == [content for _, content in reference_lines(text)]
        inside_crlf = text[start - 1 : start + 1] == "\r\n"
        place = lines.position(start, encoding)
        assert lines.offset(*place, encoding) == start - inside_crlf == reference_offset(text, *place, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_lies_outside_is_clamped(encoding: Encoding) -> None:
    lines = Lines("ab\r\ncd")
    assert lines.offset(-1, 5, encoding) == 0
    assert lines.offset(0, -3, encoding) == 0
    assert lines.offset(0, 99, encoding) == 2
    assert lines.offset(9, 0, encoding) == 6
    assert lines.position(99, encoding) == (1, 2)
    assert lines.line(7) == ""


@given(texts, encodings)
def test_lengths_in_units_become_code_points(text: str, encoding: Encoding) -> None:
    for length in range(len(text) + 1):
        assert code_points(text, units(text[:length], encoding), encoding) == length


def test_lone_surrogates_become_a_character_of_the_same_length() -> None:
    lines = Lines("x\ud800y")
    lines.edit((0, 3), (0, 3), "\udfff", "utf-16")
    assert lines.text == "x\ufffdy\ufffd"
    lines.text.encode("utf-8")


def test_form_feed_and_line_separator_do_not_end_a_line() -> None:
    assert len(Lines("a\x0cb\u2028c\u0085d")) == 1
