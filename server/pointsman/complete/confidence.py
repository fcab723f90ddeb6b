"""How likely a suggestion is exactly what the user goes on to write, from what was known when it was made.

Two logistic models, one for what the language model wrote and one for what was found in the repository, so that the two
can be compared and the better one shown. Weights are learned by `training/completion/confidence.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pointsman.complete.cursor import Cursor
from pointsman.complete.scope import width

Origin = Literal["model", "lookup"]
_OPENERS = (":", "{", "(", "[")
NAMES = (
    "bias",
    "logprob",
    "logprob_per_unit",
    "units",
    "weakest",
    "match",
    "places",
    "line_start",
    "in_word",
    "opens",
    "agree",
    "rest_of_line",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a suggestion. `logprob` is the sum over the `units` of its first line: tokens, or lexemes."""

    origin: Origin
    logprob: float
    units: int
    weakest: float = 1.0
    match: int = 0
    places: int = 0


def features(evidence: Evidence, text: str, cursor: Cursor, *, agree: bool) -> tuple[float, ...]:
    """One number for each of `NAMES`. `agree`: whether the other origin has the same first line."""
    line = cursor.line_before
    return (
        1.0,
        max(evidence.logprob, -20.0) / 5,
        max(evidence.logprob / max(evidence.units, 1), -4.0),
        math.log1p(evidence.units),
        math.log(max(evidence.weakest, 0.01)),
        min(evidence.match, 16) / 8,
        math.log1p(evidence.places),
        float(not line.strip()),
        float(line[-1:].isalnum() or line[-1:] == "_"),
        _opens_as_it_should(text, cursor),
        float(agree),
        float(bool(cursor.line_after.strip())),
    )


def confidence(origin: Origin, values: Sequence[float]) -> float:
    """Between 0 and 1."""
    return 1 / (1 + math.exp(-sum(w * x for w, x in zip(_weights()[origin], values, strict=True))))


def _opens_as_it_should(text: str, cursor: Cursor) -> float:
    """1 when the one line opens a block exactly if the code below it stands deeper; -1 when not; 0 in the open, and
    for several lines."""
    below = cursor.next_line
    if not below or "\n" in text:
        return 0.0
    line = (cursor.line_before + text + cursor.line_after).rstrip()
    return 1.0 if line.endswith(_OPENERS) == (width(below) > width(line)) else -1.0


@cache
def _weights() -> dict[str, list[float]]:
    data = json.loads(files("pointsman.complete").joinpath("confidence.json").read_text("utf-8"))
    return {origin: [data[origin][name] for name in NAMES] for origin in ("model", "lookup")}
