"""Text from a model on its way to a person: control characters out, and an end when it goes round in circles."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_SHORT = 12


def printable(text: str) -> str:
    """`text` without terminal escape sequences, control, bidirectional and invisible characters."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def goes_round(text: str) -> bool:
    """True when the last finished sentence or line, unless it is a short one, has been there before."""
    finished = [part.strip() for part in _ENDS.split(text)][:-1]
    finished = [part for part in finished if len(part) > _SHORT]
    return len(finished) > 1 and finished[-1] in finished[:-1]
