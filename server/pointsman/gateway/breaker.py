"""Leaves an endpoint alone that failed several times in a row: closed, open, then one request on trial.

Kept in memory: a host that starts anew tries anew. Counts failures of the endpoint only, not of requests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_FAILURES = 3
_REST_SECONDS = 30.0


@dataclass(slots=True)
class _State:
    failures: int = 0
    until: float = 0.0


@dataclass(slots=True)
class Breaker:
    """Safe to use from several threads. Endpoints are told apart by name and address."""

    now: Callable[[], float] = time.monotonic
    _states: dict[tuple[str, str], _State] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_open(self, name: str, base_url: str) -> bool:
        """Whether the endpoint is left alone just now."""
        with self._lock:
            state = self._states.get((name, base_url))
            return state is not None and state.failures >= _FAILURES and self.now() < state.until

    def try_now(self, name: str, base_url: str) -> None:
        """A request goes there; when it is the trial after a rest, the next ones wait for how it ends."""
        with self._lock:
            state = self._states.get((name, base_url))
            if state is not None and state.failures >= _FAILURES:
                state.until = self.now() + _REST_SECONDS

    def failed(self, name: str, base_url: str) -> None:
        with self._lock:
            state = self._states.setdefault((name, base_url), _State())
            state.failures += 1
            state.until = self.now() + _REST_SECONDS

    def worked(self, name: str, base_url: str) -> None:
        with self._lock:
            self._states.pop((name, base_url), None)
