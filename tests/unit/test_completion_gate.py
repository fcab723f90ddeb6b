"""When a suggestion stays unseen: the slider, and what was taken before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pointsman.complete.cache import Suggestion
from pointsman.complete.cursor import cursor_of
from pointsman.complete.gate import Gate
from pointsman.complete.types import CompletionQuery
from pointsman.lsp.pace import Pace
from pointsman.observe.reader import Outcome
from pointsman.observe.taste import ENOUGH, Taste, learned
from tests.pipelines import marked, snapshot

TEXT, OFFSET = marked("x = ‸\n")
CURSOR = cursor_of(CompletionQuery(snapshot=snapshot(TEXT), offset=OFFSET))


class Fixed:
    def __init__(self, odds: float | None) -> None:
        self._odds = odds

    def odds(self, characters: int, lines: int, *, line_start: bool) -> float | None:
        return self._odds


@pytest.mark.parametrize(
    ("least", "confidence", "taste", "shown"),
    [
        (0.0, 0.01, None, True),
        (0.0, 0.01, 0.0, True),  # at 0 everything is shown, whatever was learned
        (0.5, 0.4, None, False),
        (0.5, 0.6, None, True),
        (0.5, 0.4, 2.0, True),
        (0.5, 0.6, 0.5, False),
        (0.5, 0.6, 1.0, True),
    ],
)
def test_the_slider_and_the_taste(least: float, confidence: float, taste: float | None, shown: bool) -> None:
    gate = Gate(least, None if taste is None else Fixed(taste))
    assert (gate.closed_for(Suggestion("1", -0.1, confidence), CURSOR) == "") is shown
    assert Gate(least, Fixed(None)).closed_for(Suggestion("1", -0.1, 0.3), CURSOR) == Gate(least).closed_for(
        Suggestion("1", -0.1, 0.3), CURSOR
    )


def seen(count: int, *, share: float | None = None, automatic: bool = True) -> list[Outcome]:
    """A user who takes what is likely and short; or that `share`, whatever it is."""
    chance = random.Random(3)
    out = []
    for number in range(count):
        confidence, characters = chance.random(), chance.randrange(1, 60)
        taken = confidence > 0.5 and characters < 40 if share is None else chance.random() < share
        features = {
            "confidence": confidence,
            "characters": characters,
            "lines": 1,
            "typed_on_line": 4,
            "automatic": float(automatic),
        }
        out.append(
            Outcome(
                at=number,
                language="python",
                model="tiny",
                shown=True,
                outcome="accepted" if taken else "rejected",
                accepted=1,
                typed=0,
                features=features,
            )
        )
    return out


def tasting(file: Path, monkeypatch: pytest.MonkeyPatch, outcomes: list[Outcome]) -> Taste:
    monkeypatch.setattr("pointsman.observe.taste.outcomes", lambda file, most: outcomes)
    taste = Taste(file)
    taste.learn()
    return taste


def test_taste_is_learned_from_enough_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert learned(seen(ENOUGH - 1)) is None
    assert learned([one for one in seen(2 * ENOUGH) if one.outcome == "rejected"]) is None
    assert learned(seen(2 * ENOUGH, automatic=False)) is None, "what was asked for is always shown"
    file = tmp_path / "usage.sqlite3"
    assert tasting(file, monkeypatch, []).odds(10, 1, line_start=False) is None
    taste = tasting(file, monkeypatch, seen(2 * ENOUGH))
    likely, unlikely = (taste.odds(characters, 1, line_start=False) for characters in (10, 50))
    assert likely is not None and unlikely is not None and likely > 1.2 > 0.8 > unlikely


def test_who_takes_little_and_of_everything_alike_still_sees_what_is_likely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(0.5, tasting(tmp_path / "usage.sqlite3", monkeypatch, seen(2 * ENOUGH, share=0.3)))
    for characters in (1, 10, 60):
        assert not gate.closed_for(Suggestion("x" * characters, -0.1, 0.75), CURSOR)
        assert gate.closed_for(Suggestion("x" * characters, -0.1, 0.25), CURSOR)


def test_a_hurried_hand_is_waited_for_but_not_in_an_editor_that_waits() -> None:
    clock = [0.0]
    code, neovim = (Pace(name, now=lambda: clock[0]) for name in ("Visual Studio Code", "Neovim"))
    assert code.patience_ms() == neovim.patience_ms() == 0
    clock[0] += 0.05
    assert code.patience_ms() > 0 and neovim.patience_ms() == 0
    clock[0] += 1
    assert code.patience_ms() == 0
