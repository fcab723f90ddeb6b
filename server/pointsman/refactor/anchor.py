"""Where in some lines a model's quotation of them stands. Pure; a place that is not the only one is no place.

Tried in turn, each only when the one before found nothing: the lines as they are, without white space at their ends,
without indentation, without the typography of word processors, and last a near match that no other place comes close
to. Source of the ladder: Aider's search/replace matching; the bounds are our own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NEAR = 0.85
"""Least likeness (0 to 1, `difflib`'s ratio) of a near match."""
CLEAR = 0.08
"""By how much a near match must be likelier than any other place."""
_LETTERS = 24
"""A near match of fewer characters than this would be a guess."""
_WORK = 2_000
"""Most places that are compared in full; in a longer text only exact forms count."""
_TYPOGRAPHY = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u2013": "-"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Lines `start` to `end` (0-based, end exclusive)."""

    start: int
    end: int
    indented: bool = True
    """False when the quotation's indentation is not the text's."""
    plain: bool = False
    """True when the quotation's typography had to be undone, so what goes with it needs the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnchor:
    reason: str
    """In words, without a text of the file or the model."""


def plain(text: str) -> str:
    """`text` with straight quotes, plain spaces and hyphens, one character for one."""
    return text.translate(_TYPOGRAPHY)


def anchor(lines: Sequence[str], wanted: Sequence[str]) -> Anchor | NoAnchor:
    """The only place of `wanted` in `lines`. Lines come without their ends."""
    if not any(line.strip() for line in wanted):
        return NoAnchor(reason="its search text is empty")
    ladder: tuple[tuple[Callable[[str], str], bool, bool], ...] = (
        (str, True, False),
        (str.rstrip, True, False),
        (str.strip, False, False),
        (lambda line: plain(line).strip(), False, True),
    )
    for key, indented, undone in ladder:
        places = _equal_places([key(line) for line in lines], [key(line) for line in wanted])
        if len(places) > 1:
            return NoAnchor(reason=f"its search text stands in {len(places)} places")
        if places:
            return Anchor(start=places[0], end=places[0] + len(wanted), indented=indented, plain=undone)
    return _near(lines, wanted)


def _equal_places(lines: list[str], wanted: list[str]) -> list[int]:
    size = len(wanted)
    return [at for at in range(len(lines) - size + 1) if lines[at : at + size] == wanted]


def _near(lines: Sequence[str], wanted: Sequence[str]) -> Anchor | NoAnchor:
    missing = NoAnchor(reason="its search text is not in the selection")
    goal = "\n".join(plain(line).strip() for line in wanted if line.strip())
    if len(goal) < _LETTERS or len(lines) > _WORK:
        return missing
    keys = [plain(line).strip() for line in lines]
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(goal)
    scored: list[tuple[float, int, int]] = []
    for size in {len(wanted) - 1, len(wanted), len(wanted) + 1} - {0}:
        for at in range(len(keys) - size + 1):
            if not keys[at] or not keys[at + size - 1]:
                continue  # a blank line at an edge only blurs where the place ends
            matcher.set_seq1("\n".join(key for key in keys[at : at + size] if key))
            if matcher.real_quick_ratio() >= NEAR - CLEAR and matcher.quick_ratio() >= NEAR - CLEAR:
                scored.append((matcher.ratio(), at, at + size))
    scored.sort(reverse=True)
    if not scored or scored[0][0] < NEAR:
        return missing
    score, start, end = scored[0]
    apart = [other for other, left, right in scored[1:] if right <= start or left >= end]
    if apart and score - apart[0] < CLEAR:
        return NoAnchor(reason="its search text is nearly that of several places")
    undone = any(plain(line) != line for line in wanted)
    return Anchor(start=start, end=end, indented=False, plain=undone)
