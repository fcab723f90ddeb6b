"""Quiet rather than wrong: suggestions that are too unlikely to be wanted are not shown on their own.

The user's slider, `completion_confidence`, is the least likelihood that is shown, from 0 (everything) to 1 (nothing).
How likely is learned from code in general (`confidence`), and put right by what this user rather takes or passes over.
"""

from __future__ import annotations

from typing import Protocol

from pointsman.complete.cache import Suggestion
from pointsman.complete.cursor import Cursor


class Taste(Protocol):
    """What is known of one user."""

    def odds(self, characters: int, lines: int, *, line_start: bool) -> float | None:
        """That such a one is taken, beside an average one as likely in general; None while too little is known."""
        ...


class Gate:
    """Args:
    least: the user's slider.
    taste: None when nothing is learned.
    """

    def __init__(self, least: float, taste: Taste | None = None) -> None:
        self._least = least
        self._taste = taste

    def closed_for(self, suggestion: Suggestion, cursor: Cursor) -> str:
        """Why a suggestion is not shown; "" when it is."""
        likely, source = suggestion.confidence, "in general"
        if self._least and self._taste is not None:
            odds = self._taste.odds(
                len(suggestion.text), suggestion.text.count("\n") + 1, line_start=not cursor.line_before.strip()
            )
            if odds is not None:
                likely, source = likely * odds / (1 - likely + likely * odds), "by what was taken before"
        if likely >= self._least:
            return ""
        return f"too unlikely to be wanted: {likely:.2f} {source}, {self._least:.2f} is asked for"
