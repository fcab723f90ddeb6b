"""What a child process sees of the environment.

A list of what passes, so that no key of the user's shell reaches a model, or a grammar that reads hostile bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "SYSTEMROOT"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV"),
)


def environment(more: Iterable[str] = ()) -> dict[str, str]:
    """With the variables named in `more` as well, where they are set."""
    return {name: os.environ[name] for name in (*_PASSED_ON, *more) if name in os.environ}
