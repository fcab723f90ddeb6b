"""Commits as keystrokes, typing into a scripted system, and the figures of it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.measure.keystrokes import Burst, Stroke, bursts, strokes
from pointsman.measure.systems import _window
from pointsman.measure.typing_report import beside, figures
from pointsman.measure.typist import Asked, Suggestion, play
from pointsman.session import Edit
from pointsman_indexer.exclude import Exclusions

BEFORE = "import os\n\ndef total(items):\n    return 0\n\nprint(total([]))\n"
AFTER = "import os\n\ndef total(items):\n    result = sum(items)\n    return result\n\nprint(total([1]))\n"


def played(text: str, made: tuple[Stroke, ...]) -> str:
    for stroke in made:
        text = stroke.edit.applied(text)
        assert 0 <= stroke.cursor <= len(text)
    return text


def test_strokes_turn_one_text_into_the_other() -> None:
    found = list(strokes(BEFORE, AFTER))
    assert found[0][0] == BEFORE and played(*found[-1]) == AFTER
    # Two lines came for one: it goes at once, and each new line begins with its indentation.
    first = found[0][1]
    assert not first[0].typed and first[0].edit.new == ""
    assert first[1].edit.new == "\n    " and first[2].edit.new == "r"
    # One line came for one: only what differs is typed, within it.
    assert [(stroke.edit.new, stroke.typed) for stroke in found[1][1]] == [("1", True)]


LINES = st.lists(st.sampled_from(["a\n", "  b\n", "\n", "\tc d\n", "é\x0c\n"]), max_size=6).map("".join)


@given(before=LINES, after=LINES)
def test_any_two_texts(before: str, after: str) -> None:
    text = before
    for number, (start, made) in enumerate(strokes(before, after)):
        if number == 0:
            assert len(start) <= len(before) + len(after)
        text = played(start, made)
    # What is only taken away is nobody's typing: it is in the next burst's text, or missing behind the last one.
    assert set(after.split("\n")) <= set(text.split("\n")) or not list(strokes(before, after))


@pytest.fixture
def history(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run([*git, "init", "-q"], cwd=root, check=True)
    for text in (BEFORE, AFTER):
        (root / "a.py").write_text(text)
        (root / "notes.md").write_text(text)
        subprocess.run([*git, "add", "-A"], cwd=root, check=True)
        subprocess.run([*git, "commit", "-qm", "x"], cwd=root, check=True)
    return root


def test_commits_become_bursts(history: Path) -> None:
    (one,) = bursts(history, 100, 0, Exclusions(history))
    assert (one.path, one.language, one.text) == ("a.py", "python", BEFORE)
    assert one.keystrokes == len("result = sum(items)") + len("return result") + 2
    assert bursts(history, 10, 0, Exclusions(history)) == []
    assert bursts(history.parent, 100, 0, Exclusions(history.parent)) == []
    assert bursts(history, 100, 0, Exclusions(history, ["a.py"])) == []


class Parrot:
    """Suggests the same text at every key, after `delays` seconds each; remembers what it was told."""

    name = "parrot"

    def __init__(self, text: str, *delays: float) -> None:
        self.text = text
        self.delays = list(delays)
        self.texts: list[str] = []
        self.cancelled = 0

    async def open(self, burst: Burst) -> None:
        self.texts.append(burst.text)

    async def change(self, before: str, stroke: Stroke, after: str) -> None:
        assert before == self.texts[-1] and stroke.edit.applied(before) == after
        self.texts.append(after)

    async def suggest(self, text: str, cursor: int) -> Suggestion:
        assert text == self.texts[-1]
        try:
            await asyncio.sleep(self.delays.pop(0) if self.delays else 0.0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Suggestion(text=self.text, tokens=3)

    async def explain(self, suggestion: Suggestion) -> Suggestion:
        return suggestion


def burst_of(typed: str) -> Burst:
    made = tuple(Stroke(edit=Edit(n, n, c), cursor=n + 1) for n, c in enumerate(typed))
    return Burst(parent="", path="a.py", language="python", text="", strokes=made)


async def test_what_is_typed_on_is_counted() -> None:
    asked = await play(Parrot("bcx"), burst_of("abcd"), 0.0)
    assert [one.typed_on for one in asked] == [2, 0, 0, 0]
    assert all(one.ms is not None for one in asked)


async def test_a_keystroke_cancels_what_has_not_come() -> None:
    parrot = Parrot("b", 30.0)
    asked = await play(parrot, burst_of("ab"), 0.05)
    assert parrot.cancelled == 1
    assert [one.suggestion.text for one in asked] == ["", "b"]
    assert asked[0].ms is None


def asked(ms: float | None, text: str = "ab", **more: object) -> Asked:
    made = Suggestion(text=text, tokens=4, stages_ms={"decode": 2.0}, **more)  # type: ignore[arg-type]
    return Asked(suggestion=made, ms=ms, typed_on=len(text) // 2)


def test_figures_and_ratios() -> None:
    ours = [asked(10.0), asked(2.0, source="typed-through"), asked(1.0, "", reason="in a word"), asked(None, "")]
    report = figures(ours, {"serve": 1.0, "host": 0.25})
    assert (report["asked"], report["answered"], report["cpu_seconds"]) == (4, 0.5, 1.25)
    assert report["items_ms"] == {"p50": 2.0, "p95": 10.0}
    assert report["model_ms"] == {"p50": 10.0, "p95": 10.0}
    assert report["request_ms"] == {"p50": 2.0, "p95": 10.0}
    assert report["source"] == {"model": 0.5, "typed-through": 0.5}
    assert report["tokens"] == {}, "what the request that a key overtook had generated is not known"
    assert figures(ours[:3], {})["tokens"] == {"generated": 12, "wasted": 4, "typed_on": 4}
    assert report["silent"] == {"in a word": 1, "no reason given": 1}
    theirs = [asked(20.0), asked(20.0), asked(20.0), asked(20.0)]
    ratios = beside(ours, theirs, waited=True)
    assert ratios["items"] == {"p50": 0.1, "p95": 0.5}
    assert ratios["both_answered"] == {"n": 2, "p50": 0.1, "p95": 0.5}
    assert all(bar["met"] for bar in ratios["bars"].values())
    silent = beside([asked(None, "")], [asked(5.0)], waited=True)
    assert not any(bar["met"] for bar in silent["bars"].values())
    assert beside(ours, theirs, waited=False)["bars"] == {}


def test_the_peers_window_moves_in_steps() -> None:
    text = "".join(f"line {n}\n" for n in range(1000))
    starts = {text.index(_window(text[:end])) for end in range(5000, 5200)}
    assert len(starts) <= 2
    assert all(text[start - 1] == "\n" for start in starts)
    assert _window("short") == "short"
