"""Usage as figures: how fast, how often from the cache, what was taken and kept, by language and model, and where
requests went. Pure: rows in, plain values out, which are also the JSON of `pointsman stats`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pointsman.observe.reader import Outcome, Usage
from pointsman.observe.records import CANCELLED, Answer
from pointsman.observe.retention import AFTER_SECONDS

PERIODS = {"day": 1, "week": 7, "month": 30}
"""Days back from now."""
MOST_DAYS = max(PERIODS.values())
STAGES = ("context", "queue", "prefill", "decode", "clean", "total")
_CACHED = "total_cached"


def report(usage: Usage, sent: Sequence[dict[str, Any]], now: float) -> dict[str, Any]:
    """For each period. `sent` are requests to a closed model: at, task, endpoint, model, status, tokens, usd."""
    return {name: _period(usage, sent, now - days * 86_400) for name, days in PERIODS.items()}


def _period(usage: Usage, sent: Sequence[dict[str, Any]], since: float) -> dict[str, Any]:
    answers = [answer for answer in usage.answers if answer.at >= since]
    outcomes = [outcome for outcome in usage.outcomes if outcome.at >= since]
    finished = [answer for answer in answers if answer.reason != CANCELLED]
    asked = [answer for answer in finished if answer.cache]
    return {
        "requests": len(answers),
        "cancelled": len(answers) - len(finished),
        "answered": sum(answer.items > 0 for answer in answers),
        "answered_share": _share(sum(answer.items > 0 for answer in finished), len(finished)),
        "nothing_because": dict(Counter(answer.reason for answer in answers if answer.reason).most_common(12)),
        "cache": dict(Counter(answer.cache for answer in asked).most_common()),
        "cache_share": _share(sum(_is_cached(answer) for answer in asked), len(asked)),
        "latency_ms": _latency(finished),
        "suggestions": _fate(outcomes),
        "by_language": _grouped(outcomes, lambda outcome: outcome.language),
        "by_model": _grouped(outcomes, lambda outcome: outcome.model),
        "routes": _routes(answers, [request for request in sent if request["at"] >= since]),
    }


def _latency(answers: Sequence[Answer]) -> dict[str, Any]:
    """p50 and p95 of each stage where the model was asked, and of whole answers from the cache."""
    asked = [answer.timings_ms for answer in answers if answer.cache == "miss"]
    cached = [answer.timings_ms["total"] for answer in answers if _is_cached(answer) and "total" in answer.timings_ms]
    columns = {stage: [timings[stage] for timings in asked if stage in timings] for stage in STAGES}
    return {
        stage: {"p50": percentile(values, 50), "p95": percentile(values, 95), "count": len(values)}
        for stage, values in {**columns, _CACHED: cached}.items()
        if values
    }


def _is_cached(answer: Answer) -> bool:
    return answer.cache not in ("", "miss")


def _fate(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    count = Counter(outcome.outcome or "open" for outcome in outcomes)
    shown = sum(outcome.shown for outcome in outcomes)
    return {
        "offered": len(outcomes),
        "shown": shown,
        **{name: count[name] for name in ("accepted", "partly", "typed", "rejected", "missed", "open")},
        "accepted_share": _share(sum(o.shown and o.outcome in ("accepted", "partly") for o in outcomes), shown),
        "accepted_characters": sum(outcome.accepted for outcome in outcomes),
        "typed_characters": sum(outcome.typed for outcome in outcomes),
        "kept": {str(seconds): _kept(outcomes, seconds) for seconds in AFTER_SECONDS},
    }


def _kept(outcomes: Sequence[Outcome], seconds: int) -> dict[str, Any]:
    shares = [outcome.kept[seconds] for outcome in outcomes if seconds in outcome.kept]
    return {"seen": len(shares), "share": round(sum(shares) / len(shares), 3) if shares else None}


def _grouped(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> dict[str, Any]:
    """The largest groups first."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(key(outcome), []).append(outcome)
    return {name: _fate(group) for name, group in sorted(groups.items(), key=lambda item: -len(item[1]))}


def _routes(answers: Iterable[Answer], sent: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where requests went. Locally only completions are counted; of a closed model, all that the audit log has."""
    local = Counter(answer.model for answer in answers if answer.cache == "miss")
    routes = [
        {
            "target": "local",
            "task": "completion",
            "endpoint": "",
            "model": model,
            "requests": count,
            "refused": 0,
            "tokens": None,
            "usd": 0.0,
        }
        for model, count in local.most_common()
    ]
    closed: dict[tuple[str, str, str], dict[str, Any]] = {}
    for request in sent:
        key = request["task"], request["endpoint"], request["model"]
        route = closed.setdefault(
            key,
            {
                "target": "closed",
                "task": key[0],
                "endpoint": key[1],
                "model": key[2],
                "requests": 0,
                "refused": 0,
                "tokens": 0,
                "usd": 0.0,
            },
        )
        route["refused" if request["status"] == "refused" else "requests"] += 1
        route["tokens"] += request["tokens"]
        route["usd"] = round(route["usd"] + request["usd"], 6)
    return routes + list(closed.values())


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return round(ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1], 1)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None
