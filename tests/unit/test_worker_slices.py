"""Slices of a prompt on fast and slow machines."""

from __future__ import annotations

import pytest

from pointsman.worker.slices import BUDGET, Slices


@pytest.mark.parametrize(("seconds_a_token", "size"), [(0.00005, 512), (0.0018, 32), (0.003, 16), (0.006, 8), (0.1, 8)])
def test_a_slice_comes_to_fit_into_its_time(seconds_a_token: float, size: int) -> None:
    slices = Slices()
    for _ in range(10):
        slices.took(slices.size(), slices.size() * seconds_a_token)
    assert slices.size() == size
    assert size * seconds_a_token <= BUDGET or size == 8


def test_a_few_tokens_say_nothing_of_a_slice() -> None:
    slices = Slices()
    before = slices.size()
    slices.took(2, 0.3)
    slices.took(3, 0.001)
    assert slices.size() == before
