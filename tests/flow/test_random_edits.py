"""Random edits of a document and completions in between: the text is right, each item fits, no bracket is doubled.

`POINTSMAN_RANDOM_EDITS=10000 pytest tests/flow/test_random_edits.py` is the long run.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pointsman.complete.gate import Gate
from pointsman.complete.service import CompletionService
from pointsman.complete.types import CompletionQuery, Item
from pointsman.lsp.positions import Encoding, Lines
from pointsman.session import Snapshot
from pointsman.settings import Settings
from tests.pipelines import FakeHost, rules

EDITS = int(os.environ.get("POINTSMAN_RANDOM_EDITS", "300"))
FRAGMENTS = (
    *("x", "value", " = ", "\n", "\r\n", "\t", "    ", "\f", "(", ")", "[", "]", "{", "}", '"', "'", ",", ":", ";"),
    *("é", "日本", "😀", "👩‍👩‍👧", "\u2028", "\x85", "def f(a):\n    return a\n", "f(x)", "[1, 2]", "# note\n", ""),
)
ANSWERS = (
    *("a, b)", "x)", "x))", "]", "1]", '"k": 1}', 'name")', "value", "value\n    return value", "foo(bar(baz))", "😀)"),
    *("(", "f(", ")", "x, y):\n    pass", "'a', 'b')", "{}", "[x for x in y]", "a)\n    b()\n", "; }", "\tz", ""),
)
PAIRS = {")": "(", "]": "[", "}": "{"}


def unmatched(line: str, bracket: str) -> int:
    """Closing brackets of one kind that nothing on the line opens."""
    depth = count = 0
    for char in line:
        if char == PAIRS[bracket]:
            depth += 1
        elif char == bracket:
            count, depth = (count, depth - 1) if depth else (count + 1, 0)
    return count


def line_at(text: str, offset: int) -> tuple[int, int]:
    """Start and end of the line, as an editor sees lines: ended by \\n, \\r\\n or \\r."""
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    ends = [at for at in (text.find("\n", offset), text.find("\r", offset)) if at >= 0]
    return start, min(ends, default=len(text))


def check(text: str, offset: int, item: Item, lines: Lines, encoding: Encoding) -> None:
    start, end = line_at(text, offset)
    assert start <= item.start <= offset <= item.end <= end
    for place in (item.start, item.end):
        assert lines.offset(*lines.position(place, encoding), encoding) == place
    bracket = text[offset:end].lstrip()[:1]
    if bracket in PAIRS and "\n" not in item.text:
        applied = text[start : item.start] + item.text + text[item.end : end]
        assert unmatched(applied, bracket) <= unmatched(text[start:end], bracket), (text[start:end], applied)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_text_and_items_stay_right_under_random_edits(encoding: Encoding) -> None:
    chance = random.Random(encoding)
    host = FakeHost()
    completer = CompletionService(host, rules, Settings(), Gate(0.0), lambda text: ())  # type: ignore[arg-type]
    lines, text = Lines(""), ""
    asked = items = 0
    for number in range(EDITS // 3):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 0, 0, 1, 3, 40)))
        if text[start - 1 : start + 1] == "\r\n" or text[end - 1 : end + 1] == "\r\n":
            continue  # no position lies between the two
        new = chance.choice(FRAGMENTS)
        first, last = lines.position(start, encoding), lines.position(end, encoding)
        assert (lines.offset(*first, encoding), lines.offset(*last, encoding)) == (start, end)
        lines.edit(first, last, new, encoding)
        text = text[:start] + new + text[end:]
        assert lines.text == text
        if len(text) > 3_000:
            lines, text = Lines(text[:500]), text[:500]
        offset = min(start + len(new), len(text))
        if text[offset - 1 : offset + 1] == "\r\n":
            continue
        host.answers = [chance.choice(ANSWERS)]
        snapshot = Snapshot(
            uri="file:///r/a.py",
            path=Path("/r/a.py"),
            root=Path("/r"),
            language="python",
            version=number,
            text=text,
        )
        done = await completer.complete(CompletionQuery(snapshot=snapshot, offset=offset))
        asked += 1
        for item in done.items:
            items += 1
            check(text, offset, item, lines, encoding)
    await completer.close()
    assert items > asked / 10
