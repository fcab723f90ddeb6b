"""Who is served next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.models.base import Priority
from pointsman.worker.scheduler import Scheduler


def served(jobs: Scheduler[list[str]]) -> list[str]:
    """Run everything to its end, one step at a time; the steps in the order they ran."""
    log = []
    while (chosen := jobs.next()) is not None:
        id, steps = chosen
        log.append(steps.pop(0))
        if not steps:
            jobs.remove(id)
    return log


def test_typing_before_chat_before_index_and_first_come_within() -> None:
    jobs: Scheduler[list[str]] = Scheduler()
    jobs.add(1, Priority.INDEX, ["i1", "i2"])
    jobs.add(2, Priority.CHAT, ["c1", "c2"])
    jobs.add(3, Priority.TYPING, ["t1", "t2"])
    jobs.add(4, Priority.CHAT, ["d1"])
    assert served(jobs) == ["t1", "t2", "c1", "c2", "d1", "i1", "i2"]
    assert len(jobs) == 0


def test_a_higher_priority_takes_over_between_two_steps_and_the_lower_goes_on_where_it_was() -> None:
    jobs: Scheduler[list[str]] = Scheduler()
    jobs.add(1, Priority.CHAT, ["c1", "c2", "c3"])
    chosen = jobs.next()
    assert chosen is not None
    assert chosen[1].pop(0) == "c1"
    jobs.add(2, Priority.TYPING, ["t1"])
    assert served(jobs) == ["t1", "c2", "c3"]


def test_a_cancelled_job_is_gone_and_cancelling_twice_is_harmless() -> None:
    jobs: Scheduler[list[str]] = Scheduler()
    jobs.add(1, Priority.CHAT, ["c1"])
    jobs.add(2, Priority.CHAT, ["d1"])
    assert jobs.remove(1) == ["c1"]
    assert jobs.remove(1) is None
    assert jobs.remove(99) is None
    assert served(jobs) == ["d1"]


def test_an_id_is_used_once() -> None:
    jobs: Scheduler[list[str]] = Scheduler()
    jobs.add(1, Priority.CHAT, ["c1"])
    with pytest.raises(ValueError, match="1"):
        jobs.add(1, Priority.TYPING, ["t1"])


@given(st.lists(st.tuples(st.sampled_from(Priority), st.integers(1, 3)), max_size=12))
def test_nothing_is_lost_and_jobs_of_one_priority_never_interleave(plan: list[tuple[Priority, int]]) -> None:
    jobs: Scheduler[list[str]] = Scheduler()
    for id, (priority, steps) in enumerate(plan):
        jobs.add(id, priority, [f"{id}"] * steps)
    expected = [f"{id}" for id in sorted(range(len(plan)), key=lambda i: (plan[i][0], i)) for _ in range(plan[id][1])]
    assert served(jobs) == expected
