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
    def __init__(self, likelihood: float | None) -> None:
        self._likelihood = likelihood

    def likelihood(self, confidence: float, characters: int, lines: int, *, line_start: bool) -> float | None:
        return self._likelihood


@pytest.mark.parametrize(
    ("least", "confidence", "taste", "shown"),
    [
        (0.0, 0.01, None, True),
        (0.0, 0.01, 0.0, True),  # at 0 everything is shown, whatever was learned
        (0.5, 0.4, None, False),
        (0.5, 0.6, None, True),
        (0.5, 0.4, 0.9, True),
        (0.5, 0.9, 0.1, False),
    ],
)
def test_the_slider_and_the_taste(least: float, confidence: float, taste: float | None, shown: bool) -> None:
    gate = Gate(least, None if taste is None else Fixed(taste))
    assert (gate.closed_for(Suggestion("1", -0.1, confidence), CURSOR) == "") is shown
    assert Gate(least, Fixed(None)).closed_for(Suggestion("1", -0.1, 0.3), CURSOR) == Gate(least).closed_for(
        Suggestion("1", -0.1, 0.3), CURSOR
    )


def seen(count: int) -> list[Outcome]:
    """A user who takes what is likely and short."""
    chance = random.Random(3)
    out = []
    for number in range(count):
        confidence, characters = chance.random(), chance.randrange(1, 60)
        taken = confidence > 0.5 and characters < 40
        features = {"confidence": confidence, "characters": characters, "lines": 1, "typed_on_line": 4}
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


def test_taste_is_learned_from_enough_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert learned(seen(ENOUGH - 1)) is None
    assert learned([one for one in seen(2 * ENOUGH) if one.outcome == "rejected"]) is None
    taste = Taste(tmp_path / "usage.sqlite3")
    taste.learn()
    assert taste.likelihood(0.95, 10, 1, line_start=False) is None
    monkeypatch.setattr("pointsman.observe.taste.outcomes", lambda file, most: seen(2 * ENOUGH))
    taste.learn()
    likely = taste.likelihood(0.95, 10, 1, line_start=False)
    unlikely = taste.likelihood(0.05, 50, 1, line_start=False)
    assert likely is not None and unlikely is not None and likely > 0.6 > 0.2 > unlikely


def test_a_hurried_hand_is_waited_for_but_not_in_an_editor_that_waits() -> None:
    clock = [0.0]
    code, neovim = (Pace(name, now=lambda: clock[0]) for name in ("Visual Studio Code", "Neovim"))
    assert code.patience_ms() == neovim.patience_ms() == 0
    clock[0] += 0.05
    assert code.patience_ms() > 0 and neovim.patience_ms() == 0
    clock[0] += 1
    assert code.patience_ms() == 0
