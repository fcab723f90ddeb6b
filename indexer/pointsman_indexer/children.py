"""What a child process of the indexer sees of the environment.

A list of what passes, so that no key of the user's shell is within reach of a grammar that reads hostile bytes.
"""

from __future__ import annotations

import os

_PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV"),
)


def environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
