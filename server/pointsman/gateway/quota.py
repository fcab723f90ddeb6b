"""How much may still be asked: reserve the upper bound, send, then settle what it really was.

Exact under threads and processes: one at a time, in one write transaction of SQLite. A reservation that nobody
settles, as after a crash, stays charged. Rows dated after today count too, so that a clock set back gives nothing back.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pointsman import safefile
from pointsman.errors import GatewayError, PolicyRefusal
from pointsman.policy import schema
from pointsman_indexer.transaction import transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charge (
    id TEXT PRIMARY KEY, day TEXT NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL,
    micro_usd INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('reserved', 'settled'))
) STRICT;
CREATE INDEX IF NOT EXISTS charge_day ON charge (day);
"""
_TOTAL = "SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0), coalesce(sum(micro_usd), 0) FROM charge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a request costs. `micro_usd` is millionths of a US dollar."""

    requests: int = 1
    tokens: int
    micro_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    day: Charge
    month: Charge


def micro(usd: float) -> int:
    """Dollars to millionths, rounded up: a budget is never overrun by rounding."""
    return math.ceil(round(usd * 1e6, 3))


class QuotaStore:
    """The user's charges in one SQLite file. All methods block; each uses its own connection."""

    def __init__(self, file: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file = file
        self._now = now

    def reserve(self, record: str, bound: Charge, limits: schema.Quota) -> None:
        """Charge `bound` under the id `record`, or raise `PolicyRefusal` naming the limit that it would pass.

        Raises `GatewayError` when the store cannot be written.
        """
        with self._writing() as connection:
            limit = _passed(_usage(connection, self._now()), bound, limits)
            if limit is not None:
                raise PolicyRefusal(
                    f"the quota {limit} is used up", rule=f"closed.quota.{limit}", remedy="ask for the local model"
                )
            connection.execute(
                "INSERT INTO charge VALUES (?, ?, ?, ?, ?, 'reserved')",
                (record, self._now().date().isoformat(), bound.requests, bound.tokens, bound.micro_usd),
            )

    def settle(self, record: str, actual: Charge) -> None:
        """Replace the reservation by what it was. Once only: a settled charge stays. Raises `GatewayError`."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE charge SET requests = ?, tokens = ?, micro_usd = ?, state = 'settled'"
                " WHERE id = ? AND state = 'reserved'",
                (actual.requests, actual.tokens, actual.micro_usd, record),
            )

    def release(self, record: str) -> None:
        """Give the reservation back: nothing was sent. Raises `GatewayError`."""
        with self._writing() as connection:
            connection.execute("DELETE FROM charge WHERE id = ? AND state = 'reserved'", (record,))

    def usage(self) -> Usage:
        """What this UTC day and month were charged, reservations included. Raises `GatewayError`."""
        with self._writing() as connection:
            return _usage(connection, self._now())

    def unsettled(self) -> list[str]:
        """Ids of reservations of earlier days that nobody settled, as after a crash: they stay charged."""
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT id FROM charge WHERE state = 'reserved' AND day < ? ORDER BY id",
                (self._now().date().isoformat(),),
            )
            return [row[0] for row in rows]

    def left(self, limits: schema.Quota) -> bool:
        """Whether one more small request fits; the reservation decides for real. Raises `GatewayError`."""
        return _passed(self.usage(), Charge(tokens=1, micro_usd=1), limits) is None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with (
                safefile.locked(self._file.with_suffix(".lock")),  # SQLite's own waiting is unfair and gives up
                closing(self._connect()) as connection,
                transaction(connection),
            ):
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise GatewayError(
                f"the quota cannot be kept ({type(error).__name__}), so nothing is sent",
                remedy=f"see to {self._file}: without it, what was spent is counted from nothing",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._file, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection


def _usage(connection: sqlite3.Connection, now: datetime) -> Usage:
    day = now.date()
    totals = [
        connection.execute(f"{_TOTAL} WHERE day >= ?", (since.isoformat(),)).fetchone()
        for since in (day, day.replace(day=1))
    ]
    today, month = (Charge(requests=row[0], tokens=row[1], micro_usd=row[2]) for row in totals)
    return Usage(day=today, month=month)


def _passed(usage: Usage, bound: Charge, limits: schema.Quota) -> str | None:
    """The first limit that `bound` on top of `usage` would pass."""
    for period, used in (("day", usage.day), ("month", usage.month)):
        for unit, total in (
            ("requests", used.requests + bound.requests),
            ("tokens", used.tokens + bound.tokens),
            ("usd", used.micro_usd + bound.micro_usd),
        ):
            name = f"{unit}_per_{period}"
            limit = getattr(limits, name)
            if limit is not None and total > (limit * 1e6 if unit == "usd" else limit):
                return name
    return None
