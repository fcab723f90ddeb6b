"""Every embedding worth keeping, by embedder and by the hash of what was embedded.

A branch switch, a rename and a return to an earlier embedder find their vectors here. Knows nothing of files.
"""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Mapping, Sequence

_SPARE = 20_000
"""Vectors kept that no chunk needs now."""
_BATCH = 500
"""Placeholders in one statement."""


class Vectors:
    """The catalogue's `vectors` table. A vector is float32; `embedder` names a model and its dimension."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, embedder: str, shas: Sequence[str]) -> dict[str, array[float]]:
        """The known ones, by hash."""
        found: dict[str, array[float]] = {}
        for start in range(0, len(shas), _BATCH):
            batch = shas[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            for sha, blob in self._db.execute(
                f"SELECT sha, vector FROM vectors WHERE embedder = ? AND sha IN ({marks})", (embedder, *batch)
            ):
                found[sha] = array("f", blob)
        return found

    def put(self, embedder: str, vectors: Mapping[str, array[float]]) -> None:
        now = time.time()
        self._db.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
            [(embedder, sha, now, vector.tobytes()) for sha, vector in vectors.items()],
        )

    def drop_spare(self, embedders: Sequence[str], keep: int = _SPARE) -> None:
        """Delete vectors of other embedders than these or of no chunk, but for the `keep` newest."""
        marks = ",".join("?" * len(embedders))
        self._db.execute(
            f"DELETE FROM vectors WHERE rowid IN (SELECT v.rowid FROM vectors v WHERE v.embedder NOT IN ({marks}) "
            "OR NOT EXISTS (SELECT 1 FROM chunks c WHERE c.sha = v.sha) ORDER BY v.used DESC LIMIT -1 OFFSET ?)",
            (*embedders, keep),
        )
