"""Processor time of process trees."""

from __future__ import annotations

import os

import psutil

from pointsman.measure.replay import _cpu, _name


def test_a_process_that_is_reached_twice_counts_once() -> None:
    me, parent = os.getpid(), psutil.Process().ppid()
    sum(range(10_000_000))
    once, twice = _cpu([me]), _cpu([parent, me, me])
    assert 0 < once["other"] < 1.5 * sum(psutil.Process().cpu_times()[:2])
    assert twice["other"] < once["other"] + sum(_cpu([parent]).values())


def test_processes_have_the_name_of_their_module() -> None:
    assert _name(["python", "-P", "-m", "pointsman.worker.llama", "7"]) == "worker.llama"
    assert _name(["python", "-m", "pointsman", "serve"]) == "serve"
    assert _name(["npm", "-m"]) == _name([]) == "other"
