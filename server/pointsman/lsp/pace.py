"""How long a request waits for the next key before the model is asked: not at all in an unhurried hand.

Editors that wait by themselves are not made to wait twice. Answers from a cache or from the repository never wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_WAITS_ITSELF = ("neovim", "nvim")
"""Neovim asks 200 ms after a key."""
_HURRIED_MS = 120.0
"""Between two requests: the next key comes before a model has answered."""
_PATIENCE_MS = 60.0


class Pace:
    """The rhythm of one window's automatic requests.

    Args:
        client: name of the editor, as it gives it at `initialize`.
        now: seconds of a clock that never goes back.
    """

    def __init__(self, client: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._waits_itself = client.lower().startswith(_WAITS_ITSELF)
        self._now = now
        self._last = float("-inf")

    def patience_ms(self) -> float:
        """For the request that has just come."""
        gap = (self._now() - self._last) * 1000
        self._last = self._now()
        return _PATIENCE_MS if gap < _HURRIED_MS and not self._waits_itself else 0.0
