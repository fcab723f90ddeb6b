"""Usage as figures, and the page of them: every figure from rows, nothing on the page from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.observe.page import page, tables
from pointsman.observe.reader import Outcome, Usage
from pointsman.observe.records import CANCELLED, Answer
from pointsman.observe.report import percentile, report

NOW = 1_800_000_000.0
DAY = 86_400.0


def answer(days: float, cache: str, total: float, *, items: int = 1, reason: str = "") -> Answer:
    return Answer(
        at=NOW - days * DAY,
        language="python",
        model="tiny",
        automatic=True,
        items=items,
        cache=cache,
        reason=reason,
        timings_ms={"decode": total / 2, "total": total},
    )


def outcome(days: float, became: str, *, language: str = "python", shown: bool = True, **more: Any) -> Outcome:
    return Outcome(
        at=NOW - days * DAY,
        language=language,
        model="tiny",
        shown=shown,
        outcome=became,
        accepted=more.pop("accepted", 0),
        typed=0,
        features={},
        **more,
    )


USAGE = Usage(
    answers=(
        answer(20, "miss", 900),
        *(answer(0.5, "miss", ms) for ms in range(10, 201, 10)),
        answer(0.5, "typed-through", 2),
        answer(0.4, "exact", 4),
        answer(0.3, "", 0, items=0, reason="the file is excluded"),
        answer(0.2, "", 0, items=0, reason=CANCELLED),
    ),
    outcomes=(
        outcome(5, "accepted", accepted=20, kept={30: 1.0, 120: 0.5}),
        outcome(0.5, "accepted", accepted=10, kept={30: 0.5}),
        outcome(0.5, "partly", accepted=4),
        outcome(0.5, "rejected", language="go"),
        outcome(0.5, "missed", shown=False),
        outcome(0.5, "typed"),
        outcome(0.5, ""),
    ),
)
SENT = (
    {"at": NOW - 1, "task": "chat", "endpoint": "e", "model": "big", "status": "ok", "tokens": 10, "usd": 0.25},
    {"at": NOW - 2, "task": "chat", "endpoint": "e", "model": "big", "status": "refused", "tokens": 0, "usd": 0.0},
    {"at": NOW - 9 * DAY, "task": "chat", "endpoint": "e", "model": "big", "status": "ok", "tokens": 5, "usd": 0.1},
)


def test_the_figures_of_each_period() -> None:
    made = report(USAGE, SENT, NOW)
    day, week, month = made["day"], made["week"], made["month"]
    assert (day["requests"], day["cancelled"], day["answered"], day["answered_share"]) == (24, 1, 22, 0.957)
    assert day["cache"] == {"miss": 20, "typed-through": 1, "exact": 1} and day["cache_share"] == 0.091
    assert day["latency_ms"]["total"] == {"p50": 100, "p95": 190, "count": 20}
    assert day["latency_ms"]["decode"]["p95"] == 95
    assert day["latency_ms"]["total_cached"] == {"p50": 2, "p95": 4, "count": 2}
    assert day["nothing_because"] == {"the file is excluded": 1, CANCELLED: 1}
    fate = day["suggestions"]
    assert (fate["offered"], fate["shown"], fate["open"]) == (6, 5, 1)
    assert (fate["accepted"], fate["partly"], fate["typed"], fate["rejected"], fate["missed"]) == (1, 1, 1, 1, 1)
    assert fate["accepted_share"] == 0.4 and fate["accepted_characters"] == 14
    assert fate["kept"]["30"] == {"seen": 1, "share": 0.5} and fate["kept"]["120"] == {"seen": 0, "share": None}
    assert week["suggestions"]["kept"]["30"] == {"seen": 2, "share": 0.75}
    assert list(day["by_language"]) == ["python", "go"] and day["by_language"]["go"]["accepted_share"] == 0.0
    assert month["latency_ms"]["total"]["count"] == 21 and week["latency_ms"]["total"]["count"] == 20
    local, closed = day["routes"]
    assert (local["target"], local["model"], local["requests"], local["usd"]) == ("local", "tiny", 20, 0.0)
    assert (closed["requests"], closed["refused"], closed["tokens"], closed["usd"]) == (1, 1, 10, 0.25)
    assert month["routes"][1]["usd"] == 0.35


def test_nothing_recorded_gives_no_figures_and_no_tables() -> None:
    made = report(Usage(), (), NOW)
    assert made["month"]["answered_share"] is None and made["month"]["latency_ms"] == {}
    assert all(tables(period) == [] for period in made.values())
    assert "Nothing was recorded" in page(made, "now", ())


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_percentiles_are_values_that_occur(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    assert sum(value <= found + 0.06 for value in values) >= len(values) * percent / 100
    assert any(abs(value - found) <= 0.06 for value in values)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "style", "onload")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "&amp;"])
def test_the_page_is_whole_and_takes_nothing_from_elsewhere(name: str) -> None:
    hostile = Usage(answers=USAGE.answers, outcomes=(outcome(0.1, "accepted", language=name), *USAGE.outcomes))
    text = page(report(hostile, SENT, NOW), "now", ("a note",))
    reader = _Reader()
    reader.feed(text)
    assert reader.open == [] and not reader.links
    assert not reader.tags & {"script", "img", "link", "iframe", "object"}
    assert name not in text.replace(" &amp; ", "") or name == "&amp;"
    assert "http://" not in text and "https://" not in text and "url(" not in text
    assert "default-src 'none'" in text and text.count("<h2>") == 3
    assert "<td>decode</td><td>50.0</td><td>95.0</td><td>20</td>" in text
