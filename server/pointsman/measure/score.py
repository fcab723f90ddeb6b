"""How near an answer comes to what stood there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pointsman_indexer.evaluate.metrics import interval


def answer(text: str, lines: int) -> str:
    """`text` as it is compared: its first `lines` lines, or all for 0, without white space at ends of lines."""
    kept = [line.rstrip() for line in text.split("\n")]
    return "\n".join(kept[:lines] if lines else kept).rstrip()


def similarity(one: str, other: str) -> float:
    """From 0 to 1 for equal texts: 1 - Levenshtein's distance (1965) / length of the longer."""
    if one == other:
        return 1.0
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    if not shorter:
        return 0.0
    row = list(range(len(shorter) + 1))
    for number, a in enumerate(longer, 1):
        corner, row[0] = row[0], number
        for at, b in enumerate(shorter, 1):
            best = min(row[at] + 1, row[at - 1] + 1, corner + (a != b))
            corner, row[at] = row[at], best
    return 1 - row[-1] / len(longer)


def figures(given: str, truth: str, lines: int, passed: bool | None) -> dict[str, float]:
    """Of one answer; "" is none. `pass@1` is there where programs were run."""
    ours, theirs = answer(given, lines), answer(truth, lines)
    out = {"exact": float(ours == theirs), "similarity": similarity(ours, theirs), "answered": float(bool(ours))}
    return out if passed is None else {**out, "pass@1": float(passed)}


def gain(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean of paired differences with the ends of its 95 % interval, for each figure."""
    return {
        name: interval([one[name] - other[name] for one, other in zip(ours, theirs, strict=True)]) for name in ours[0]
    }
