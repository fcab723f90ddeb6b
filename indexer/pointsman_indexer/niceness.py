"""Let everything else on the machine go first.

A niceness counts only among processes of one session where Linux groups by sessions, which desktop kernels do: a
process in a session of its own, as all children here are, takes as much of a core as a whole editor. So the session
says so too. Source: "The autogroup feature" in sched(7).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

_SESSION = Path("/proc/self/autogroup")
_TRIES, _SECONDS_BETWEEN = 50, 0.15
"""Linux takes one such wish of all ordinary users in a tenth of a second, and processes start several at a time."""


def give_way(niceness: int) -> None:
    """Make this process at least as nice as `niceness`, and its session just so, which may take seconds to count.

    For processes that lead a session of their own; where the system allows neither, nothing happens.
    """
    with contextlib.suppress(OSError):
        os.nice(max(niceness - os.nice(0), 0))
    if not _told(niceness):
        threading.Thread(target=_insist, args=(niceness,), name="give way", daemon=True).start()


def _insist(niceness: int) -> None:
    for _ in range(_TRIES):
        time.sleep(_SECONDS_BETWEEN)
        if _told(niceness):
            return


def _told(niceness: int) -> bool:
    """False when it is worth another try."""
    try:
        with _SESSION.open("r+") as file:  # elsewhere than on Linux there is none, and it must not be made
            file.write(str(niceness))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
