"""Figures of what was typed: how long, how often, from where, and what it cost. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pointsman.measure.typist import Asked
from pointsman_indexer.evaluate.metrics import percentile

BARS = {"p50": 0.5, "p95": 0.8}
"""Of the peer's time from request to items, at most."""


def figures(asked: Sequence[Asked], cpu_seconds: Mapping[str, float]) -> dict[str, Any]:
    """Of one system. `items_ms` are the requests that brought text, `model_ms` those of them for which a model was
    asked, `request_ms` all that were answered at all. `tokens` is empty where a key overtook a request: what that one
    had generated is told by neither system."""
    shown = [one for one in asked if one.ms is not None and one.suggestion.text]
    waited = [one for one in asked if one.ms is not None]
    tokens = sum(one.suggestion.tokens for one in asked)
    kept = sum(one.suggestion.tokens for one in shown)
    typed = sum(one.suggestion.tokens * one.typed_on / len(one.suggestion.text) for one in shown)
    names = dict.fromkeys(name for one in waited for name in one.suggestion.stages_ms)
    silent = Counter(one.suggestion.reason or "no reason given" for one in asked if not one.suggestion.text)
    return {
        "asked": len(asked),
        "answered": _share(len(shown), len(asked)),
        "items_ms": times([one.ms for one in shown if one.ms is not None]),
        "model_ms": times([one.ms for one in shown if one.ms is not None and one.suggestion.source == "model"]),
        "request_ms": times([one.ms for one in waited if one.ms is not None]),
        "stages_ms": {
            name: _stage([one.suggestion.stages_ms[name] for one in waited if name in one.suggestion.stages_ms])
            for name in names
        },
        "source": {
            source: _share(count, len(shown))
            for source, count in Counter(one.suggestion.source for one in shown).most_common()
        },
        "typed_on": _share(sum(bool(one.typed_on) for one in shown), len(shown)),
        "tokens": {"generated": tokens, "wasted": tokens - kept, "typed_on": round(typed)}
        if len(waited) == len(asked)
        else {},
        "cpu_seconds": round(sum(cpu_seconds.values()), 2),
        "cpu_seconds_by_process": {name: round(seconds, 2) for name, seconds in cpu_seconds.items()},
        "silent": dict(silent.most_common()),
    }


def beside(ours: Sequence[Asked], theirs: Sequence[Asked], *, waited: bool) -> dict[str, Any]:
    """Our times as shares of theirs: where each brought items, and on the keystrokes where both did.

    Bars hold where each answer was `waited` for: at a pace only what is quick is left to be timed, on either side.
    """
    both = [
        (one.ms, other.ms)
        for one, other in zip(ours, theirs, strict=True)
        if one.ms is not None and other.ms is not None and one.suggestion.text and other.suggestion.text
    ]
    items = [[one.ms for one in asked if one.ms is not None and one.suggestion.text] for asked in (ours, theirs)]
    own = _ratio(times(items[0]), times(items[1]))
    paired = _ratio(times([one for one, _ in both]), times([other for _, other in both]))
    return {
        "items": own,
        "both_answered": {"n": len(both), **paired},
        "bars": {
            name: {"at_most": most, "met": own.get(name, most + 1) <= most}
            for name, most in (BARS.items() if waited else ())
        },
    }


def times(ms: Sequence[float]) -> dict[str, float]:
    """{} for none."""
    return {f"p{percent}": round(percentile(ms, percent), 1) for percent in (50, 95)} if ms else {}


def _stage(ms: Sequence[float]) -> dict[str, float]:
    return {**times(ms), "sum": round(sum(ms))}


def _ratio(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    return {name: round(ours[name] / max(theirs[name], 0.1), 3) for name in ours if name in theirs}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
