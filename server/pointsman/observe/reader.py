"""Reads the local record of usage: for the report, and for whoever learns when a suggestion is worth showing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman.errors import PointsmanError
from pointsman.observe.records import Answer
from pointsman.observe.store import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one suggestion."""

    at: float
    language: str
    model: str
    shown: bool
    outcome: str
    """accepted, partly, typed, rejected, missed; "" while it is open, or when its window was killed."""
    accepted: int
    typed: int
    features: dict[str, float]
    kept: dict[int, float] = field(default_factory=dict)
    """Share of the accepted text that was still there after so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    answers: tuple[Answer, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def read(file: Path, since: float) -> Usage:
    """Everything since a moment of the Unix epoch, oldest first. Raises `PointsmanError` when it cannot be read."""
    answers = _rows(file, "SELECT * FROM answer WHERE at >= ? ORDER BY at", (since,))
    return Usage(
        answers=tuple(
            Answer(
                at=row["at"],
                language=row["language"],
                model=row["model"],
                automatic=bool(row["automatic"]),
                items=row["items"],
                cache=row["cache"],
                reason=row["reason"],
                timings_ms=json.loads(row["timings"]),
            )
            for row in answers
        ),
        outcomes=_outcomes(file, since, -1),
    )


def outcomes(file: Path, most: int) -> tuple[Outcome, ...]:
    """The newest suggestions that were shown and settled, oldest first: features and outcomes to learn from.

    Raises `PointsmanError` when they cannot be read.
    """
    return _outcomes(file, 0.0, most, "AND shown AND outcome IS NOT NULL")


def _outcomes(file: Path, since: float, most: int, also: str = "") -> tuple[Outcome, ...]:
    rows = _rows(
        file,
        "SELECT s.*, (SELECT json_group_object(seconds, share) FROM kept WHERE kept.id = s.id) AS kept"
        f" FROM suggestion s WHERE at >= ? {also} ORDER BY at DESC LIMIT ?",
        (since, most),
    )
    return tuple(
        Outcome(
            at=row["at"],
            language=row["language"],
            model=row["model"],
            shown=bool(row["shown"]),
            outcome=row["outcome"] or "",
            accepted=row["accepted"],
            typed=row["typed"],
            features=json.loads(row["features"]),
            kept={int(seconds): share for seconds, share in json.loads(row["kept"]).items()},
        )
        for row in reversed(rows)
    )


def _rows(file: Path, query: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
    if not file.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                return []
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise PointsmanError(
            f"the record of usage cannot be read ({type(error).__name__})", remedy="pointsman stats --forget"
        ) from error
