"""Which job takes the next step: typing before chat before indexing, first come first served within each.

A step is one token, one slice of a prompt or one batch of texts, so a higher priority waits for one step at most
(iteration-level scheduling, Yu et al., "Orca", OSDI 2022). Jobs of one priority never interleave: they share one
prefix cache. Pure; knows nothing of models, threads or messages.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from pointsman.models.base import Priority

J = TypeVar("J")


class Scheduler(Generic[J]):
    """Jobs by id. The caller takes `next()`, runs one step, and calls `remove` when the job is over."""

    def __init__(self) -> None:
        self._waiting: dict[Priority, OrderedDict[int, J]] = {p: OrderedDict() for p in Priority}

    def add(self, id: int, priority: Priority, job: J) -> None:
        """Raises `ValueError` for an id that is already queued."""
        if any(id in jobs for jobs in self._waiting.values()):
            raise ValueError(f"job {id} is already queued")
        self._waiting[priority][id] = job

    def next(self) -> tuple[int, J] | None:
        """The job to step now, which stays queued; None when there is nothing to do."""
        for priority in sorted(self._waiting):
            for id, job in self._waiting[priority].items():
                return id, job
        return None

    def remove(self, id: int) -> J | None:
        """Forget a job that finished or was cancelled; None when it is not (or no longer) here."""
        for jobs in self._waiting.values():
            if id in jobs:
                return jobs.pop(id)
        return None

    def __len__(self) -> int:
        return sum(len(jobs) for jobs in self._waiting.values())
