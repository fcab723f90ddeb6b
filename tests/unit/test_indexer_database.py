"""The catalogue's file: made anew when it is damaged, and kept when it only cannot be opened now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pointsman_indexer.database import Database

OPEN_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pointsman_indexer.database import Database
from pointsman_indexer.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    Database(Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""


def kept(file: Path) -> str:
    database = Database(file)
    try:
        return database.meta("mark")
    finally:
        database.close()


def made(file: Path) -> None:
    database = Database(file)
    database.set_meta("mark", "here")
    database.close()


def test_a_full_disk_costs_no_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    made(file)
    command = [sys.executable, "-c", OPEN_ON_A_FULL_DISK, str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "cannot be opened" in said
    assert kept(file) == "here"


@pytest.mark.parametrize("damage", [b"no database at all, but long enough for a header of one hundred bytes" * 9])
def test_a_damaged_one_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "catalog.sqlite"
    made(file)
    file.write_bytes(damage)
    assert kept(file) == ""
