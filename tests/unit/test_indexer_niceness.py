"""A child that gives way does so within its session and as a session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os
from pathlib import Path
from pointsman_indexer.niceness import give_way

give_way(7)
give_way(3)
print(os.nice(0))
give_way(7)
session = Path("/proc/self/autogroup")
print(session.read_text() if session.exists() else "")
"""


def test_a_child_gives_way_in_its_session_and_as_a_session() -> None:
    command = [sys.executable, "-c", SCRIPT]
    child = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True)
    nice, session, *_ = child.stdout.split("\n")
    assert int(nice) >= 7
    if Path("/proc/self/autogroup").exists():
        assert session.endswith(" nice 7")
