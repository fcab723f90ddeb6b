"""Processor time of process trees."""

from __future__ import annotations

import os

from pointsman.measure.replay import _cpu, _name


def test_a_process_that_is_reached_twice_counts_once() -> None:
    sum(range(10_000_000))
    once, twice = _cpu([os.getpid()]), _cpu([os.getpid(), os.getpid()])
    # The two sums may go through the processes in another order, so they agree only up to rounding.
    assert 0 < once["other"] <= twice["other"] + 1e-6 < 1.5 * once["other"]


def test_processes_have_the_name_of_their_module() -> None:
    assert _name(["python", "-P", "-m", "pointsman.worker.llama", "7"]) == "worker.llama"
    assert _name(["python", "-m", "pointsman", "serve"]) == "serve"
    assert _name(["npm", "-m"]) == _name([]) == "other"
