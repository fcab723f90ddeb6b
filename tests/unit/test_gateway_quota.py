"""The quota: exact under threads and processes, never given back by a clock or a crash."""

from __future__ import annotations

import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pointsman.errors import GatewayError, PolicyRefusal
from pointsman.gateway.quota import Charge, QuotaStore, micro
from pointsman.policy.schema import Quota

ONE = Charge(tokens=10, micro_usd=100)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 30, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> QuotaStore:
    return QuotaStore(tmp_path / "quota.sqlite3", now=clock)


def attempts(store: QuotaStore, limits: Quota, count: int, prefix: str = "r") -> int:
    """How many of `count` reservations are granted."""
    granted = 0
    for number in range(count):
        try:
            store.reserve(f"{prefix}{number}", ONE, limits)
            granted += 1
        except PolicyRefusal:
            pass
    return granted


@pytest.mark.parametrize(
    ("limits", "granted"),
    [
        (Quota(), 9),
        (Quota(requests_per_day=0), 0),
        (Quota(requests_per_day=3), 3),
        (Quota(requests_per_month=4), 4),
        (Quota(tokens_per_day=25), 2),
        (Quota(tokens_per_month=30), 3),
        (Quota(usd_per_day=0.0005), 5),
        (Quota(usd_per_month=0.00019), 1),
        (Quota(requests_per_day=5, tokens_per_month=20), 2),
    ],
)
def test_each_limit_holds(store: QuotaStore, limits: Quota, granted: int) -> None:
    assert attempts(store, limits, 9) == granted


def test_what_is_left(store: QuotaStore) -> None:
    limits = Quota(requests_per_day=2)
    assert store.left(limits)
    attempts(store, limits, 2)
    assert not store.left(limits)
    assert store.left(Quota(requests_per_day=3))


def test_the_refusal_names_the_limit(store: QuotaStore) -> None:
    with pytest.raises(PolicyRefusal) as caught:
        store.reserve("r", ONE, Quota(tokens_per_day=9))
    assert caught.value.rule == "closed.quota.tokens_per_day"
    assert store.usage().day.requests == 0


def test_settling_replaces_the_bound_once(store: QuotaStore) -> None:
    store.reserve("r", Charge(tokens=1000, micro_usd=5000), Quota())
    store.settle("r", Charge(tokens=3, micro_usd=7))
    store.settle("r", Charge(tokens=0, micro_usd=0))
    store.release("r")
    used = store.usage().day
    assert (used.requests, used.tokens, used.micro_usd) == (1, 3, 7)


def test_releasing_gives_back(store: QuotaStore) -> None:
    store.reserve("r", ONE, Quota(requests_per_day=1))
    store.release("r")
    store.reserve("r", ONE, Quota(requests_per_day=1))


def test_days_and_months_end(store: QuotaStore, clock: Clock) -> None:
    limits = Quota(requests_per_day=2, requests_per_month=3)
    assert attempts(store, limits, 5, "a") == 2
    clock.now += timedelta(days=1)
    assert attempts(store, limits, 5, "b") == 1
    clock.now += timedelta(days=1)
    assert clock.now.month == 6
    assert attempts(store, limits, 5, "c") == 2


def test_a_clock_set_back_gives_nothing_back(store: QuotaStore, clock: Clock) -> None:
    limits = Quota(requests_per_day=2, requests_per_month=4)
    clock.now += timedelta(days=400)
    assert attempts(store, limits, 5, "a") == 2
    clock.now -= timedelta(days=400)
    assert attempts(store, limits, 5, "b") == 0
    clock.now -= timedelta(days=70)
    assert attempts(store, limits, 5, "c") == 0


def test_exact_under_32_threads(store: QuotaStore) -> None:
    limits = Quota(tokens_per_day=275)
    with ThreadPoolExecutor(32) as pool:
        granted = sum(pool.map(lambda n: attempts(store, limits, 4, f"t{n}-"), range(32)))
    assert granted == 27
    assert store.usage().day.tokens == 270


def worker(file: Path, number: int) -> int:
    return attempts(QuotaStore(file), Quota(requests_per_day=27), 20, f"p{number}-")


def test_exact_under_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        granted = pool.starmap(worker, [(tmp_path / "quota.sqlite3", number) for number in range(4)])
    assert sum(granted) == 27


def test_a_store_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "quota.sqlite3").write_bytes(b"no database at all, but as long as a header would be " * 50)
    with pytest.raises(GatewayError, match="nothing is sent"):
        QuotaStore(tmp_path / "quota.sqlite3").reserve("r", ONE, Quota())


def test_a_store_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "quota.sqlite3").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GatewayError):
        QuotaStore(tmp_path / "quota.sqlite3").reserve("r", ONE, Quota())
    assert not (tmp_path / "elsewhere").exists()


def test_it_survives_power_cuts_as_far_as_sqlite_does(store: QuotaStore, tmp_path: Path) -> None:
    store.reserve("r", ONE, Quota())
    connection = sqlite3.connect(tmp_path / "quota.sqlite3")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert (tmp_path / "quota.sqlite3").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("usd", "expected"), [(0, 0), (1e-9, 1), (1.0, 1_000_000), (0.1 + 0.2, 300_000), (0.0000411, 42)]
)
def test_money_is_rounded_up(usd: float, expected: int) -> None:
    assert micro(usd) == expected
