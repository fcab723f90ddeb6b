"""How many tokens of a prompt one step takes: as many as fit into the time that a cancelled or more urgent request may
have to wait. A fixed number is a tenth of a second on one machine and a whole one on another."""

from __future__ import annotations

BUDGET = 0.06
"""Seconds."""
_SMALLEST, _LARGEST = 8, 512
_FIRST = 32


class Slices:
    """Sizes are powers of two, so that the same prompt is nearly always cut in the same places.

    Args:
        first: tokens of the first slice, of which nothing is known yet.
    """

    def __init__(self, first: int = _FIRST) -> None:
        self._size = first

    def size(self) -> int:
        return self._size

    def took(self, tokens: int, seconds: float) -> None:
        """Learn from a slice that took so long."""
        if tokens < _SMALLEST:
            return  # mostly what any pass costs, whatever its length
        if seconds > BUDGET:
            self._size = max(_SMALLEST, self._size // 2)
        elif tokens == self._size and seconds < BUDGET / 2.5:
            self._size = min(_LARGEST, self._size * 2)
