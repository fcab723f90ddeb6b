"""The report for people: tables as plain rows, and one HTML page of them without scripts or anything from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pointsman.observe.report import STAGES

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.2rem 0 .4rem; border-bottom: 1px solid #8885; }
h3 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .9rem .15rem 0; text-align: right; border-bottom: 1px solid #8883; }
th:first-child, td:first-child { text-align: left; }
p.note { opacity: .75; }
"""
_TITLES = {"day": "Last day", "week": "Last 7 days", "month": "Last 30 days"}
_STAGE_NAMES = {**{stage: stage for stage in STAGES}, "total_cached": "total, from the cache"}


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(period: dict[str, Any]) -> list[Table]:
    """The tables of one period, those without rows left out."""
    found = [
        Table("Requests", ("", "count", "share"), _requests(period)),
        Table(
            "Milliseconds by stage",
            ("stage", "p50", "p95", "requests"),
            tuple(
                (_STAGE_NAMES.get(stage, stage), f"{one['p50']:.1f}", f"{one['p95']:.1f}", str(one["count"]))
                for stage, one in period["latency_ms"].items()
            ),
        ),
        Table("Why nothing came", ("reason", "count"), _counts(period["nothing_because"])),
        _fates("Suggestions by language", "language", period["by_language"]),
        _fates("Suggestions by model", "model", period["by_model"]),
        Table(
            "Routes",
            ("target", "task", "endpoint", "model", "requests", "refused", "tokens", "USD"),
            tuple(
                (
                    *(str(route[name]) for name in ("target", "task", "endpoint", "model", "requests", "refused")),
                    "" if route["tokens"] is None else str(route["tokens"]),
                    f"{route['usd']:.4f}",
                )
                for route in period["routes"]
            ),
        ),
    ]
    return [table for table in found if table.rows]


def page(report: dict[str, Any], made: str, notes: Sequence[str]) -> str:
    """The whole report as one HTML page."""
    body = []
    for name, period in report.items():
        body.append(f"<h2>{html.escape(_TITLES[name])}</h2>")
        body += [_html(table) for table in tables(period)] or ["<p>Nothing was recorded.</p>"]
    body += [f'<p class="note">{html.escape(note)}</p>' for note in notes]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Pointsman: usage</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>Pointsman: usage</h1>\n"
        f"<p>Made {html.escape(made)} from what this machine recorded.</p>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def title(period: str) -> str:
    return _TITLES[period]


def _requests(period: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    if not period["requests"]:
        return ()
    suggestions = period["suggestions"]
    kept = tuple(
        (f"kept after {seconds} s", str(one["seen"]), percent(one["share"]))
        for seconds, one in suggestions["kept"].items()
        if one["seen"]
    )
    return (
        ("requests", str(period["requests"]), ""),
        ("cancelled or failed", str(period["cancelled"]), ""),
        ("answered with a suggestion", str(period["answered"]), percent(period["answered_share"])),
        *((f"cache: {kind}", count, "") for kind, count in _counts(period["cache"])),
        ("from the cache", "", percent(period["cache_share"])),
        ("suggestions shown (estimated)", str(suggestions["shown"]), ""),
        (
            "taken, whole or in part",
            str(suggestions["accepted"] + suggestions["partly"]),
            percent(suggestions["accepted_share"]),
        ),
        *kept,
    )


def _fates(name: str, column: str, groups: dict[str, Any]) -> Table:
    counts = {"whole": "accepted", "part": "partly", "typed": "typed", "not": "rejected", "missed": "missed"}
    return Table(
        name,
        (column, "shown", *counts, "taken", "kept 30 s", "kept 600 s"),
        tuple(
            (
                group or "unknown",
                *(str(fate[count]) for count in ("shown", *counts.values())),
                percent(fate["accepted_share"]),
                percent(fate["kept"]["30"]["share"]),
                percent(fate["kept"]["600"]["share"]),
            )
            for group, fate in groups.items()
        ),
    )


def _counts(counts: dict[str, int]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(count)) for name, count in counts.items())


def percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _html(table: Table) -> str:
    def row(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    rows = "\n".join(row("td", cells) for cells in table.rows)
    return f"<h3>{html.escape(table.title)}</h3>\n<table>\n{row('th', table.columns)}\n{rows}\n</table>"
