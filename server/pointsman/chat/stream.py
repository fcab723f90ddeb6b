"""When a model's text goes round in circles, so that it can be ended."""

from __future__ import annotations

import re

_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_SHORT = 12


def goes_round(text: str) -> bool:
    """True when the last finished sentence or line, unless it is a short one, has been there before."""
    finished = [part.strip() for part in _ENDS.split(text)][:-1]
    finished = [part for part in finished if len(part) > _SHORT]
    return len(finished) > 1 and finished[-1] in finished[:-1]
