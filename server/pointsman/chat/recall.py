"""The answer to a question about the conversation itself: what was asked and answered, said again by no model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pointsman.chat.types import Turn

_TURNS = 6
_LONGEST = 300
_MARK = re.compile(r"\s?\[\d{1,2}\]")
"""Of a source that belongs to an earlier answer and is none of this one's."""


def recalled(history: Sequence[Turn]) -> str:
    """The last turns, each shortened; `history` must not be empty."""
    lines = [f"{'You asked' if turn.role == 'user' else 'The answer was'}: {_short(turn.text)}" for turn in history]
    return "\n\n".join(lines[-_TURNS:])


def _short(text: str) -> str:
    plain = " ".join(_MARK.sub("", text).split())
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"
